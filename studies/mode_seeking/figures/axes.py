"""The summary on two axes: whose samples methods learn from, and whether they push down what is bad."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows

COLUMNS = ["optimum", "method", "negative_gradient", "samples_from", "reuse", "n_seeds", "start", "reward", "reward_se"]
LOOKS = {
    "no": {"color": style.CHOSEN, "marker": "o"},
    "yes": {"color": style.REJECTED, "marker": "s"},
}
SAYS = {
    "no": "push up good samples: maximum likelihood",
    "yes": "also push down bad ones: negative gradient",
}
MEANS = {"far": "optimum where the reference has little mass", "near": "optimum where the reference has much mass"}


def sources(table: pd.DataFrame) -> dict[tuple[str, int], str]:
    """(whose samples, reuse) -> its name on the axis, from fixed samples to those of every step."""
    offline = sorted({each for each in table[table["samples_from"] == "reference"]["reuse"]})
    policy = sorted({each for each in table[table["samples_from"] == "policy"]["reuse"]}, reverse=True)
    named = {("reference", each): "reference's,\ndrawn once" for each in offline}
    return named | {
        ("policy", each): "own, at\nevery step" if each == 1 else f"own, every\n{each} steps" for each in policy
    }


def figure(table: pd.DataFrame) -> style.Figure:
    """A panel for each optimum: a thin line for each method, a thick one for the mean of each kind."""
    optima = list(dict.fromkeys(table["optimum"]))
    drawn, axes = style.panels(1, len(optima), 3.3, sharey=True)
    at = sources(table)
    for axis, optimum in zip(axes[0], optima, strict=True):
        of_optimum = table[table["optimum"] == optimum]
        for negative, look in LOOKS.items():
            rows = of_optimum[of_optimum["negative_gradient"] == negative]
            lines = rows.pivot_table(index="method", columns=["samples_from", "reuse"], values="reward", sort=False)
            for _, line in lines.iterrows():
                axis.plot(
                    range(len(at)), [line.get(each) for each in at], color=look["color"], linewidth=0.8, alpha=0.4
                )
            axis.plot(range(len(at)), [lines[each].mean() for each in at], linewidth=3, markersize=7, **look)
        axis.axhline(of_optimum["start"].iloc[0], color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
        axis.set_xticks(range(len(at)), at.values(), fontsize=7.5)
        axis.set_title(style.titled(MEANS.get(optimum, optimum), style.WIDTH / len(optima) - 0.6))
        axis.set_ylim(0, 1.02)
    axes[0][0].set_ylabel("expected reward after training, at most 1")
    drawn.supxlabel("whose samples are learnt from", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "Own samples, and pushing bad ones down: what moves a policy?",
        "A small GPT on a bandit; all methods take as many gradient steps. Thick: the mean of the methods of a kind; "
        f"thin: each of them, mean over {table['n_seeds'].max()} seeds.",
        [
            *(style.entry(SAYS[negative], **look) for negative, look in LOOKS.items()),
            style.entry("the reference", color=style.MUTED, linewidth=0.9, linestyle=style.DASHED),
        ],
    )
    return drawn


def main() -> None:
    draw_table("studies.mode_seeking.figures.axes", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
