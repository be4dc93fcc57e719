"""Figure 3: the four scenarios: initial likelihoods, and likelihoods along training with DPO."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from studies.three_d.figures import curves

TITLES = {
    1: "1: both on-policy",
    2: "2: chosen off-policy",
    3: "3: rejected off-policy",
    4: "4: both off-policy",
}
GROUPS = {"chosen": style.CHOSEN, "rejected": style.REJECTED, "unseen": curves.UNSEEN}


def figure(path: Path) -> style.Figure:
    """A column per scenario: above, where a response of each group starts; below, how likelihoods go."""
    table = curves.read_curves(path)
    drawn, axes = style.panels(2, len(TITLES), 1.7, sharey="row")
    for column, (scenario, title) in enumerate(TITLES.items()):
        rows = curves.of(table, "dpo", scenario)
        first = rows.iloc[0]
        heights = [first["chosen"], first["rejected"], first["unseen"] / 2]
        axes[0][column].bar(list(GROUPS), heights, color=list(GROUPS.values()), width=0.6)
        axes[0][column].set_title(title)
        axes[0][column].tick_params(axis="x", labelsize=7)
        curves.draw(axes[1][column], rows)
        axes[1][column].set_xlabel("epoch")
    axes[0][0].set_ylabel("one response, at first")
    axes[1][0].set_ylabel("likelihood")
    style.heading(
        drawn,
        "Four scenarios of the toy model under DPO",
        "On-policy: an initial likelihood of 0.12 a response; off-policy: 0.02. Means over seeds.",
        curves.KEY,
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.figure3", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
