"""Figure: training curves, one line per pairs dataset: the mean over seeds, with a band from lowest to highest."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.lib.lineage import Run, without_draw
from scripts.lib.names import PairsName, add_names, name_of
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.report import style
from scripts.report.labels import wrapped
from scripts.report.names import in_order

CURVES = {
    "loss": "loss",
    "chosen_logp": "log-prob of chosen",
    "rejected_logp": "log-prob of rejected",
    "margin": "reward margin",
}
SMOOTHING = 20
"""Each point is the mean of 1/SMOOTHING of the steps around it."""

LABEL, NAME = 18, 24
"""The most characters per line left and right of a row of panels."""

LINE = 10.5
"""Points from one line of a legend to the next."""

POINTS = 120
"""The most points per curve."""

OTHERS = (*style.SERIES, style.MUTED)
NamedRun = tuple[PairsName, tuple[str, pd.DataFrame]]
"""The name of a run's pairs; the run's variant and its training table."""
Lines = dict[str, tuple[str, list[pd.DataFrame]]]
"""Configuration -> its colour and the tables of its runs, one per seed."""


def smooth(values: np.ndarray) -> np.ndarray:
    """Moving average of the values (steps,), the window truncated at both ends."""
    reach = len(values) // SMOOTHING // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def groups(runs: list[NamedRun]) -> dict[str, Lines]:
    """Panel rows: title -> configuration -> (colour, the tables of its runs).

    Runs with rejected worst are coloured by their chosen tier, runs with chosen best by their rejected tier; best/worst
    is in both. Runs that vary something else have rows of their own: gaps, mixtures, other training.
    """
    found: dict[str, Lines] = {}
    usual = Counter(variant for _, (variant, _) in runs).most_common(1)[0][0]
    for name, (variant, table) in runs:
        rows: dict[str, str | None] = {}
        if variant != usual:
            rows[variant.replace("_", " ")] = None
        elif name.on_policy:
            rows["on-policy mixtures"] = None
        else:
            if name.rejected == "worst":
                rows["chosen varies"] = style.CHOSEN_TIERS.get(name.chosen)
            if name.chosen == "best":
                rows["rejected varies"] = style.REJECTED_TIERS.get(name.rejected)
        for group, colour in (rows or {"other pairs": None}).items():
            row = found.setdefault(f"{name.dataset}\n{group}", {})
            colour = colour or OTHERS[len(row) % len(OTHERS)]
            row.setdefault(name.configuration, (colour, []))[1].append(table)
    datasets = list(dict.fromkeys(name.dataset for name, _ in runs))
    return dict(sorted(found.items(), key=lambda row: (datasets.index(row[0].split("\n")[0]), row[0])))


def draw(axis: Axes, column: str, lines: Lines) -> None:
    for colour, tables in lines.values():
        curves = [smooth(table[column].to_numpy()) for table in tables]
        steps = min(len(curve) for curve in curves)
        at = np.unique(np.linspace(0, steps - 1, POINTS).round().astype(int))
        values = np.stack([curve[at] for curve in curves])
        if len(curves) > 1:
            axis.fill_between(at + 1, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.22, linewidth=0)
        axis.plot(at + 1, values.mean(axis=0), color=colour, linewidth=1.5)


def legend(axis: Axes, lines: dict[str, str]) -> None:
    """The names of the lines right of a panel, from its top down; lines: name on several lines -> colour."""
    down = 0
    for name, colour in lines.items():
        axis.annotate(
            name,
            (1.0, 1.0),
            xycoords="axes fraction",
            xytext=(6, -LINE * down),
            textcoords="offset points",
            color=colour,
            va="top",
            fontsize=8,
            linespacing=1.1,
        )
        down += name.count("\n") + 1


def figure(runs: list[NamedRun]) -> style.Figure:
    rows = groups(runs)
    names = {
        title: {wrapped(configuration, NAME): colour for configuration, (colour, _) in lines.items()}
        for title, lines in rows.items()
    }
    most = max(sum(name.count("\n") + 1 for name in of_row) for of_row in names.values())
    drawn, axes = style.panels(len(rows), len(CURVES), max(1.55, 0.3 + LINE / 72 * most), sharex=True)
    for row, (title, lines) in zip(axes, rows.items(), strict=True):
        for axis, column in zip(row, CURVES, strict=True):
            draw(axis, column, lines)
        row[0].set_ylabel("\n".join(wrapped(line, LABEL) for line in title.split("\n")))
        legend(row[-1], names[title])
    for axis, title in zip(axes[0], CURVES.values(), strict=True):
        axis.set_title(title)
    drawn.supxlabel("step", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "Loss, log-probs and reward margins",
        "Line: mean over seeds; band: from the lowest seed to the highest. Smoothed over a twentieth of the steps. "
        "Log-probs in nats per response.",
    )
    return drawn


def main() -> None:
    parser = cli.parser_of("scripts.report.training_curves", __doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="training tables, each named after its run")
    add_names(parser)
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    tables = {Run.parse(path.name.removesuffix(".parquet")): path for path in arguments.runs}
    one_start = len({run.start for run in tables}) == 1
    runs = []
    for run, path in tables.items():
        name = name_of(path, without_draw(run.pairs), arguments.names)
        runs.append((name if one_start else name.of_start(run.start), (run.variant, read_table(path, TRAINING))))
    with style.drawing():
        style.save(figure(in_order(runs)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
