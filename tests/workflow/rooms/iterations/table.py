"""Step: every run's values, one row per run and suite."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.results import read_evaluation


def main() -> None:
    parser = cli.parser_of("studies.iterations.table", __doc__)
    parser.add_argument("--evaluations", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    found = [read_evaluation(path) for path in arguments.evaluations]
    rows = [{"run": each.policy, "suite": each.suite, "value": each.value} for each in found]
    write_csv(rows, ["run", "suite", "value"], arguments.out)


if __name__ == "__main__":
    cli.run(main)
