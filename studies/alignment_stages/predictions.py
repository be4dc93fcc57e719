"""How often the boundary score names the data that brings the larger increase, against the two constant predictors.

One row per source of numbers and predictor, over all initial policies: every model and objective, before the first and
the second iteration. n: initial policies whose two increases differ. hits: those whose larger increase was brought by
the predicted data. ci_low, ci_high: the 95 % interval of the share (Clopper and Pearson), as if initial policies were
independent; a policy's later starts are not, so that it is too short rather than too long. Before the first iteration a
policy is one initial policy per objective.
"""

from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.report.table import read_rows
from studies.alignment_stages.discrepancy import PREDICTORS, is_hit
from studies.alignment_stages.layout import OFF

COLUMNS = ["source", "predictor", "n", "hits", "share", "ci_low", "ci_high"]
SOURCES = {"measured": "", "published": "_published"}


def last_data(table: pd.DataFrame) -> pd.Series:
    """What each row of iterations.csv was trained on last; blank for untrained policies."""
    return table["iteration_2"].fillna(table["iteration_1"]).fillna("")


def compared(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """score and off_minus_on of every initial policy that has both; source: a suffix of columns."""
    rows = table[last_data(table) == OFF]
    named = {f"boundary_score{source}": "score", f"off_minus_on{source}": "off_minus_on"}
    labels = ["policy", "objective", "iteration_1", "iteration_2"]
    return rows[[*labels, *named]].rename(columns=named).dropna(subset=[*named.values()])


def predictions(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows, source by source; none of a source without numbers."""
    found = []
    for source, suffix in SOURCES.items():
        starts = compared(table, suffix)
        for name, score_of in PREDICTORS.items():
            told = [
                hit
                for score, difference in zip(starts["score"], starts["off_minus_on"], strict=True)
                if (hit := is_hit(score_of(score), difference, 0.0)) is not None
            ]
            if told:
                test = binomtest(sum(told), len(told)).proportion_ci(0.95, method="exact")
                share = sum(told) / len(told)
                found.append(dict(zip(COLUMNS, (source, name, len(told), sum(told), share, *test), strict=True)))
    return found


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.predictions", __doc__)
    parser.add_argument("--iterations", type=Path, required=True, help="iterations.csv")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_csv(predictions(read_rows(arguments.iterations)), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
