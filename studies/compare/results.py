"""Table of results: the start and every group of runs on every suite.

A value is the mean over seeds, <suite>_se its standard error over seeds and questions, the group's own and without a t
factor (scripts/studies/statistics/components.py, `standard_error`), <suite>_questions how many questions stand behind
it. In points, 0 to 100.
"""

from collections.abc import Mapping

from scripts.lib import cli
from scripts.studies.statistics.components import standard_error
from studies.compare.answers import Answers, write_table
from studies.compare.config import KEY, Config, columns_of
from studies.compare.layout import start, trained


def rows(spec: Config, answers: Mapping[str, Answers]) -> list[dict[str, object]]:
    """One row per group; answers by suite. The start was trained with no seed."""
    found = []
    for group in (start(spec), *trained(spec)):
        row: dict[str, object] = {"name": group.name, "n_seeds": len(group.policies) if group.is_trained else 0}
        for suite in spec.suites:
            values = answers[suite][group.name]
            row |= zip(columns_of(suite), (values.mean(), standard_error(values), values.shape[1]), strict=True)
        found.append(row)
    return found


def columns(spec: Config) -> list[str]:
    """The table's columns: those of every suite after the first ones."""
    return [*KEY, *(column for suite in spec.suites for column in columns_of(suite))]


def main() -> None:
    write_table("studies.compare.results", __doc__, rows, columns)


if __name__ == "__main__":
    cli.run(main)
