"""A finding: one question that preflight asks of a dataset, the answer as a sentence and a number, and what to do.

Every part of the study (text, scorer, policy) writes its findings as one JSON file, a list of objects with the fields
of :class:`Finding`, and its measures of every pair as one table (studies/preflight/rows.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from scripts.lib.errors import InputError
from scripts.lib.tables import read_json, write_json

Part = Literal["text", "scorer", "policy"]
Level = Literal["good", "note", "warn", "bad"]
PARTS: tuple[Part, ...] = get_args(Part)
LEVELS: tuple[Level, ...] = get_args(Level)
"""From harmless to severe."""
EXAMPLES = 10
"""The most pairs shown behind a finding."""


@dataclass(frozen=True)
class Finding:
    """One question and its answer. All text is plain, and may quote the data: whoever shows it escapes it.

    name: unique in a report, a Python identifier, such as ``near_duplicates``. question: ends in a question mark.
    sentence: the answer, whole. value, ci_low, ci_high: the number behind it with its 95 % interval, in ``unit``
    (``share`` is from 0 to 1); None where there is none. n: what the number is over (pairs, prompts, ...).
    level: good, nothing to do; note, worth knowing; warn, likely to cost something; bad, fix it before training.
    evidence: which paper and which study of ours say that this matters. remedy: what to do; empty if nothing is.
    pairs: at most EXAMPLES rows of the pairs table, worst first. places: rows of source files (``mine.jsonl, row 17``)
    that are no pairs, and so have no row there. column: the column of the part's table that the page draws, beside:
    the one whose text stands beside each example; empty where there is none.
    """

    name: str
    part: Part
    question: str
    sentence: str
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
    n: int = 0
    level: Level = "good"
    evidence: str = ""
    remedy: str = ""
    pairs: Sequence[int] = ()
    places: Sequence[str] = ()
    column: str = ""
    beside: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", tuple(map(int, self.pairs))[:EXAMPLES])
        object.__setattr__(self, "places", tuple(self.places)[:EXAMPLES])
        if self.part not in PARTS or self.level not in LEVELS:
            raise ValueError(f"finding {self.name}: part {self.part!r} or level {self.level!r} is none that exists")


def write_findings(findings: Iterable[Finding], path: Path) -> None:
    """Write findings in their order. Raises ValueError if two share a name."""
    found = list(findings)
    names = [each.name for each in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two findings {', '.join(sorted(repeated))}")
    write_json([asdict(each) for each in found], path)


def read_findings(path: Path) -> list[Finding]:
    """Raises InputError if the file does not hold findings."""
    known = {field.name for field in fields(Finding)}
    try:
        return [Finding(**{name: each[name] for name in known}) for each in read_json(path)]
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(path, "holds no findings of preflight", "delete it and run snakemake again") from error


def worst(findings: Iterable[Finding]) -> Level:
    """The most severe level; good if there are no findings."""
    return max((each.level for each in findings), key=LEVELS.index, default="good")
