"""Step: the paper's example of a categorical distribution on its way to a target, exactly.

categorical.csv has a row for each gradient, objective and bin: its mass at the start and in the target, the rate of its
mass at the start (per unit of time, which is a learning rate), its mass at times 1 and 10, and the time after which
half of its gap is closed. categorical_curves.csv has the masses over time, for the figure.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.mode_seeking.theory.flow import OBJECTIVES, Array, apart, flow, natural, of_mass

START, TARGET = np.array([0.3, 0.3, 0.1, 0.3]), np.array([0.2, 0.1, 0.6, 0.1])
"""The paper's example."""
FLOWS: dict[str, Callable[[str, Array, Array, Array], Array]] = {"logits": flow, "natural": natural}
TIMES = np.arange(0.0, 30.01, 0.05)
SHOWN = (1.0, 10.0)
COLUMNS = ["gradient", "objective", "bin", "start", "target", "rate", *(f"at_{at:g}" for at in SHOWN), "half_time"]
CURVES = ["gradient", "objective", "time", *(f"bin_{at}" for at in range(1, 5)), "total_variation"]


def rates(gradient: str, objective: str, p: Array, q: Array) -> Array:
    """The rates of the bins' masses, in closed form."""
    if gradient == "logits":
        return of_mass(p, OBJECTIVES[objective](p, q))
    return q - p if objective == "forward KL" else of_mass(p, np.log(q / p))


def rows() -> list[dict[str, object]]:
    found = []
    for gradient, path_of in FLOWS.items():
        for objective in OBJECTIVES:
            path, rate = path_of(objective, START, TARGET, TIMES), rates(gradient, objective, START, TARGET)
            at = [path[np.abs(TIMES - time).argmin()] for time in SHOWN]
            is_half = np.abs(path - TARGET) <= np.abs(START - TARGET) / 2
            half = np.where(is_half.any(axis=0), TIMES[is_half.argmax(axis=0)], np.nan)
            for index in range(len(START)):
                numbers = [START[index], TARGET[index], rate[index], *(each[index] for each in at), half[index]]
                found.append(dict(zip(COLUMNS, [gradient, objective, index + 1, *numbers], strict=True)))
    return found


def curves() -> list[dict[str, object]]:
    found = []
    for gradient, path_of in FLOWS.items():
        for objective in OBJECTIVES:
            path = path_of(objective, START, TARGET, TIMES)
            for time, p, left in zip(TIMES, path, apart(path, TARGET), strict=True):
                found.append(dict(zip(CURVES, [gradient, objective, time, *p, left], strict=True)))
    return found


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.tables.categorical", __doc__)
    parser.add_argument("--what", choices=["moved", "curves"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.what == "curves":
        write_csv(curves(), CURVES, arguments.out)
    else:
        write_csv(rows(), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
