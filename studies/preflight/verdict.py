"""The verdict line: what a list of findings comes to, in one or two sentences."""

from collections.abc import Sequence
from dataclasses import asdict

from scripts.report.labels import listed
from studies.preflight.finding import LEVELS, Finding, Level, worst
from studies.preflight.recommendation import Recommendation

OPENING: dict[Level, str] = {
    "bad": "Do not train on this yet.",
    "warn": "Usable, with losses that can be avoided.",
    "note": "Nothing stands against training on this.",
    "good": "Nothing stands against training on this.",
}
NAMED = 3
"""The most findings that the line names."""


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """The most severe first, else in their order."""
    return sorted(findings, key=lambda each: -LEVELS.index(each.level))


def verdict(findings: Sequence[Finding]) -> str:
    """How severe the worst is, how many there are of each level, and the names of the first."""
    counts = {level: sum(each.level == level for each in findings) for level in LEVELS}
    grave = [each.name.replace("_", " ") for each in by_severity(findings) if each.level in ("bad", "warn")]
    named = grave if len(grave) <= NAMED else [*grave[: NAMED - 1], f"{len(grave) - NAMED + 1} more"]
    says = {"bad": "to fix", "warn": "to look into", "note": "worth knowing"}
    told = [f"{counts[level]} {text}" for level, text in says.items() if counts[level]]
    line = f"{OPENING[worst(findings)]} Of {len(findings)} questions, {listed(told) if told else 'none raises a doubt'}"
    return f"{line}{': ' + listed(named) if named else ''}."


def summary(
    dataset: str, pairs: int, prompts: int, findings: Sequence[Finding], advice: Sequence[Recommendation], drop: dict
) -> dict:
    """The content of results/preflight.json."""
    return {
        "dataset": dataset,
        "pairs": pairs,
        "prompts": prompts,
        "level": worst(findings),
        "verdict": verdict(findings),
        "findings": [asdict(each) for each in by_severity(findings)],
        "advice": [asdict(each) for each in advice],
        "drop": drop,
    }
