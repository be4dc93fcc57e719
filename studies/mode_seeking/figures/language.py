"""The grid on language models: reward by whose responses are learnt from, as it is meant and as it was learnt."""

import pandas as pd

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from studies.mode_seeking.figures.axes import LOOKS, SAYS
from studies.mode_seeking.tables.language import SAMPLES_FROM, START

COLUMNS = ["reward", "method", "negative_gradient", "samples_from", "n_seeds", "true", "true_se", "proxy", "proxy_se"]
MEASURES = {"true": "reward that is meant, points", "proxy": "reward model, points"}
TICKS = ("preference\ndata", "start's,\ndrawn once", "own, at\nevery step")
PLACES = dict(zip(SAMPLES_FROM.values(), TICKS, strict=True))


def figure(table: pd.DataFrame) -> style.Figure:
    """A column for each reward: the reward itself above, the reward model below."""
    rewards = list(dict.fromkeys(table["reward"]))
    drawn, axes = style.panels(len(MEASURES), len(rewards), 2.4)
    places = [each for each in PLACES if (table["samples_from"] == each).any()]
    for row, (measure, label) in zip(axes, MEASURES.items(), strict=True):
        row[0].set_ylabel(label)
        for axis, reward in zip(row, rewards, strict=True):
            of_reward = table[table["reward"] == reward]
            start = of_reward.loc[of_reward["method"] == START, measure].iloc[0]
            axis.axhline(start, color=style.MUTED, linewidth=0.9, linestyle=style.DASHED, zorder=1)
            for negative, look in LOOKS.items():
                own = of_reward[of_reward["negative_gradient"] == negative]
                for _, line in own.groupby("method", sort=False):
                    at = [places.index(each) for each in line["samples_from"]]
                    axis.plot(at, line[measure], linewidth=0.8, markersize=4, alpha=0.55, **look)
                means = own.groupby("samples_from", sort=False)[measure].mean().reindex(places).dropna()
                axis.plot([places.index(each) for each in means.index], means, linewidth=3, markersize=7, **look)
            axis.set_xticks(range(len(places)), [PLACES[each] for each in places], fontsize=7.5)
            axis.set_xlim(-0.4, len(places) - 0.6)
            if row is axes[0]:
                axis.set_title(reward)
    seeds = int(table["n_seeds"].max())
    style.heading(
        drawn,
        "The same on language models, with length as the reward",
        "Each reward falls with the distance from a number of words; training sees a reward model of it, learnt from "
        f"preference data. Thick: the mean of the methods of a kind; thin: each of them, mean over {seeds} seeds.",
        [
            *(style.entry(SAYS[negative], **look) for negative, look in LOOKS.items()),
            style.entry("before training", color=style.MUTED, linewidth=0.9, linestyle=style.DASHED),
        ],
    )
    return drawn


def main() -> None:
    draw_table("studies.mode_seeking.figures.language", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
