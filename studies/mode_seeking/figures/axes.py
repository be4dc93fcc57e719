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
FAR = 0.25
"""The reward by which a method differs from the mean of its kind to be named in the figure."""
MEANS = {"far": "optimum where the reference has little mass", "near": "optimum where the reference has much mass"}


def sources(table: pd.DataFrame) -> dict[tuple[str, int], str]:
    """(whose samples, reuse) -> its name on the axis, from fixed samples to those of every step."""
    offline = sorted({each for each in table[table["samples_from"] == "reference"]["reuse"]})
    policy = sorted({each for each in table[table["samples_from"] == "policy"]["reuse"]}, reverse=True)
    named = {("reference", each): "reference's,\ndrawn once" for each in offline}
    return named | {
        ("policy", each): "own, at\nevery step" if each == 1 else f"own, every\n{each} steps" for each in policy
    }


def apart(mean: list[float], heights: list[float]) -> int | None:
    """The end of a line at which it is far from the mean of its kind, and is named; None if it is near at both."""
    ends = (0, len(mean) - 1)
    farthest = max(ends, key=lambda place: abs(heights[place] - mean[place]))
    return farthest if abs(heights[farthest] - mean[farthest]) > FAR else None


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
            mean = lines.mean()
            for name, line in lines.iterrows():
                heights = [line.get(each) for each in at]
                axis.plot(range(len(at)), heights, color=look["color"], linewidth=0.8, alpha=0.4)
                if (place := apart([mean[each] for each in at], heights)) is not None:
                    align = "left" if place == len(at) - 1 else "right"
                    words = {"ha": align, "va": "center", "fontsize": 7.5, "color": look["color"]}
                    axis.text(place + (0.06 if align == "left" else -0.06), heights[place], name, **words)
            axis.plot(range(len(at)), [mean[each] for each in at], linewidth=3, markersize=7, **look)
        axis.axhline(of_optimum["start"].iloc[0], color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
        axis.set_xticks(range(len(at)), at.values(), fontsize=7.5)
        axis.set_title(style.titled(MEANS.get(optimum, optimum), style.WIDTH / len(optima) - 0.6))
        axis.set_xlim(-0.45, len(at) - 0.55)
        axis.set_ylim(0, 1.02)
    axes[0][0].set_ylabel("expected reward after training, at most 1")
    drawn.supxlabel("whose samples are learnt from", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "Own samples, and pushing bad ones down: what moves a policy?",
        "A small GPT earns more the nearer its tokens are to an optimum; all methods take as many gradient steps. "
        f"Thick: the mean of a kind; thin: each method, named if far from it. {table['n_seeds'].max()} seeds.",
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
