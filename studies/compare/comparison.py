"""Table of comparisons: every candidate minus the baseline on every suite, with a verdict and its reason.

ci_low and ci_high: the 95 % interval over seeds and questions of that difference by itself. p_adjusted: Holm's, over
all rows. The verdict is better or worse where p_adjusted is below 0.05, so that at most 5 of 100 studies have a wrong
one by chance; else undecided. smallest: the smallest detectable difference, a true one that this many seeds and
questions find four times in five, under the same correction. With one seed training noise cannot be seen: neither
p_adjusted nor smallest is known, and every verdict is undecided.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.report.labels import listed
from scripts.report.table import read_rows
from scripts.studies.statistics.estimates import LEVEL
from scripts.studies.statistics.multiplicity import holm
from scripts.studies.verdicts import MINIMUM_REPEATS
from studies.compare.answers import Answers, write_table
from studies.compare.config import Config
from studies.compare.differences import Difference, differences
from studies.compare.layout import baseline, candidates

COLUMNS = ["name", "baseline", "suite", "n_seeds", "n_questions", "difference", "ci_low", "ci_high"]
COLUMNS += ["p_adjusted", "smallest", "verdict", "reason"]
VERDICTS = ("better", "worse", "undecided")
WHOLE = 100.0
"""Points from none to all of a suite."""


def rows(spec: Config, answers: Mapping[str, Answers]) -> list[dict[str, object]]:
    """One row per candidate and suite, candidate by candidate; answers by suite."""
    against, compared = baseline(spec), candidates(spec)
    found: list[tuple[dict[str, object], Difference]] = []
    for suite in spec.suites:
        of_group = answers[suite]
        values = np.stack([of_group[group.name] for group in compared])
        measured = differences(values, of_group[against.name], is_trained=against.is_trained)
        for group, difference in zip(compared, measured, strict=True):
            row = {"name": group.name, "baseline": against.name, "suite": suite, "n_seeds": len(spec.seeds)}
            found.append((row | {"n_questions": difference.freedom + 1}, difference))
    adjusted = holm([difference.p for _, difference in found])
    for (row, difference), p in zip(found, adjusted, strict=True):
        row["difference"] = difference.value
        row["ci_low"], row["ci_high"] = difference.interval()
        row |= judged(difference, float(p), len(spec.seeds), len(found))
    order = {group.name: place for place, group in enumerate(compared)}
    return sorted((row for row, _ in found), key=lambda row: order[str(row["name"])])


def judged(difference: Difference, p: float, seeds: int, comparisons: int) -> dict[str, object]:
    """p_adjusted, smallest, verdict and reason of one of so many comparisons; p: Holm's."""
    unknown = {"p_adjusted": None, "smallest": None, "verdict": "undecided"}
    if difference.is_empty:
        return unknown | {"reason": "both answer every question alike"}
    if seeds < MINIMUM_REPEATS:
        return unknown | {"reason": "with one seed, how far apart two runs on the same data are is not known"}
    smallest = difference.smallest(comparisons)
    found = {"p_adjusted": p, "smallest": smallest or None}  # unknown where neither questions nor seeds vary
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if comparisons > 1:
        chance += f", corrected for {comparisons} comparisons"
    if p < 1 - LEVEL:
        return found | {"verdict": "better" if difference.value > 0 else "worse", "reason": chance}
    low, high = difference.interval()
    if low > 0 or high < 0:
        reason = f"that the interval leaves out zero can be chance: {chance}"
    else:
        reason = unseen([smallest], seeds, difference.freedom + 1)
    return found | {"verdict": "undecided", "reason": reason}


def unseen(smallest: Iterable[float], seeds: int, questions: int) -> str:
    """What one or several suites cannot show: differences under the smallest detectable one of each."""
    sizes = [f"{each:.1f}" if each < WHOLE else "any number of" for each in smallest]
    return f"differences under {listed(sizes)} points cannot be seen with {seeds} seeds and {questions} questions"


def read_comparison(path: Path) -> pd.DataFrame:
    """The table, checked."""
    table = read_rows(path)
    if list(table) != COLUMNS or not table["verdict"].isin(VERDICTS).all():
        raise InputError(path, "is no table of comparisons", "delete it and run snakemake again")
    return table


def main() -> None:
    write_table("studies.compare.comparison", __doc__, rows, lambda spec: COLUMNS)


if __name__ == "__main__":
    cli.run(main)
