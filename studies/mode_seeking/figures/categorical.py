"""The paper's example: how the mass of four bins moves to its target under the two KL divergences."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

BINS = [f"bin_{at}" for at in range(1, 5)]
COLUMNS = ["gradient", "objective", "time", *BINS, "total_variation"]
LOOKS = {
    "forward KL": {"color": style.CHOSEN, "linestyle": "solid"},
    "reverse KL": {"color": style.REJECTED, "linestyle": style.DASHED},
}
SAYS = {"forward KL": "forward KL: maximum likelihood, covers modes", "reverse KL": "reverse KL: seeks modes"}
PANELS = {"bin_3": "bin 3: too little mass, which must enter", "bin_2": "bins 2 and 4: too much mass, which must leave"}
LAST = 12.0


def figure(table: pd.DataFrame) -> style.Figure:
    """Panels for a bin that gains, bins that lose, and the distance to the target, all in logits."""
    rows = table[(table["gradient"] == "logits") & (table["time"] <= LAST)]
    drawn, axes = style.panels(1, 3, 2.8)
    titles = PANELS | {"total_variation": "all bins: what is left to move"}
    for axis, (column, title) in zip(axes[0], titles.items(), strict=True):
        for objective, look in LOOKS.items():
            line = rows[rows["objective"] == objective]
            axis.plot(line["time"], line[column], **look)
        axis.set_title(style.titled(title, style.WIDTH / 3 - 0.5))
        axis.set_ylim(bottom=0)
        axis.set_xlabel("gradient steps × learning rate")
    axes[0][0].set_ylabel("mass")
    style.heading(
        drawn,
        "Which divergence moves mass faster?",
        "From (.3, .3, .1, .3) to (.2, .1, .6, .1), by gradient flow in softmax logits, exactly. Under reverse KL "
        "every logit's rate has the bin's own mass as a factor: it leaves full bins sooner than it enters empty ones.",
        [style.entry(SAYS[objective], **look) for objective, look in LOOKS.items()],
    )
    return drawn


def main() -> None:
    draw_table("studies.mode_seeking.figures.categorical", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
