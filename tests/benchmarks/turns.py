"""Summary of several turns of a measurement."""

import statistics


def spread(values: list[float]) -> dict:
    """Median, lowest, highest and number of values."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "turns": len(values)}
