"""The curves of reward models and DPO policies along training, and how steady they are.

Statistics were fixed on 2026-11-30, before any run. Everything is in percentage points.

fluctuation: the mean size of the change of held-out accuracy from one measurement to the next, after the first quarter
of training, in which both learn. overfit: accuracy on the pairs that are trained on less that on held-out ones, over
the last fifth of the measurements and of the steps.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.errors import InputError

LEARNING = 0.25
"""The part of training, from its beginning, that says nothing of fluctuation."""
END = 0.2
"""The part of training, at its end, that overfitting is measured on."""
LEAST = 8
"""Measurements without which there is nothing to say."""


def read_curve(path: Path) -> pd.DataFrame:
    """A curve of run.py. Raises InputError if it has too few measurements."""
    try:
        curve = pd.read_csv(path)
        found = curve["held_out"].notna().sum()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(path, f"no readable curve ({error})", "delete it and run snakemake again") from error
    if found < LEAST:
        raise InputError(path, f"{found} measurements, and {LEAST} are needed", "measure more often, or train longer")
    return curve


def held_out(curve: pd.DataFrame) -> np.ndarray:
    """Accuracy on held-out pairs, (measurements,), in percent."""
    return 100 * curve["held_out"].dropna().to_numpy()


def changes(curve: pd.DataFrame) -> np.ndarray:
    """The size of each change of held-out accuracy between measurements, once both have learnt."""
    values = held_out(curve)
    return np.abs(np.diff(values[int(np.ceil(LEARNING * (len(values) - 1))) :]))


def gaps(curve: pd.DataFrame) -> np.ndarray:
    """Accuracy on trained pairs over the last steps, less that on held-out pairs at each of the last measurements."""
    steps = 100 * curve["accuracy"].dropna().to_numpy()
    values = held_out(curve)
    return steps[-max(1, int(END * len(steps))) :].mean() - values[-max(2, int(END * len(values))) :]


def of_seeds(curves: Sequence[pd.DataFrame], statistic) -> np.ndarray:
    """(seeds, values) of a statistic; as many values as all seeds have."""
    found = [statistic(each) for each in curves]
    return np.array([each[: min(map(len, found))] for each in found])
