"""Code shared by the tests of figures, sections and the page."""

import itertools
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from matplotlib.text import Text

NASTY = "<script>alert('1')</script> & \"co\" $x_"
"""A name that must be displayed exactly as given."""


def run(monkeypatch, main, *arguments):
    monkeypatch.setattr("sys.argv", ["step", *map(str, arguments)])
    main()


def both(folder: Path, name: str) -> list[Path]:
    """A figure's two files."""
    return [folder / f"{name}.svg", folder / f"{name}.png"]


class Checker(HTMLParser):
    """Tags are balanced, ids are unique, links have targets, and nothing is loaded from elsewhere."""

    void = frozenset({"meta", "link", "br", "img", "path", "circle", "rect", "use", "line"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.feed(html)
        assert not self.open
        assert len(self.ids) == len(set(self.ids))
        assert set(self.links) <= set(self.ids)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        for name in ("href", "src", "xlink:href"):
            target = values.get(name) or ""
            assert not target or target.startswith(("#", "data:image/png;base64")), values
            self.links += [target[1:]] if target.startswith("#") else []
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag, tag


def checked(path: Path) -> str:
    """The HTML in a file, checked by Checker."""
    html = path.read_text(encoding="utf-8")
    Checker(html)
    assert "url(http" not in html and "@import" not in html and "<script" not in html
    return html


def assert_legible(figure) -> None:
    """No text of a figure lies over another text or over a line, and none is cut off at an edge."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown_texts(figure)]
    boxes = [(text, box.padded(-0.6)) for text, box in boxes]  # an edge may touch
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.overlaps(second), (one, other)
    points = np.concatenate([np.empty((0, 2)), *(line for axis in figure.axes for line in lines_of(axis))])
    for text, box in boxes:
        inside = (points > box.min).all(axis=1) & (points < box.max).all(axis=1)
        assert not inside.any(), text


def shown_texts(figure) -> list[Text]:
    """The texts that are drawn: ticks outside their axis have names that are not."""
    hidden = set()
    for axis in figure.axes:
        for each in (axis.xaxis, axis.yaxis):
            low, high = sorted(each.get_view_interval())
            for tick in (*each.get_major_ticks(), *each.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    hidden |= {tick.label1, tick.label2}
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]


def lines_of(axis) -> list[np.ndarray]:
    """Points along every line and bar of a panel, in pixels, a pixel or so apart."""
    paths = [line.get_transform().transform(line.get_xydata()) for line in axis.lines if line.get_visible()]
    for bars in axis.collections:
        if hasattr(bars, "get_segments"):
            paths += [bars.get_transform().transform(segment) for segment in bars.get_segments()]
    return [_filled(path[np.isfinite(path).all(axis=1)]) for path in paths]


def _filled(path: np.ndarray) -> np.ndarray:
    steps = [np.linspace(a, b, 2 + int(np.abs(b - a).max())) for a, b in itertools.pairwise(path)]
    return np.concatenate([path, *steps])
