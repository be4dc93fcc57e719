"""What the steps of an online run learn from: batches that are made from samples of the model, and used again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from transformers import PreTrainedModel

from scripts.training.lessons import Example, Rollout


@dataclass(frozen=True)
class Batch:
    """What a step learns from. columns: what the table says of the samples behind it, if there are any."""

    items: Sequence[Example] | Sequence[Rollout]
    columns: Mapping[str, float] = field(default_factory=dict)


class Renewal(Protocol):
    """Makes the coming batches from samples of the model: ``every`` batches in a call, each used ``reuse`` times.

    state: what its next call depends on, besides the model; kept in checkpoints, and given back by ``restore``.
    """

    every: int
    reuse: int

    def __call__(self, model: PreTrainedModel, step: int, batches: list[list[Example]]) -> list[Batch]: ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


def draws_of(steps: Sequence[list[int]], renewal: Renewal | None) -> dict[int, list[list[int]]]:
    """Gradient step -> the batches that are made before it, of which each is used ``reuse`` times; the end has none."""
    every, reuse = (renewal.every, renewal.reuse) if renewal else (1, 1)
    found = {at * reuse: list(steps[at : at + every]) for at in range(0, len(steps), every)}
    return found | {len(steps) * reuse: []}


def reused(made: list[Batch], renewal: Renewal) -> list[Batch]:
    """The batches, again and again; samples are drawn for the first time only."""
    again = [replace(each, columns={**each.columns, "samples": 0}) for each in made]
    return made + (renewal.reuse - 1) * again
