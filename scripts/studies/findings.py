"""What was found, in the reader's words: a sentence that follows from the verdict, so that it cannot contradict it."""

import math
from dataclasses import dataclass

from scripts.lib.claims import Claim
from scripts.studies.verdicts import Judged


@dataclass(frozen=True)
class Words:
    """A claim in the reader's words.

    topic: what it is about; holds, fails: what was found if it does. unit: of its numbers. least: what the numbers are
    of, where a claim is judged by one of its parts: "least on GSM8K, ".
    """

    topic: str
    holds: str
    fails: str
    unit: str
    least: str = ""


def finding(words: Words, judged: Judged, n_draws: int, margin: float | None = None) -> str:
    """One sentence, with numbers, interval and unit.

    margin: of a claim of equivalence, in the same unit; 1 where the numbers are shares of margins, which have no sign.
    """
    places = places_of(judged.high - judged.low)
    value, low, high = (signed(each, places) for each in (judged.value, judged.low, judged.high))
    is_share = margin is not None and bool(words.least)
    value = value.removeprefix("+") if is_share else value
    low, high = (each.removeprefix("+") for each in (low, high))
    numbers = f"{words.least}{value} {words.unit} ({low} to {high})"
    if judged.verdict in ("holds", "fails"):
        found, where = (words.holds, "within") if judged.verdict == "holds" else (words.fails, "beyond")
        draw = ", for this draw" if n_draws == 1 else ""
        of_margin = "" if margin is None or is_share else f", {where} the margin of {margin:.{places}f}"
        return f"{found}{draw}: {numbers}{of_margin}."
    if judged.smallest is None:
        return f"{words.topic}: not decided, measured {numbers}; one run does not show training noise."
    seen = f"{judged.smallest:.{places}f}"
    if margin is None:
        return f"{words.topic}: too small to see here, measured {numbers}, could have seen {seen}."
    if judged.smallest <= margin:
        return f"{words.topic}: too near the margin to tell, measured {numbers}, the margin is {margin:.{places}f}."
    could = f"{seen} times as wide" if is_share else f"of {seen}, not of {margin:.{places}f}"
    return f"{words.topic}: too small to see here, measured {numbers}, could have confirmed a margin {could}."


def claim_of(
    study: str,
    name: str,
    statement: str,
    words: Words,
    judged: Judged,
    published: float | None,
    n_seeds: int,
    n_draws: int,
    margin: float | None = None,
) -> Claim:
    """A row of claims.csv about training runs. n_seeds: per draw of the data; margin: as in ``finding``.

    Undecided where nothing was repeated: neither draws nor, on one draw, seeds.
    """
    judged = judged.of_runs(n_draws if n_draws > 1 else n_seeds)
    return Claim(
        study=study,
        claim=name,
        statement=statement,
        finding=finding(words, judged, n_draws, margin),
        published=published,
        measured=judged.value,
        ci_low=judged.low,
        ci_high=judged.high,
        smallest=judged.smallest,
        n_seeds=n_seeds,
        n_draws=n_draws,
        kind="finding",
        verdict=judged.verdict,
    )


def signed(value: float, places: int) -> str:
    """With its sign, a true minus, and no sign for zero."""
    text = f"{value:+.{places}f}".replace("-", "−")
    return text if any(each in "123456789" for each in text) else text[1:]


ROUNDING = 1e-9
"""So that a width of 0.1 less a rounding has the decimals of 0.1."""


def places_of(width: float) -> int:
    """Decimals for numbers whose interval is so wide: one, or more where the interval is below one."""
    return max(1, min(4, 1 - math.floor(math.log10(width) + ROUNDING))) if width > 0 else 1
