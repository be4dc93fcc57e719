"""Claims as shown on the page: each with its parts and a small drawing of its interval; counts of verdicts."""

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from scripts.lib.claims import VERDICTS

WIDTH, HEIGHT, MARGIN = 150.0, 18.0, 6.0


@dataclass(frozen=True)
class Bar:
    """Positions of an interval, its value, zero and the published value, in pixels of a WIDTH x HEIGHT drawing."""

    low: float
    high: float
    measured: float
    zero: float
    published: float | None


@dataclass
class ClaimView:
    """A row of claims.csv, its bar, and its parts: the claims whose name extends its own."""

    row: dict
    label: str
    bar: Bar
    parts: list["ClaimView"] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Computed, not sampled: the interval is the number itself, and the published value is a prediction."""
        return self.row["ci_low"] == self.row["ci_high"]


def tally(views: list[ClaimView]) -> dict[str, int]:
    """Verdict -> number of claims with it; parts are not counted."""
    counts = Counter(view.row["verdict"] for view in views)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def arrange(table: pd.DataFrame) -> list[ClaimView]:
    """The claims in the table's order, each part under the claim whose name it extends after a dot."""
    rows = [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in table.to_dict("records")
    ]
    names = {(row["study"], row["claim"]) for row in rows}
    tops = [row for row in rows if (row["study"], row["claim"].rpartition(".")[0]) not in names]
    views = []
    for top in tops:
        parts = [r for r in rows if (r["study"], r["claim"].rpartition(".")[0]) == (top["study"], top["claim"])]
        scale = _scale(parts)
        views.append(
            ClaimView(
                top,
                top["statement"],
                _bar(top, _scale([top])),
                [ClaimView(row, row["claim"].rpartition(".")[2], _bar(row, scale)) for row in parts],
            )
        )
    return views


def _scale(rows: list[dict]) -> tuple[float, float]:
    values = [0.0, *(row[key] for row in rows for key in ("ci_low", "ci_high", "measured", "published"))]
    known = [value for value in values if value is not None]
    return min(known), max(known)


def _bar(row: dict, scale: tuple[float, float]) -> Bar:
    low, high = scale

    def at(value: float) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (value - low) / ((high - low) or 1.0), 1)

    published = None if row["published"] is None else at(row["published"])
    return Bar(at(row["ci_low"]), at(row["ci_high"]), at(row["measured"]), at(0.0), published)
