"""The rows of the tables: what each policy was trained on in two iterations, and the runs behind each row.

Light enough to be imported by the workflow, which asks here what to train.
"""

from dataclasses import dataclass
from itertools import product

from scripts.lib.lineage import Run, in_draw
from studies.alignment_stages.config import Base, Config

OFF, ON, BLEND, FOREIGN = "off", "on", "blend", "foreign"
"""Pairs that others wrote, pairs of the policy's own samples, both in a share, pairs of a strong policy's samples."""
PAPER: tuple[tuple[str, ...], ...] = ((), *product((OFF, ON), repeat=1), *product((OFF, ON), repeat=2))
"""What was trained on, iteration by iteration, in the order of the paper's Table 1; first nothing yet."""
BLENDED = ((BLEND,), (BLEND, BLEND))
PATHS = (*PAPER, *BLENDED)
SWITCHED = PAPER[:3]
"""The policies that both off-policy and on-policy data train: the paper's initial policies."""
STARTS = (*SWITCHED, BLENDED[0])
"""The policies that an iteration starts from."""
TABLE_2: tuple[tuple[str, ...], ...] = ((), (OFF,), (FOREIGN,), (ON,), (OFF, OFF), (OFF, FOREIGN), (OFF, ON), *BLENDED)
"""The rows of the paper's Table 2, and the blend's."""
COMPARED = ((), (OFF,))
"""The initial policies of Table 2."""
KEY = ("model", "objective", "iteration_1", "iteration_2")
"""The columns that name a row."""


def iterations_of(path: tuple[str, ...]) -> tuple[str, str]:
    first, second = (*path, "", "")[:2]
    return first, second


@dataclass(frozen=True)
class Row:
    """A policy trained on some data in a row, with one objective.

    runs: by draw of the data, then by seed; an untrained policy by itself, the same for every objective.
    """

    base: Base
    variant: str
    path: tuple[str, ...]
    runs: tuple[str, ...]

    @property
    def iterations(self) -> tuple[str, str]:
        """What each iteration was, blank where there was none yet."""
        return iterations_of(self.path)


def pairs_of(spec: Config) -> dict[str, str]:
    """What is trained on -> the pairs dataset."""
    return {OFF: spec.off_policy, ON: spec.on_policy, BLEND: spec.blend, FOREIGN: spec.foreign.pairs}


def row(spec: Config, base: Base, variant: str, path: tuple[str, ...]) -> Row:
    if not path:
        return Row(base, variant, path, (base.policy,))
    pairs, found = pairs_of(spec), []
    for draw, seed in product(range(1, spec.draws + 1), spec.seeds):
        name = base.policy
        for data in path:
            name = Run(name, in_draw(pairs[data], draw, spec.draws), variant, seed).name
        found.append(name)
    return Row(base, variant, path, tuple(found))


def rows(spec: Config) -> list[Row]:
    """Those of Tables 1, 3, 4 and 5: by objective, then by policy, then in the order of PATHS."""
    return [row(spec, base, variant, path) for variant in spec.variants for base in spec.policies for path in PATHS]


def table2(spec: Config) -> list[Row]:
    """Those of Table 2: by policy, then in the order of TABLE_2."""
    bases = [base for base in spec.policies if base.policy in spec.foreign.policies]
    return [row(spec, base, spec.foreign.variant, path) for base in bases for path in TABLE_2]


def starts(spec: Config) -> list[Row]:
    """The rows from which an iteration starts."""
    return [each for each in rows(spec) if each.path in STARTS]


def switched(spec: Config) -> list[Row]:
    """The paper's initial policies."""
    return [each for each in rows(spec) if each.path in SWITCHED]


def compared(spec: Config) -> list[Row]:
    """Those of Table 2."""
    return [each for each in table2(spec) if each.path in COMPARED]


def trained_from(spec: Config, start: Row, data: str) -> Row:
    """The row that a start becomes on some data."""
    return row(spec, start.base, start.variant, (*start.path, data))


def start_of(spec: Config, trained: Row) -> Row:
    """The row from which a trained row's last iteration starts."""
    return row(spec, trained.base, trained.variant, trained.path[:-1])


def policies_of(chosen: list[Row]) -> list[str]:
    """The runs and policies behind some rows, once each."""
    return list(dict.fromkeys(run for each in chosen for run in each.runs))
