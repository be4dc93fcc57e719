"""Figures 8 and 9: the loss of reward models and DPO policies on their own pairs along training."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from studies.three_d.figures.figure5 import panels_of


def figure(path: Path) -> style.Figure:
    return panels_of(
        path,
        "loss",
        "loss, nats",
        "Reward model and DPO on the pairs that they learn from",
        "The loss of each step's pairs, before its update. From the second epoch on every pair has been seen before.",
    )


def main() -> None:
    draw_table("studies.three_d.figures.figure8", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
