"""Step: chosen.csv, what DPO on fixed pairs does to both log-probs, by how many tokens of the pair differ, in nats."""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.mode_seeking.tables.found import read_chosen

COLUMNS = ["different", "n_seeds", "step", "chosen", "chosen_se", "rejected", "rejected_se"]


def rows(pairs: pd.DataFrame) -> list[dict[str, object]]:
    """A row for each number of tokens and gradient step: means and standard errors over seeds."""
    grouped = pairs.groupby(["different", "step"], sort=False)
    found = grouped.agg(
        n_seeds=("chosen", "count"),
        chosen=("chosen", "mean"),
        chosen_se=("chosen", "sem"),
        rejected=("rejected", "mean"),
        rejected_se=("rejected", "sem"),
    )
    return found.reset_index().sort_values(["different", "step"]).to_dict("records")


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.tables.chosen", __doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="the file of DPO on fixed pairs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_csv(rows(read_chosen(arguments.pairs)), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
