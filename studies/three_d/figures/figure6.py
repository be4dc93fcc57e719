"""Figure 6: the gradients by the likelihoods of chosen and rejected along training, in the four scenarios."""

from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from scripts.report.training_curves import smooth
from studies.three_d.layout import SCENARIOS

SIDES = {"chosen": style.CHOSEN, "rejected": style.REJECTED}


def figure(path: Path) -> style.Figure:
    """A panel per scenario, of the first policy."""
    table = read_rows(path, ["policy", "setting", "step", *(f"{side}_pull" for side in SIDES)])
    table = table[table["policy"] == table["policy"].iloc[0]]
    drawn, (axes,) = style.panels(1, len(SCENARIOS), 2.0, sharey=True)
    for axis, setting in zip(axes, SCENARIOS, strict=True):
        rows = table[table["setting"] == setting]
        for side, colour in SIDES.items():
            means = rows.groupby("step")[f"{side}_pull"].mean()
            axis.plot(means.index, smooth(means.to_numpy()) / np.log(10), color=colour)
        axis.set_title(setting)
        axis.set_xlabel("step")
    axes[0].set_ylabel("log10 of |gradient|")
    style.heading(
        drawn,
        "How hard DPO pulls on either likelihood",
        "log10 of the loss's gradient by pi+ and by pi- as free coordinates, mean over each step's pairs. It is the "
        "larger the smaller the likelihood; by log-likelihood the two are equal and opposite.",
        [style.entry(side, color=colour) for side, colour in SIDES.items()],
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.figure6", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
