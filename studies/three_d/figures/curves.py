"""Code shared by the figures of likelihoods along training: the looks of the curves, and the table behind them."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from scripts.report import style
from scripts.report.table import read_rows

UNSEEN = style.SERIES[1]
LINES = {
    "chosen": ("chosen, mean", {"color": style.CHOSEN}),
    "chosen_min": ("chosen, lowest", {"color": style.CHOSEN, "linestyle": style.DASHED, "linewidth": 1.2}),
    "rejected": ("rejected, mean", {"color": style.REJECTED}),
    "rejected_max": ("rejected, highest", {"color": style.REJECTED, "linestyle": style.DASHED, "linewidth": 1.2}),
    "unseen": ("responses 9 and 10 together", {"color": UNSEEN}),
}
"""Column -> its label and look: the five curves of the paper's figures."""
KEY = [style.entry(label, **look) for label, look in LINES.values()]


def read_curves(path: Path) -> pd.DataFrame:
    """toy_curves.csv."""
    return read_rows(path, ["objective", "scenario", "epoch", "log_chosen", "log_gradient_chosen", *LINES])


def of(curves: pd.DataFrame, objective: str, scenario: int) -> pd.DataFrame:
    """The rows of one objective in one scenario."""
    return curves[(curves["objective"] == objective) & (curves["scenario"] == scenario)]


def draw(axis: Axes, rows: pd.DataFrame) -> None:
    """The five likelihoods over epochs."""
    for column, (_, look) in LINES.items():
        axis.plot(rows["epoch"], rows[column], **look)
    axis.set_ylim(0, 1)
