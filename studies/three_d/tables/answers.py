"""Tables 1, 8 and 9, and the sweep of Figure 4: the percentage of answers with 5 points, and with 4 or 5.

One row per policy and setting, and for all tables but the first per test set; Table 1 has all questions together. `_se`
is the standard error over questions and over draws, or seeds where there is one draw; rows share their questions, so
that two of them do not add up to that of a difference. `_published` is the paper's number. `beta_sweep` says which beta
the rejected responses have.
"""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_published
from studies.three_d import layout
from studies.three_d.config import Experiments
from studies.three_d.layout import Row
from studies.three_d.measured import POINTS, Answers, columns_of, mean_of

LABELS = ["policy", "model", "setting", "n_seeds", "n_draws"]
ALL = ""


def rows_of(table: str, spec: Experiments, betas: dict[str, float]) -> list[Row]:
    """The rows of a table; betas: variant -> that of the rejected, for beta_sweep."""
    if table == "table9":
        return layout.regularised(spec)
    if table == "beta_sweep":
        return [layout.trained(spec, spec.policies[-1], each, spec.scenarios.on_on, each) for each in betas]
    return layout.scenarios(spec)


def cells(row: Row, answers: Answers, published: dict, test_set: str) -> dict[str, object]:
    """One row of a table; test_set: its name, or ALL."""
    key = (row.base.model or "", row.setting, *([test_set] if test_set else []))
    found: dict[str, object] = {"policy": row.base.policy, "model": row.base.model, "setting": row.setting}
    found |= {"test_set": test_set} if test_set else {}
    of = next((each for each in answers.spec.test_sets if each.name == test_set), None)
    for points in POINTS:
        values = answers.of(row, of, points) if of else answers.everywhere(row, points)
        found["n_draws"], found["n_seeds"] = values.shape[:2]
        found[points], found[f"{points}_se"] = mean_of(values)
        found[f"{points}_published"] = published.get(key, {}).get(points)
    return found


def made(table: str, answers: Answers, published: dict, betas: dict[str, float]) -> tuple[list[dict], list[str]]:
    """The rows of a table, and its columns."""
    spec = answers.spec
    sets = [ALL] if table == "table1" else [each.name for each in spec.test_sets]
    rows = [
        cells(row, answers, published, test_set) | {"beta_rejected": betas.get(row.variant)}
        for row in rows_of(table, spec, betas)
        for test_set in sets
    ]
    labels = [*LABELS[:3], *([] if table == "table1" else ["test_set"]), *(["beta_rejected"] if betas else [])]
    return rows, [*labels, *LABELS[3:], *columns_of(POINTS)]


def main() -> None:
    parser = cli.parser_of("studies.three_d.tables.answers", __doc__)
    parser.add_argument("--table", choices=["table1", "table8", "table9", "beta_sweep"], required=True)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument(
        "--betas", type=cli.spec_of(dict[str, float]), default={}, help="JSON: variant -> beta_rejected"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    key = ["model", "setting", *([] if arguments.table == "table1" else ["test_set"])]
    path = arguments.published / f"{arguments.table}.csv"
    published = read_published(path, key) if path.exists() else {}
    answers = Answers(arguments.spec, arguments.evaluations)
    rows, columns = made(arguments.table, answers, published, arguments.betas)
    write_csv(rows, columns, arguments.out)


if __name__ == "__main__":
    cli.run(main)
