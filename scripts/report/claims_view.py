"""Claims as shown on the page: each with its parts and a small drawing of its interval, grouped by verdict."""

from dataclasses import dataclass, field

import pandas as pd

from scripts.lib.claims import VERDICTS

WIDTH, HEIGHT, MARGIN = 150.0, 18.0, 6.0
MOST = 12
"""The most findings that stand above the picture; further ones are folded."""


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
    def verdict(self) -> str:
        return self.row["verdict"]

    @property
    def by_verdict(self) -> dict[str, list["ClaimView"]]:
        """Its parts by their verdicts."""
        return grouped(self.parts)


@dataclass(frozen=True)
class Answers:
    """What a study found: its claims about data, and apart from them its theorems, which are no findings."""

    findings: list[ClaimView]
    theorems: list[ClaimView]

    @property
    def has_one_seed(self) -> bool:
        """Whether no claim knows how far apart two runs are."""
        return self.has_one_draw and all(view.row["n_seeds"] == 1 for view in self.findings)

    @property
    def has_one_draw(self) -> bool:
        """Whether no claim knows how far apart two draws of the data are."""
        return bool(self.findings) and all(view.row["n_draws"] == 1 for view in self.findings)

    @property
    def is_undecided(self) -> bool:
        return bool(self.findings) and all(view.verdict == "undecided" for view in self.findings)

    @property
    def by_verdict(self) -> dict[str, list[ClaimView]]:
        return grouped(self.findings)

    @property
    def theorems_by_verdict(self) -> dict[str, list[ClaimView]]:
        return grouped(self.theorems)


def answers(views: list[ClaimView]) -> Answers:
    return Answers(
        [view for view in views if view.row["kind"] == "finding"],
        [view for view in views if view.row["kind"] == "theorem"],
    )


def grouped(views: list[ClaimView]) -> dict[str, list[ClaimView]]:
    """Verdict -> the claims that have it, in their order; parts are not counted, verdicts of no claim left out."""
    by_verdict = {verdict: [view for view in views if view.verdict == verdict] for verdict in VERDICTS}
    return {verdict: of_verdict for verdict, of_verdict in by_verdict.items() if of_verdict}


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
