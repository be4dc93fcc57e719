"""How often the boundary score names the data that brings the larger increase, against the two constant predictors.

One row per source of numbers and predictor, over all initial policies: every model and objective, before the first and
the second iteration; published: all of the paper's, whichever models the study has.

n: initial policies whose two increases differ. hits: those whose larger increase was brought by the predicted data.
ci_low, ci_high: the 95 % interval of the share (Clopper and Pearson), as if initial policies were independent; a
policy's later starts are not, so that it is too short rather than too long. Before the first iteration a policy is one
initial policy per objective.
"""

from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.report.table import read_rows
from studies.alignment_stages.discrepancy import PREDICTORS, is_hit
from studies.alignment_stages.layout import OFF, ON
from studies.alignment_stages.published_numbers import Published

COLUMNS = ["source", "predictor", "n", "hits", "share", "ci_low", "ci_high"]
Cases = list[tuple[float, float]]
"""The boundary score of each initial policy, and off_minus_on."""


def last_data(table: pd.DataFrame) -> pd.Series:
    """What each row of iterations.csv was trained on last; blank for untrained policies."""
    return table["iteration_2"].fillna(table["iteration_1"]).fillna("")


def compared(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """score and off_minus_on of every initial policy that has both; source: the suffix of its columns."""
    rows = table[last_data(table) == OFF]
    named = {f"boundary_score{source}": "score", f"off_minus_on{source}": "off_minus_on"}
    labels = ["policy", "objective", "iteration_1", "iteration_2"]
    return rows[[*labels, *named]].rename(columns=named).dropna(subset=[*named.values()])


def of_paper(published: Published) -> Cases:
    """The same of all the paper's initial policies."""
    return [
        (score, difference)
        for (model, objective, first), score in published.scores.items()
        if (difference := published.difference(model, objective, (first,) if first else (), OFF, ON)) is not None
    ]


def predictions(table: pd.DataFrame, published: Published) -> list[dict[str, object]]:
    """The rows, source by source."""
    ours = compared(table, "")
    sources: dict[str, Cases] = {
        "measured": list(zip(ours["score"], ours["off_minus_on"], strict=True)),
        "published": of_paper(published),
    }
    found = []
    for source, cases in sources.items():
        for name, score_of in PREDICTORS.items():
            judged = [is_hit(score_of(score), difference, 0.0) for score, difference in cases]
            told = [hit for hit in judged if hit is not None]
            if told:
                interval = binomtest(sum(told), len(told)).proportion_ci(0.95, method="exact")
                share = sum(told) / len(told)
                found.append(dict(zip(COLUMNS, (source, name, len(told), sum(told), share, *interval), strict=True)))
    return found


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.predictions", __doc__)
    parser.add_argument("--iterations", type=Path, required=True, help="iterations.csv")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = predictions(read_rows(arguments.iterations), Published(arguments.published))
    write_csv(found, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
