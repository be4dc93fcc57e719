"""The look of figures, and how they are saved: equal data give equal bytes (promise P2).

A few colours have the same meaning everywhere: blue is the chosen response, vermilion the rejected, a ramp from grey to
blue the tiers. They are distinguishable for colour-blind readers, in print, and on a dark background.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError

INK, MUTED, FAINT, PAPER = "#1f2430", "#6b7280", "#d5d9e0", "#ffffff"
CHOSEN, REJECTED = "#1b6fb5", "#d9541e"
CHOSEN_TIERS = {"worst": "#9aa1ab", "low": "#86aecb", "medium": "#559bcf", "high": "#2479b8", "best": "#12507f"}
REJECTED_TIERS = {"worst": "#8f3412", "low": "#cf4c19", "medium": "#e58250", "high": "#e0a98b", "best": "#b9a9a0"}
SERIES = ("#2a9d76", "#8e5aa8", "#b98a12", "#5b6bc0", "#8a6d5a")
"""For everything that is neither chosen nor rejected."""
WIDTH = 9.6
"""Inches: the width of the page's column without scrolling."""

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "none",
    "axes.labelsize": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.dpi": 180,
    "svg.fonttype": "none",
    "svg.hashsalt": "prefatlas",
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the project's style, whatever the user's matplotlibrc says; close all figures at the end."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        try:
            yield
        finally:
            plt.close("all")


def panels(rows: int, columns: int, height: float, **options) -> tuple[Figure, list[list[Axes]]]:
    """A figure of the page's width with rows x columns panels, ``height`` inches per row and 0.6 for the heading."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows + 0.6), squeeze=False, layout="constrained", **options
    )
    figure.get_layout_engine().set(w_pad=0.07, h_pad=0.06, wspace=0.03, hspace=0.05)
    return figure, [list(row) for row in axes]


def heading(figure: Figure, title: str, subtitle: str = "") -> None:
    """A title at the left, and below it a note on how to read the figure."""
    figure.suptitle(title, x=0.008, ha="left", fontsize=12, fontweight="bold")
    if subtitle:
        figure.text(0.008, _below_title(figure), subtitle, ha="left", va="top", fontsize=8.5, color=MUTED)
        figure.get_layout_engine().set(rect=(0, 0, 1, _below_title(figure) + 0.005))


def _below_title(figure: Figure) -> float:
    return 1 - 0.36 / figure.get_figheight()


def save(figure: Figure, outputs: Iterable[Path]) -> None:
    """Write the figure as .svg and .png files, without dates and versions."""
    for path in outputs:
        kind = path.suffix.removeprefix(".")
        if kind not in ("svg", "png"):
            raise InputError(path, "a figure is written as .svg or .png", "name it so")
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        with replacing(path) as temporary:
            figure.savefig(temporary, format=kind, metadata=metadata)
            if kind == "svg":
                temporary.write_text(_lean(temporary.read_text(encoding="utf-8")), encoding="utf-8")


def _lean(svg: str) -> str:
    """Paths to a hundredth of a point, and no trailing spaces."""
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def grid_shape(count: int, columns: int) -> tuple[int, int]:
    """(rows, columns) for ``count`` panels, at most ``columns`` wide."""
    wide = max(1, min(count, columns))
    return -(-count // wide), wide


def flat(axes: Sequence[Sequence[Axes]], count: int) -> list[Axes]:
    """The first ``count`` panels in reading order; the others are removed from the figure."""
    found = [axis for row in axes for axis in row]
    for axis in found[count:]:
        axis.remove()
    return found[:count]
