"""Base type of every configuration type, and the field types that they share."""

import os.path
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
"""A name used in paths under ``results/``: no dots, no slashes."""


@dataclass(frozen=True)
class Reference:
    """Marks a field that names an entry of another section of the configuration."""

    section: str


SourceRef = Annotated[Name, Reference("sources")]
PromptSetRef = Annotated[Name, Reference("prompt_sets")]
ScorerRef = Annotated[Name, Reference("scorers")]
RankerRef = Annotated[Name, Reference("rankers")]
PairsRef = Annotated[Name, Reference("pairs")]
PolicyRef = Annotated[Name, Reference("policies")]
SampleSetRef = Annotated[Name, Reference("samples")]
VariantRef = Annotated[Name, Reference("training.variants")]
SuiteRef = Annotated[Name, Reference("evaluation.suites")]


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true or false stands where a number is meant")
    return value


NoTruth = BeforeValidator(_no_truth)
"""pydantic accepts true as 1, and YAML reads yes and on as true. Last in Annotated, so the schema keeps the bounds."""

Number = Annotated[float, NoTruth]
Fraction = Annotated[float, Field(ge=0.0, le=1.0), NoTruth]
Positive = Annotated[float, Field(gt=0.0), NoTruth]
NotNegative = Annotated[float, Field(ge=0.0), NoTruth]
PositiveFraction = Annotated[float, Field(gt=0.0, le=1.0), NoTruth]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0), NoTruth]
Count = Annotated[int, Field(ge=1, lt=2**63), NoTruth]
Seed = Annotated[int, Field(ge=0, lt=2**32), NoTruth]
"""The range that every random number generator accepts and that fits into a path."""

LocalPath = Annotated[str, AfterValidator(os.path.expanduser)]
"""A local path, or a hub id, which never begins with ``~``. Expanded here, so that steps, rules and ``record`` name a
file by the same path."""

Item = TypeVar("Item")


def _each_once(items: list[Item]) -> list[Item]:
    if repeated := [item for at, item in enumerate(items) if item in items[:at]]:
        raise ValueError(f"names {repeated[0]} twice")
    return items


Distinct = Annotated[list[Item], AfterValidator(_each_once)]
"""A list without duplicates."""


class Spec(BaseModel):
    """A part of the configuration: immutable; unknown keys, infinite numbers and empty text are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_min_length=1)
