"""The format of a study's section, results/sections/<study>.html, and the step that makes a generic one.

A section is an HTML fragment: its headline figure, if it has one, then ``<section id="<study>.<name>">`` elements that
each begin with an <h2>. Ids begin with the study's name and a dot, so that those of two studies never collide.

The generic section has the first figure as its headline; the tables follow, each with its name, then the other figures.
A study with more to say has a step of its own.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.tables import write_text
from scripts.report.html import environment, figures_of
from scripts.report.table import table_of

LINK = re.compile(r'<section id="([^"]+)">\s*<h2>(.*?)</h2>', re.DOTALL)
REMEDY = "delete it and run snakemake again"


@dataclass(frozen=True)
class Section:
    """A study's part of the page. links: (id, name) of its sections, named by their headings up to a colon."""

    headline: Markup
    body: Markup
    links: list[tuple[str, Markup]]

    @property
    def lowered(self) -> Markup:
        """The body with its headings one level down, for a page on which the study itself has a heading."""
        return Markup(re.sub(r"(</?h)([2-5])\b", lambda tag: f"{tag[1]}{int(tag[2]) + 1}", self.body))


def read_section(path: Path) -> Section:
    """Read one study's section, as made by its step."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"not readable ({error})", REMEDY) from error
    at = text.find("<section")
    if at < 0:
        raise InputError(path, "holds no <section>", REMEDY)
    links = [(anchor, Markup(heading.partition(":")[0])) for anchor, heading in LINK.findall(text)]
    return Section(Markup(text[:at]), Markup(text[at:]), links)


def render(study: str, title: str, tables: list[Path], figures: list[Path]) -> str:
    """The generic section."""
    return (
        environment()
        .get_template("section.html")
        .render(
            study=study,
            title=title,
            tables={path.stem: table_of(path) for path in tables},
            figures=list(figures_of(figures).values()),
        )
    )


def main() -> None:
    parser = cli.parser_of("scripts.report.section", __doc__)
    parser.add_argument("--title", required=True, help="the section's heading")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="CSV files, in the page's order")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="SVG files; the first is the headline")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    write_text(render(arguments.out.stem, arguments.title, arguments.tables, arguments.figures), arguments.out)


if __name__ == "__main__":
    cli.run(main)
