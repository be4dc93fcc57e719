"""Figure of Tables 1, 3 and 5: the length-controlled win rate along the paths of two iterations."""

import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.labels import listed, repeats
from scripts.report.table import read_rows
from studies.alignment_stages.layout import BLEND, OFF, ON, PATHS

COLUMNS = ["policy", "objective", "iteration_1", "iteration_2", "lc_win_rate", "lc_win_rate_se", "n_seeds"]
COLOURS = {OFF: style.SERIES[2], ON: style.SERIES[3], BLEND: style.SERIES[0]}
KEY = (
    style.entry("trained off-policy", color=COLOURS[OFF], marker="o"),
    style.entry("trained on its own samples", color=COLOURS[ON], marker="o"),
    style.entry("on a blend of both", color=COLOURS[BLEND], marker="o"),
    style.entry("before training", color=style.MUTED, marker="o", linestyle=""),
)
TICKS = ["before", "1", "2"]


BESIDE = 0.05
"""How far policies of one iteration are drawn apart, so that their bars do not cover each other."""


def place(path: tuple[str, ...]) -> float:
    """Where a policy stands on the axis of iterations."""
    alike = [each for each in PATHS if len(each) == len(path)]
    return len(path) + BESIDE * (alike.index(path) - (len(alike) - 1) / 2)


def path_of(row: dict) -> tuple[str, ...]:
    return tuple(each for each in (row["iteration_1"], row["iteration_2"]) if pd.notna(each) and each)


def draw(axis: Axes, rows: pd.DataFrame) -> None:
    """One policy and one objective: a line from each start to what it becomes, in the colour of its data."""
    at = {path_of(row): row for row in rows.to_dict("records")}
    for path in PATHS:
        colour = COLOURS[path[-1]] if path else style.MUTED
        value, error = at[path]["lc_win_rate"], at[path]["lc_win_rate_se"]
        if path:
            ends = [at[path[:-1]]["lc_win_rate"], value]
            axis.plot([place(path[:-1]), place(path)], ends, color=colour, linewidth=1.4)
        axis.errorbar(place(path), value, yerr=error, color=colour, marker="o", markersize=5, elinewidth=1.1, zorder=3)
    axis.set_xticks(range(len(TICKS)), TICKS)
    axis.set_xlim(-0.25, 2.25)


def figure(table: pd.DataFrame) -> style.Figure:
    """A row of panels per objective, a panel per policy; a row has one axis."""
    policies, objectives = (list(dict.fromkeys(table[each])) for each in ("policy", "objective"))
    drawn, axes = style.panels(len(objectives), len(policies), 2.3, sharex=True, sharey="row")
    for row, objective in zip(axes, objectives, strict=True):
        for axis, policy in zip(row, policies, strict=True):
            draw(axis, table[(table["policy"] == policy) & (table["objective"] == objective)])
            title = style.titled(f"{policy}, {objective}", style.WIDTH / len(policies) - 0.6)
            axis.set_title(title)
        row[0].set_ylabel("win rate, points")
    drawn.supxlabel("iteration", fontsize=8.5, color=style.MUTED)
    trained = table[table["iteration_1"].notna()]
    over = repeats(trained["n_seeds"], trained["n_draws"])
    style.heading(
        drawn,
        "Which data next: others' pairs, pairs of the policy's own samples, or a blend?",
        f"Length-controlled win rate of {listed(policies)} after each iteration. Bars: ± 1 standard error over {over}.",
        KEY,
    )
    return drawn


def main() -> None:
    draw_table("studies.alignment_stages.figures.iterations", __doc__, lambda path: figure(read_rows(path, COLUMNS)))


if __name__ == "__main__":
    cli.run(main)
