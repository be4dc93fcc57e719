"""Figure: the scores of chosen and rejected responses in each pairs dataset."""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.names import PairsName, add_names, name_of
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table
from scripts.report import style
from scripts.report.names import in_order

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LABEL = 1.6
"""Inches for the names beside a panel."""
SIDES = {"chosen": (style.CHOSEN, 0.17), "rejected": (style.REJECTED, -0.17)}


def figure(datasets: list[tuple[PairsName, pd.DataFrame]]) -> style.Figure:
    """One panel per dataset name, one line per pairs dataset: median, middle half, middle 90 %."""
    names = list(dict.fromkeys(name.dataset for name, _ in datasets))
    rows, columns = style.grid_shape(len(names), 2)
    most = max(sum(name.dataset == each for name, _ in datasets) for each in names)
    drawn, axes = style.panels(rows, columns, 0.75 + 0.29 * most)
    for axis, each in zip(style.flat(axes, len(names)), names, strict=True):
        members = [(name, pairs) for name, pairs in datasets if name.dataset == each]
        for place, (_, pairs) in enumerate(reversed(members)):
            for side, (colour, offset) in SIDES.items():
                least, low, median, high, most_ = np.quantile(pairs[f"{side}_score"], QUANTILES)
                at = place + offset
                axis.plot([least, most_], [at, at], color=colour, linewidth=1.1, alpha=0.55)
                axis.plot([low, high], [at, at], color=colour, linewidth=4.2)
                axis.plot(median, at, marker="o", markersize=4, color=style.PAPER, markeredgecolor=colour)
        axis.set_yticks(range(len(members)), [name.configuration for name, _ in reversed(members)])
        axis.set_ylim(-0.6, len(members) - 0.4)
        style.across(axis)
        axis.set_title(style.titled(each, style.WIDTH / columns - LABEL))
        axis.set_xlabel("score")
    style.heading(
        drawn,
        "Scores of chosen and rejected responses",
        "Dot: median; thick: the middle half; thin: the middle 90 %.",
        [style.entry(side, color=colour, marker="o") for side, (colour, _) in SIDES.items()],
    )
    return drawn


def main() -> None:
    parser = cli.parser_of("scripts.report.pair_scores", __doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    add_names(parser)
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    datasets = [
        (name_of(path, path.name.removesuffix(".parquet"), arguments.names), read_table(path, PAIRS))
        for path in arguments.pairs
    ]
    with style.drawing():
        style.save(figure(in_order(datasets)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
