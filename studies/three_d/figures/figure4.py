"""Figure 4: answers as beta of the rejected responses varies, that of the chosen fixed."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from studies.three_d.measured import POINTS

LOOKS = dict(zip(POINTS, (("5 points", style.CHOSEN), ("4 or 5 points", style.SERIES[0])), strict=True))


def figure(path: Path) -> style.Figure:
    """A panel per test set."""
    table = read_rows(path, ["test_set", "beta_rejected", *POINTS, *(f"{each}_se" for each in POINTS)])
    groups = list(table.groupby("test_set", sort=False))
    drawn, (axes,) = style.panels(1, len(groups), 2.3)
    for axis, (test_set, rows) in zip(axes, groups, strict=True):
        rows = rows.sort_values("beta_rejected")
        for points, (_, colour) in LOOKS.items():
            axis.errorbar(
                rows["beta_rejected"], rows[points], rows[f"{points}_se"], color=colour, marker=".", capsize=2
            )
        axis.set_title(f"in place of {test_set}")
        axis.set_xlabel("beta of the rejected")
    axes[0].set_ylabel("answers, %")
    style.heading(
        drawn,
        "Flex-DPO: a smaller beta for the rejected",
        "The highest beta is plain DPO. Bars: one standard error over questions and runs.",
        [style.entry(label, color=colour) for label, colour in LOOKS.values()],
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.figure4", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
