"""The record of one evaluation: results/evaluations/<policy>/<suite>.json."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scripts.lib.errors import InputError
from scripts.lib.tables import read_json, write_json

TOLERANCE = 1e-9
"""The largest difference, in points, between a value and the mean of its questions' values: rounding only."""


class Evaluation(BaseModel):
    """One policy on one suite, everything in points (0 to 100).

    value: the metric's value, the mean of ``values`` (one per question, in the suite's order). standard_error: of that
    mean, over the questions. metrics: other metrics, by name. details: how it was measured.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    policy: str
    suite: str
    metric: str
    value: float
    standard_error: float
    n: Annotated[int, Field(ge=2)]
    values: list[float]
    metrics: dict[str, float]
    details: dict[str, Any]

    @model_validator(mode="after")
    def _add_up(self) -> "Evaluation":
        if len(self.values) != self.n:
            raise ValueError(f"n is {self.n}, but there are {len(self.values)} values")
        if abs(self.value - math.fsum(self.values) / self.n) > TOLERANCE:
            raise ValueError(f"value is {self.value}, the mean of values {math.fsum(self.values) / self.n}")
        return self


def evaluation(
    policy: str,
    suite: str,
    metric: str,
    values: Sequence[float],
    metrics: Mapping[str, float],
    details: Mapping[str, Any],
) -> Evaluation:
    """The record of per-question ``values`` in points; the standard error is their sd (n - 1) over the root of n."""
    n = len(values)
    if n < 2:
        raise InputError(
            f"evaluation of {policy} on {suite}", f"{n} question(s) give no standard error", "ask two or more"
        )
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Evaluation(
        policy=policy,
        suite=suite,
        metric=metric,
        value=mean,
        standard_error=math.sqrt(variance / n),
        n=n,
        values=[float(value) for value in values],
        metrics={name: float(value) for name, value in metrics.items()},
        details=dict(details),
    )


def write_evaluation(record: Evaluation, path: str | Path) -> None:
    """Write the record as JSON, atomically."""
    write_json(record.model_dump(), path)


def read_evaluation(path: str | Path) -> Evaluation:
    """Read and check a record."""
    try:
        return Evaluation.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(path, f"not an evaluation ({error})", "delete it and run snakemake again") from error
