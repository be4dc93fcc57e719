"""Step: bandit.csv, the expected reward that every method ends with, by its two axes, or bandit_curves.csv.

A row for each optimum, method and source of samples; `reward_unshifted` is that of the runs whose losses read log-probs
as the authors' code does. bandit_curves.csv has the same rewards during training, of the runs that read them right.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.mode_seeking.bandit.layout import METHODS
from studies.mode_seeking.tables.found import at_best_rate, over_seeds, read_runs

AXES = ["optimum", "method", "negative_gradient", "samples_from", "reuse"]
COLUMNS = [*AXES, "n_seeds", "samples", "learning_rate", "start", "reward", "reward_se"]
UNSHIFTED = ["reward_unshifted", "reward_unshifted_se"]
CURVES = [*AXES, "n_seeds", "step", "samples", "reward", "reward_se"]


def axes(row: dict) -> dict[str, object]:
    """The columns that say what a row is about, in words."""
    return {
        "optimum": row["optimum"],
        "method": METHODS[row["method"]].title,
        "negative_gradient": "yes" if METHODS[row["method"]].negative else "no",
        "samples_from": "policy" if row["on_policy"] else "reference",
        "reuse": row["reuse"],
    }


def in_order(runs: pd.DataFrame) -> pd.DataFrame:
    """By optimum, method and source: offline first, then the policy's own samples from the most reused on."""
    optima, methods = list(dict.fromkeys(runs["optimum"])), list(METHODS)
    places = {
        "optimum": runs["optimum"].map(optima.index),
        "method": runs["method"].map(methods.index),
        "on_policy": runs["on_policy"],
        "reuse": -runs["reuse"],
    }
    return runs.loc[pd.DataFrame(places).sort_values(list(places), kind="stable").index]


def rows(runs: pd.DataFrame) -> list[dict[str, object]]:
    best = in_order(at_best_rate(runs))
    start = runs[runs["step"] == 0].groupby("optimum")["reward"].mean()
    final = over_seeds(best[best["step"] == best["step"].max()])
    right = final[final["shifted"]].to_dict("records")
    others = {tuple(axes(row).values()): row for row in final[~final["shifted"]].to_dict("records")}
    found = []
    for row in right:
        other = others.get(tuple(axes(row).values()), {"reward": None, "reward_se": None})
        wrong = dict(zip(UNSHIFTED, (other["reward"], other["reward_se"]), strict=True))
        found.append(row | axes(row) | {"start": start[row["optimum"]]} | wrong)
    return found


def curves(runs: pd.DataFrame) -> list[dict[str, object]]:
    best = in_order(at_best_rate(runs[runs["shifted"]]))
    return [row | axes(row) for row in over_seeds(best, "step").to_dict("records")]


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.tables.bandit", __doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="the methods' files")
    parser.add_argument("--what", choices=["final", "curves"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs = read_runs(arguments.runs)
    if arguments.what == "curves":
        write_csv(curves(runs), CURVES, arguments.out)
    else:
        wrong = [] if runs["shifted"].all() else UNSHIFTED
        write_csv(rows(runs), [*COLUMNS, *wrong], arguments.out)


if __name__ == "__main__":
    cli.run(main)
