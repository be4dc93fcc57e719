"""Where the study's files are, and which parts it has. Light enough for the workflow."""

from studies.preflight.config import Config

PAGE, SUMMARY = "results/preflight.html", "results/preflight.json"


def folder(spec: Config) -> str:
    return f"results/preflight/{spec.pairs}"


def overlap(spec: Config) -> str:
    """What the policy's last hidden layer says of every pair."""
    return f"{folder(spec)}/overlap.parquet"


def parts(spec: Config) -> list[str]:
    """The parts that the configuration allows; rules.smk has a rule for each."""
    return ["text", *(["scorer"] if spec.scorer else []), *(["policy"] if spec.policy else [])]


def findings(spec: Config) -> list[str]:
    return [f"{folder(spec)}/{part}.json" for part in parts(spec)]


def measures(spec: Config) -> list[str]:
    return [f"{folder(spec)}/{part}.parquet" for part in parts(spec)]
