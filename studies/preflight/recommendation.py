"""A recommendation or a what-if: what to do or what would move, as words, ready configuration and a small table.

The step that advises writes ``results/preflight/<dataset>/advice.json``: a list of objects with the fields of
:class:`Recommendation`; the page shows them in this order, those of kind advice first.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, Protocol

from scripts.lib.errors import InputError
from scripts.lib.tables import read_json, write_json


@dataclass(frozen=True)
class Recommendation:
    """Plain text throughout.

    question: what is decided, such as ``Which tiers to pair?``. sentence: the answer. configuration: YAML to paste,
    empty if none. gain, ci_low, ci_high: what is predicted, with its 95 % interval, in ``unit``; None if unknown.
    evidence: the study's results behind it. unknown: what is not known. table: rows of a small table, equal keys.
    """

    name: str
    kind: Literal["advice", "what_if"]
    question: str
    sentence: str
    configuration: str = ""
    gain: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
    evidence: str = ""
    unknown: str = ""
    table: Sequence[Mapping[str, object]] = ()


class Prediction(Protocol):
    """A number with its 95 % interval; NaN where an end is unknown."""

    value: float
    low: float
    high: float


def predicted(gain: Prediction | None, unit: str) -> dict[str, float | str | None]:
    """The fields of a recommendation that a prediction fills; None for what is unknown."""
    if gain is None:
        return {}
    numbers = {"gain": gain.value, "ci_low": gain.low, "ci_high": gain.high}
    return {**{name: None if math.isnan(each) else each for name, each in numbers.items()}, "unit": unit}


def write_recommendations(recommendations: Iterable[Recommendation], path: Path) -> None:
    write_json([asdict(each) for each in recommendations], path)


def read_recommendations(path: Path) -> list[Recommendation]:
    """Raises InputError if the file does not hold recommendations."""
    known = [field.name for field in fields(Recommendation)]
    try:
        return [Recommendation(**{name: each[name] for name in known}) for each in read_json(path)]
    except (TypeError, KeyError) as error:
        raise InputError(path, "holds no recommendations", "delete it and run snakemake again") from error
