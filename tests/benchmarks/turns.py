"""What several turns of a measurement come to."""

import statistics


def spread(values: list[float]) -> dict:
    """Median, lowest and highest, and how many there are."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "turns": len(values)}
