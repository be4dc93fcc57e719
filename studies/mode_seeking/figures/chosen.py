"""DPO on fixed pairs: what happens to the chosen response where the rejected is like it, and where it is not."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

COLUMNS = ["different", "n_seeds", "step", "chosen", "rejected"]
LOOKS = {
    "chosen": {"color": style.CHOSEN, "linestyle": "solid"},
    "rejected": {"color": style.REJECTED, "linestyle": style.DASHED},
}


def figure(table: pd.DataFrame) -> style.Figure:
    """A panel for each number of tokens in which the two responses of a pair differ."""
    counts = list(dict.fromkeys(table["different"]))
    drawn, axes = style.panels(1, len(counts), 2.6, sharey=True)
    for axis, different in zip(axes[0], counts, strict=True):
        rows = table[table["different"] == different]
        for name, look in LOOKS.items():
            axis.plot(rows["step"], rows[name], **look)
        axis.axhline(0, color=style.MUTED, linewidth=0.9)
        axis.set_title("one token differs" if different == 1 else f"{different} tokens differ")
        axis.set_xlabel("gradient steps")
    axes[0][0].set_ylabel("change of log-prob, nats")
    style.heading(
        drawn,
        "Does pushing the rejected down raise the chosen?",
        "DPO on fixed pairs of the reference's samples. A network ties responses that are alike: the chosen follows a "
        f"rejected response that is like it. Mean over {table['n_seeds'].max()} seeds.",
        [style.entry(name, **look) for name, look in LOOKS.items()],
    )
    return drawn


def main() -> None:
    draw_table("studies.mode_seeking.figures.chosen", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
