"""Code shared by the tests of figures, sections and the page."""

from html.parser import HTMLParser
from pathlib import Path

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
