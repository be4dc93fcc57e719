"""Where the study's files are, and which parts it has. Light enough for the workflow."""

from studies.preflight.config import Config

PAGE, SUMMARY = "results/preflight.html", "results/preflight.json"


def folder(dataset: str) -> str:
    return f"results/preflight/{dataset}"


def overlap(dataset: str) -> str:
    """What the policy's last hidden layer says of every pair."""
    return f"{folder(dataset)}/overlap.parquet"


def parts(spec: Config) -> list[str]:
    """The parts that the configuration allows; rules.smk has a rule for each."""
    return ["text", *(["scorer"] if spec.scorer else []), *(["policy"] if spec.policy else [])]


def findings(spec: Config, dataset: str) -> list[str]:
    return [f"{folder(dataset)}/{part}.json" for part in parts(spec)]


def measures(spec: Config, dataset: str) -> list[str]:
    return [f"{folder(dataset)}/{part}.parquet" for part in parts(spec)]
