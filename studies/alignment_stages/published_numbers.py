"""The paper's numbers: of a row as printed, and what follows from them by the rules that hold for ours."""

from pathlib import Path

from scripts.studies.files import read_published
from studies.alignment_stages.layout import KEY, OFF, ON, Row, iterations_of

START_KEY = KEY[:3]
PRINTED = ("win_rate", "lc_win_rate", "avg_length")


class Published:
    """Tables 1 to 5, in two files of a folder: by row, and by the start of an iteration."""

    def __init__(self, folder: Path) -> None:
        self.numbers = read_published(folder / "iterations.csv", KEY)
        of_starts = read_published(folder / "starts.csv", [*START_KEY, "delta"])  # a delta is text: +inf, <0.01
        self.scores = {key[:3]: found["boundary_score"] for key, found in of_starts.items()}
        self.deltas = {key[:3]: key[3] for key in of_starts}

    def of(self, row: Row) -> dict[str, object]:
        """The columns that end in ``_published``, as far as a row can have them."""
        model, objective, path = row.base.model or "", row.variant, row.path
        own = self.row(model, objective, path)
        found: dict[str, object] = {f"{name}_published": own.get(name) for name in PRINTED}
        if path:
            start = (model, objective, iterations_of(path[:-1])[0])
            found["increase_published"] = self.increase(model, objective, path)
            found["boundary_score_published"] = self.scores.get(start)
        if path[-1:] == (OFF,):
            found["delta_published"] = self.deltas.get(start)
            found["off_minus_on_published"] = self.difference(model, objective, path[:-1], OFF, ON)
        return found

    def row(self, model: str, objective: str, path: tuple[str, ...]) -> dict[str, float]:
        """Column -> number; an untrained policy's are under no objective."""
        return self.numbers.get((model, objective if path else "", *iterations_of(path)), {})

    def increase(self, model: str, objective: str, path: tuple[str, ...]) -> float | None:
        """Of the length-controlled win rate over the initial policy of the last iteration, in points."""
        here, before = (self.row(model, objective, each).get("lc_win_rate") for each in (path, path[:-1]))
        return None if here is None or before is None else here - before

    def difference(self, model: str, objective: str, start: tuple[str, ...], data: str, other: str) -> float | None:
        """The increase from a start with some data minus that with other data, in points."""
        one, two = (self.increase(model, objective, (*start, each)) for each in (data, other))
        return None if one is None or two is None else one - two
