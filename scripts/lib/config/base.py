"""The parent of every configuration type."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
"""A name that becomes part of a path under ``results/``: no dots, no slashes."""


@dataclass(frozen=True)
class Reference:
    """Marks a field that names an entry of a section of the configuration."""

    section: str


SourceRef = Annotated[Name, Reference("sources")]
PromptSetRef = Annotated[Name, Reference("prompt_sets")]
ScorerRef = Annotated[Name, Reference("scorers")]
PairsRef = Annotated[Name, Reference("pairs")]
PolicyRef = Annotated[Name, Reference("policies")]
SampleSetRef = Annotated[Name, Reference("samples")]
VariantRef = Annotated[Name, Reference("training.variants")]
SuiteRef = Annotated[Name, Reference("evaluation.suites")]

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Spec(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
