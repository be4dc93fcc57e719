"""Step: language.csv, what the methods come to on language models: the reward that is meant, and the learnt one.

Each reward's first row is of the policy that all runs start from, which has no seeds. Values are means over seeds and
questions, in the suites' points; `_se` are standard errors over both.
"""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_repeats
from scripts.studies.statistics.components import standard_error, units_of
from studies.mode_seeking.config import Language
from studies.mode_seeking.layout import Row, rows, title_of

COLUMNS = ["reward", "method", "negative_gradient", "samples_from", "n_seeds"]
COLUMNS += ["true", "true_se", "proxy", "proxy_se"]
SAMPLES_FROM = {"data": "preference data", "fixed": "start, once", "own": "policy, every step"}
START = "start"


def table(spec: Language, of_rows: list[Row], evaluations: Path) -> list[dict[str, object]]:
    """All rows, reward by reward."""
    found = []
    for reward in spec.rewards:
        own = [row for row in of_rows if row.reward == reward.name]
        suites = {"true": reward.true_suite, "proxy": reward.proxy_suite}
        labels = {"reward": reward.name, "method": START, "negative_gradient": "", "samples_from": "", "n_seeds": 0}
        found.append(labels | values(evaluations, (spec.policy,), suites))
        for row in own:
            labels = {
                "reward": reward.name,
                "method": title_of(row.method),
                "negative_gradient": "yes" if row.negative else "no",
                "samples_from": SAMPLES_FROM[row.source],
                "n_seeds": len(row.runs),
            }
            found.append(labels | values(evaluations, row.runs, suites))
    return found


def values(evaluations: Path, runs: tuple[str, ...], suites: dict[str, str]) -> dict[str, float]:
    """Means and standard errors by suite."""
    found = {}
    for name, suite in suites.items():
        answers = read_repeats(evaluations, runs, suite, draws=1)
        found |= {name: answers.mean(), f"{name}_se": standard_error(units_of(answers))}
    return found


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.tables.language", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Language), required=True, help="the grid, as JSON")
    parser.add_argument("--negative", type=cli.spec_of(dict[str, bool]), required=True, help="of every variant, JSON")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    spec = arguments.spec
    write_csv(table(spec, rows(spec, arguments.negative), arguments.evaluations), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
