"""Embeds figures in the page: their SVG without what only a file needs, in the page's colours."""

import re
from pathlib import Path

from scripts.lib.errors import InputError
from scripts.report.style import CHOSEN, CHOSEN_TIERS, FAINT, INK, MUTED, PAPER, REJECTED, REJECTED_TIERS

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    FAINT: "line",
    PAPER: "paper",
    CHOSEN: "chosen",
    REJECTED: "rejected",
    CHOSEN_TIERS["best"]: "chosen-deep",
    REJECTED_TIERS["worst"]: "rejected-deep",
}
"""Colours of figures that follow the page's light or dark background -> the names of CSS variables."""


def inline_svg(path: Path) -> str:
    """The <svg> element of <study>/<figure>.svg: ids prefixed with both names, colours as variables, no fixed size."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"not readable as SVG ({error})", "delete it and run snakemake again") from error
    found = re.search(r"<svg\b.*</svg>", text, flags=re.DOTALL)
    if not found:
        raise InputError(path, "holds no <svg> element", "delete it and run snakemake again")
    svg = re.sub(r"<metadata>.*?</metadata>|<style\b.*?</style>", "", found[0], flags=re.DOTALL)
    prefix = re.sub(r"[^\w.-]", "-", f"{path.parent.name}.{path.stem}.")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}\1"', svg)
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'style="[^"]*"', lambda style: _in_page_colours(style[0]), svg)
    return re.sub(r">\s+<", "><", svg)


def _in_page_colours(style: str) -> str:
    for colour, variable in VARIABLES.items():
        style = style.replace(colour, f"var(--{variable})")
    return style
