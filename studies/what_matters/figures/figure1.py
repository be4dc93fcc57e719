"""Figure 1 of "What Matters in Data for DPO?": two rejected distributions, and the resulting DPO policies.

Left, as the paper draws it: the rejected distributions differ where the chosen are rare, and the policies agree. Right,
a limit that the paper does not claim: one rejected distribution has a gap, among responses that the chosen have a few
of; its policy, which is concentrated there, is cut off at the height of the others.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.report import style
from scripts.report.figure import draw_table

COLUMNS = ["scene", "response", "reference", "chosen", "rejected", "other_rejected", "policy", "other_policy"]
TITLES = {
    "overlap": "In the paper: the rejected part where the chosen are rare",
    "gap": "Beyond the paper: one of them leaves a gap there",
}
DASHED = (0, (4, 2))
POLICY = style.SERIES[0]


def read_picture(path: Path) -> dict[str, pd.DataFrame]:
    """The densities by scene, as columns of COLUMNS; every scene on one even grid of responses."""
    remedy = "delete it and run snakemake again"
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as CSV ({error})", remedy) from error
    if list(table) != COLUMNS or set(table["scene"]) != set(TITLES) or table.isna().any(axis=None):
        raise InputError(path, f"is not Figure 1's densities of the scenes {', '.join(TITLES)}", remedy)
    return {scene: table[table["scene"] == scene] for scene in TITLES}


def total_variation(densities: pd.DataFrame, one: str, other: str) -> float:
    """Half the area between two curves: 0 if they agree, 1 if they do not overlap."""
    width = np.diff(densities["response"]).mean()
    return float((densities[one] - densities[other]).abs().sum() * width / 2)


def draw(axis: Axes, densities: pd.DataFrame, curves: dict[str, tuple[str, dict]], filled: dict[str, str]) -> None:
    """Curves by column, with their label and style; the filled ones with their colour under the line."""
    at = densities["response"]
    for column, colour in filled.items():
        axis.fill_between(at, densities[column], color=colour, alpha=0.16, linewidth=0)
    for column, (label, look) in curves.items():
        axis.plot(at, densities[column], label=label, **look)
    axis.set_yticks([])
    axis.set_xticks([])
    axis.grid(False)
    axis.spines["left"].set_visible(False)


def note(axis: Axes, text: str) -> None:
    axis.text(0.015, 0.97, text, transform=axis.transAxes, va="top", color=style.MUTED, fontsize=8.5, linespacing=1.5)


def figure(scenes: dict[str, pd.DataFrame]) -> style.Figure:
    """A column per scene: above, what the pairs are drawn from; below, the policies that DPO makes of them."""
    drawn, axes = style.panels(2, len(scenes), 2.3, sharex=True)
    above = {
        "reference": ("reference", {"color": style.MUTED, "linewidth": 0.9}),
        "chosen": ("chosen", {"color": style.CHOSEN}),
        "rejected": ("rejected", {"color": style.REJECTED}),
        "other_rejected": ("other rejected", {"color": style.INK, "linestyle": DASHED, "linewidth": 1.3}),
    }
    below = {
        "chosen": ("chosen", {"color": style.CHOSEN, "linewidth": 0.9}),
        "policy": ("policy", {"color": POLICY, "linewidth": 2.4}),
        "other_policy": (
            "other policy",
            {"color": style.INK, "linestyle": DASHED, "linewidth": 1.3},
        ),
    }
    for column, (scene, densities) in enumerate(scenes.items()):
        draw(axes[0][column], densities, above, {"chosen": style.CHOSEN, "rejected": style.REJECTED})
        draw(axes[1][column], densities, below, {"policy": POLICY})
        axes[0][column].set_title(TITLES[scene])
        for row, (one, other, what) in enumerate(
            [("rejected", "other_rejected", "the two rejected"), ("policy", "other_policy", "the two policies")]
        ):
            note(axes[row][column], f"total variation of\n{what}: {total_variation(densities, one, other):.2f}")
        axes[1][column].set_xlabel("responses")
    for row, curves in zip(axes, (above, below), strict=True):
        for axis in row:
            axis.set_ylim(0, 1.08 * scenes["overlap"][list(curves)].to_numpy().max())
        row[0].legend(loc="upper right", fontsize=8)
    axes[0][0].set_ylabel("the data")
    axes[1][0].set_ylabel("after DPO")
    style.heading(
        drawn,
        "When the rejected do not matter, and when they do",
        "Densities over responses. A policy is the reference times (chosen / rejected) to the power 1 / beta, here 10: "
        "the minimiser of DPO's loss.",
    )
    return drawn


def main() -> None:
    draw_table("studies.what_matters.figures.figure1", __doc__, lambda path: figure(read_picture(path)))


if __name__ == "__main__":
    cli.run(main)
