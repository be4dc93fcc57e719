"""Over-optimisation: the true and the learned reward of Table 2's rows against their distance from the start."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

LOOKS = {"by_rules": ("by the rules", style.CHOSEN), "by_model": ("by the reward model", style.REJECTED)}


def figure(path: Path) -> style.Figure:
    """A panel per reward; a point per row that was trained online, and the start at zero."""
    table = read_rows(path, ["setting", "kl", *LOOKS, *(f"{name}_se" for name in LOOKS)])
    table.loc[table["setting"] == "Base", "kl"] = 0.0
    table = table.dropna(subset="kl").sort_values("kl")
    drawn, (axes,) = style.panels(1, len(LOOKS), 2.3)
    for axis, (name, (label, colour)) in zip(axes, LOOKS.items(), strict=True):
        axis.errorbar(
            table["kl"], table[name], table[f"{name}_se"], color=colour, marker=".", linestyle="none", capsize=2
        )
        for row in table.itertuples():
            axis.annotate(
                row.setting, (row.kl, getattr(row, name)), fontsize=6, xytext=(3, 3), textcoords="offset points"
            )
        axis.set_title(label)
        axis.set_xlabel("nats from the start")
    axes[0].set_ylabel("reward")
    style.heading(
        drawn,
        "Verses and slogans: what the reward model likes, and what the rules say",
        "Further from the start to the right. A learned reward that rises where the true one falls is over-optimised.",
        [],
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.over_optimisation", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
