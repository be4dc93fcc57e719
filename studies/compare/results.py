"""Table of results: the start and every group of runs on every suite.

A value is the mean over seeds, <suite>_se its standard error over seeds and questions (scripts/studies/statistics.py,
`standard_error`), <suite>_questions how many questions stand behind it. In points, 0 to 100.
"""

from collections.abc import Mapping
from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.statistics import standard_error
from studies.compare.answers import Answers, read_answers
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


def main() -> None:
    parser = cli.parser_of("studies.compare.results", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    answers = {suite: read_answers(arguments.evaluations, spec, suite) for suite in spec.suites}
    columns = [*KEY, *(column for suite in spec.suites for column in columns_of(suite))]
    write_csv(rows(spec, answers), columns, arguments.out)


if __name__ == "__main__":
    cli.run(main)
