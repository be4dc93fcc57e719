"""The look of figures, and how they are saved: equal data give equal bytes (promise P2).

A few colours have the same meaning everywhere: blue is the chosen response, vermilion the rejected, a ramp from grey to
blue the tiers. They are distinguishable for colour-blind readers, in print, and on a dark background.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError
from scripts.report.labels import OF_NAMES, wrapped

INK, MUTED, FAINT, PAPER = "#1f2430", "#6b7280", "#d5d9e0", "#ffffff"
CHOSEN, REJECTED = "#1b6fb5", "#d9541e"
CHOSEN_TIERS = {"worst": "#9aa1ab", "low": "#86aecb", "medium": "#559bcf", "high": "#2479b8", "best": "#12507f"}
REJECTED_TIERS = {"worst": "#8f3412", "low": "#cf4c19", "medium": "#e58250", "high": "#e0a98b", "best": "#b9a9a0"}
SERIES = ("#2a9d76", "#8e5aa8", "#b98a12", "#5b6bc0", "#8a6d5a")
"""For everything that is neither chosen nor rejected."""
WIDTH = 9.6
"""Inches: the width of the page's column without scrolling."""
DASHED = (0, (4, 3))
_EDGE, _HEADING = 0.08, 0.6
"""Inches: left of the heading, and its height as first drawn."""

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
    """A figure of the page's width with rows x columns panels, ``height`` inches per row, and room for the heading."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height * rows + _HEADING), squeeze=False, layout="constrained", **options
    )
    figure.get_layout_engine().set(w_pad=0.07, h_pad=0.06, wspace=0.03, hspace=0.05)
    return figure, [list(row) for row in axes]


def heading(figure: Figure, title: str, subtitle: str = "", key: Sequence[Line2D] = ()) -> None:
    """A title at the left; below it a note on how to read the figure, and the key of its lines.

    All of it stands above the panels, on as many lines as it needs: no text of it can lie over a line.
    """
    points = {"fontsize": 12, "fontweight": "bold"}, {"fontsize": 8.5, "color": MUTED}
    texts = [
        (fitted(title, WIDTH - 2 * _EDGE, 12, bold=True), points[0], 0.25),
        (fitted(subtitle, WIDTH - 2 * _EDGE, 8.5), points[1], 0.16),
    ]
    columns = _key_columns(key)
    rows = -(-len(key) // columns) if key else 0
    heights = [text.count("\n") * line + line + 0.05 if text else 0.0 for text, _, line in texts]
    height = 0.04 + sum(heights) + 0.22 * rows
    figure.set_figheight(figure.get_figheight() - _HEADING + height)
    inches = figure.get_figheight()
    down = 0.06
    for (text, look, _), taken in zip(texts, heights, strict=True):
        figure.text(_EDGE / WIDTH, 1 - down / inches, text, ha="left", va="top", linespacing=1.25, **look)
        down += taken
    if key:
        drawn = figure.legend(
            handles=key,
            ncols=columns,
            fontsize=8.5,
            loc="upper left",
            bbox_to_anchor=(_EDGE / WIDTH, 1 - (down - 0.01) / inches),
            borderpad=0,
            borderaxespad=0,
            handlelength=1.7,
            handletextpad=0.6,
            columnspacing=2.2,
            labelspacing=0.5,
        )
        for text, line in zip(drawn.get_texts(), key, strict=True):
            text.set_color(line.get_color())
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - height / inches))


def _key_columns(key: Sequence[Line2D]) -> int:
    """How many entries of the key fit side by side: all on one line, or as many as fit with equal widths."""
    widths = [text_width(str(each.get_label()), 8.5) + 0.62 for each in key]
    room = WIDTH - 2 * _EDGE
    return len(key) if sum(widths) <= room else max(1, int(room / max(widths)))


def entry(text: str, **look) -> Line2D:
    """A line of the key, drawn as the lines that it stands for: colour, marker, line style."""
    return Line2D([], [], label=text, **look)


def text_width(text: str, points: float, *, bold: bool = False) -> float:
    """Inches that a text takes at a font size in points."""
    font = FontProperties(family="DejaVu Sans", size=points, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def fitted(text: str, inches: float, points: float, *, bold: bool = False, breaks: str = " ") -> str:
    """A text on as many lines as it needs to be no wider than ``inches`` at a font size in points."""
    return wrapped(text, inches, lambda line: text_width(line, points, bold=bold), breaks)


def titled(name: str, inches: float) -> str:
    """A name as a panel's title, on lines that fit the panel."""
    return fitted(name, inches, matplotlib.rcParams["axes.titlesize"], breaks=OF_NAMES)


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
    """(rows, columns) for ``count`` panels, at most ``columns`` wide, with rows as even as possible."""
    rows = -(-count // columns)
    return rows, -(-count // rows)


def chunks(names: Sequence[str], most: int) -> list[list[str]]:
    """Names in their order, in as few parts as possible of at most ``most``, as even as possible."""
    _, wide = grid_shape(len(names), most)
    return [list(names[at : at + wide]) for at in range(0, len(names), wide)]


def blank(axis: Axes) -> None:
    """An empty panel that keeps its place, and its row's label."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def stacked(columns: Mapping[str, Sequence[Axes]]) -> None:
    """Panels one above the other, by title: one vertical axis, the title above the first, tick names under the last."""
    for title, (first, *others) in columns.items():
        first.set_title(title)
        for axis in others:
            axis.sharey(first)
        first.autoscale(axis="y")
        for axis in (first, *others)[:-1]:
            axis.tick_params(axis="x", labelbottom=False)


def across(axis: Axes) -> None:
    """A panel whose numbers run across: the grid is that of the horizontal axis, rows have names alone."""
    axis.grid(axis="x")
    axis.grid(axis="y", visible=False)
    axis.spines["left"].set_visible(False)


def flat(axes: Sequence[Sequence[Axes]], count: int) -> list[Axes]:
    """The first ``count`` panels in reading order; the others are removed from the figure."""
    found = [axis for row in axes for axis in row]
    for axis in found[count:]:
        axis.remove()
    return found[:count]
