"""The verdict line: what a list of findings comes to, in one or two sentences."""

from collections.abc import Sequence
from dataclasses import asdict

from scripts.report.labels import listed
from studies.preflight.finding import LEVELS, Finding, Level, worst
from studies.preflight.recommendation import Recommendation

OPENING: dict[Level, str] = {
    "bad": "Do not train on this yet",
    "warn": "Usable, with losses that can be avoided",
    "note": "Nothing stands against training on this",
    "good": "Nothing stands against training on this",
}
NAMED = 3
"""The most findings of a level that the line names."""


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """The most severe first, else in their order."""
    return sorted(findings, key=lambda each: -LEVELS.index(each.level))


def verdict(findings: Sequence[Finding]) -> str:
    """How severe the worst is, by name; what else to look into; and how many questions raised no doubt."""
    of = {level: [each.name.replace("_", " ") for each in findings if each.level == level] for level in LEVELS}
    line = OPENING[worst(findings)] + (f": {_named(of['bad'])}." if of["bad"] else ".")
    if of["warn"]:
        line += f" Look into {_named(of['warn'])}."
    return (
        f"{line} Of {len(findings)} questions, {len(of['note'])} more are worth knowing and {len(of['good'])} are fine."
    )


def _named(names: Sequence[str]) -> str:
    return listed(names if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"])


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
