"""Many claims at once: p-values corrected for their number."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import false_discovery_control


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values: below 1 - LEVEL for any true null with at most that probability (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1.0)
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> np.ndarray:
    """Adjusted p-values: of those below q, a share of at most q is wrong on average (Benjamini and Hochberg 1995)."""
    return np.asarray(false_discovery_control(np.asarray(p_values, dtype=float), method="bh"))
