"""The study's part of the page: a sentence per candidate, the forest plot, the comparisons and the results."""

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.report.html import environment, points
from scripts.report.inline import inline_svg
from scripts.report.labels import benchmark, listed
from scripts.report.table import table_of
from studies.compare.comparison import read_comparison, unseen

SAYS = {"better": "beats", "worse": "is worse than"}


def sentence(rows: pd.DataFrame) -> str:
    """What was found of one candidate on all suites, the decided ones first."""
    name, baseline = rows.iloc[0][["name", "baseline"]]
    clauses = []
    for verdict, says in SAYS.items():
        found = [_by(row) for row in rows[rows["verdict"] == verdict].to_dict("records")]
        clauses += [f"{says} {baseline} {listed(found)}"] if found else []
    undecided = rows[rows["verdict"] == "undecided"]
    is_known = undecided["smallest"].notna()
    for (seeds, questions), alike in undecided[is_known].groupby(["n_seeds", "n_questions"], sort=False):
        clauses.append(_untold(alike, unseen(alike["smallest"], seeds, questions)))
    for reason, alike in undecided[~is_known].groupby("reason", sort=False):
        clauses.append(_untold(alike, reason))
    opening = name if set(rows["verdict"]) & set(SAYS) else f"{name} against {baseline}:"
    return f"{opening} {'; '.join(clauses)}."


def _by(row: dict) -> str:
    """On what, by how much, with the interval; the verb says which way."""
    values = [row["difference"], row["ci_low"], row["ci_high"]]
    if row["verdict"] == "worse":
        values = [-values[0], -values[2], -values[1]]
    by, low, high = (points(value, 1) for value in values)
    return f"on {benchmark(row['suite'])} by {by} points ({low} to {high})"


def _untold(rows: pd.DataFrame, reason: str) -> str:
    return f"on {listed([benchmark(suite) for suite in rows['suite']])} it could not be told: {reason}"


def render(study: str, comparison: Path, results: Path, forest: Path) -> str:
    """The fragment, as scripts/report/section.py describes it."""
    compared = read_comparison(comparison)
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(
            study=study,
            sentences=[sentence(rows) for _, rows in compared.groupby("name", sort=False)],
            forest=Markup(inline_svg(forest)),
            comparison=compared.to_dict("records"),
            results=table_of(results, hidden=["_questions"]),
        )
    )


def main() -> None:
    parser = cli.parser_of("studies.compare.section", __doc__)
    parser.add_argument("--comparison", type=Path, required=True, help="comparison.csv")
    parser.add_argument("--results", type=Path, required=True, help="results.csv")
    parser.add_argument("--forest", type=Path, required=True, help="forest.svg")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    write_text(render(arguments.out.stem, arguments.comparison, arguments.results, arguments.forest), arguments.out)


if __name__ == "__main__":
    cli.run(main)
