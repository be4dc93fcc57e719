"""Claims with parts, judged by a minimum effect: what those on the bandit and those on language models share."""

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.lib.claims import Claim
from scripts.studies.findings import Words, claim_of
from scripts.studies.statistics.direction import exceeding
from scripts.studies.statistics.estimates import Estimate
from studies.mode_seeking.bandit.layout import STUDY


@dataclass(frozen=True)
class Told:
    """A claim in words. topic: what it is about; holds: what was found if it holds; above: its minimum effect."""

    topic: str
    holds: str
    above: float
    unit: str = "points"


def claims_of(name: str, told: Told, parts: Mapping[str, Estimate], seeds: int, draws: int) -> list[Claim]:
    """The whole, then its parts if there are several. seeds: of each draw of the data."""
    if len(parts) == 1:
        return [_claim(name, "", told, list(parts.values()), seeds, draws)]
    least = min(parts, key=lambda part: parts[part].value).replace("_", ", ")
    whole = _claim(name, "", told, list(parts.values()), seeds, draws, f"least with {least}, ")
    return [whole, *(_claim(name, part, told, [each], seeds, draws) for part, each in parts.items())]


def _claim(
    name: str, part: str, told: Told, estimates: list[Estimate], seeds: int, draws: int, least: str = ""
) -> Claim:
    of_part = f" ({part.replace('_', ', ')})" if part else ""
    topic, holds = told.topic + of_part, told.holds + of_part
    bar = f"{told.above:g} {told.unit}".replace("-", "−")
    words = Words(topic, holds, f"{topic}: not above {bar}", told.unit, least)
    whole = f"{name}.{part}" if part else name
    judged = exceeding(estimates, told.above)
    return claim_of(STUDY, whole, f"{holds} (above {bar})", words, judged, None, seeds, draws)
