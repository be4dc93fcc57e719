"""What the page and the studies' sections share: template environment, filters, and figures as markup."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from scripts.report.inline import inline_svg
from scripts.report.labels import benchmark

TEMPLATES = Path(__file__).parent / "templates"


def points(value: float | None, places: int = 2) -> str:
    """A number with ``places`` decimals and a true minus sign; a dash if there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:z,.{places}f}".replace("-", "−")


def short(value: float | None) -> str:
    """A number of any size to three figures with a true minus sign; a dash if there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.3g}".replace("-", "−")


def words(name: str) -> str:
    return str(name).replace("_", " ")


def fact(value: Any) -> str:
    """A card's entry as text: whole numbers with separators, a mapping as its items."""
    if isinstance(value, dict):
        return ", ".join(f"{words(key)} {fact(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(fact(item) for item in value)
    if isinstance(value, float) and value != int(value):
        return points(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def environment(*folders: Path) -> jinja2.Environment:
    """Templates from the given folders and the shared ones; everything inserted is escaped, except our own markup."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable] = {
        "points": points,
        "short": short,
        "words": words,
        "fact": fact,
        "benchmark": benchmark,
    }
    found.filters.update(filters)
    return found


def figures_of(paths: Iterable[Path]) -> dict[str, Markup]:
    """Figure -> its SVG as a part of the page."""
    return {path.stem: Markup(inline_svg(path)) for path in paths}
