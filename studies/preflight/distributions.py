"""Distributions of measured columns, counted by group so that the page can filter them, with pairs behind every bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

BARS = 12
"""The most bars of a distribution."""
VALUES = 8
"""The most values of a filter; the rest is one value."""
BEHIND = 10
"""The most pairs behind a bar."""
REST = "others"
FILTERS = ("source", "chosen_tier")
"""Columns by which the page filters, where the rows have them with more than one value."""


@dataclass(frozen=True)
class Distribution:
    """labels: of the bars. counts: (groups, bars). pairs: of each bar, rows of the table, the most extreme first."""

    column: str
    labels: Sequence[str]
    counts: np.ndarray
    pairs: Sequence[Sequence[int]]


def filters(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Column -> its values, the most frequent first."""
    found = {}
    for column in FILTERS:
        if column in rows:
            values = _few(rows[column]).value_counts()
            if len(values) > 1:
                found[column] = values.index.tolist()
    return found


def groups(rows: pd.DataFrame, by: Sequence[str]) -> tuple[np.ndarray, list[dict[str, str]]]:
    """(each row's group, what the groups have in the columns that they are told by); one group if there are none."""
    if not by:
        return np.zeros(len(rows), np.int64), [{}]
    keys = pd.DataFrame({column: _few(rows[column]) for column in by})
    codes, known = pd.factorize(pd.MultiIndex.from_frame(keys))
    return codes, [dict(zip(by, each, strict=True)) for each in known]


def distribution(rows: pd.DataFrame, column: str, group: np.ndarray) -> Distribution | None:
    """Of one column of numbers, truths or words; None if no row has a value."""
    values = rows[column]
    known = values.notna().to_numpy()
    if not known.any():
        return None
    if pd.api.types.is_bool_dtype(values):
        labels, bar = ["no", "yes"], values.to_numpy().astype(np.int64)
        extreme = np.zeros(len(rows))
    elif pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        labels, bar = _binned(numbers)
        extreme = np.abs(np.nan_to_num(numbers - np.nanmedian(numbers)))
    else:
        words = _few(values.fillna(REST))
        labels = words[known].value_counts().index.tolist()
        bar, extreme = pd.Index(labels).get_indexer(words), np.zeros(len(rows))
    bar = np.where(known, bar, -1)
    counts = np.zeros((int(group.max(initial=0)) + 1, len(labels)), np.int64)
    np.add.at(counts, (group[bar >= 0], bar[bar >= 0]), 1)
    behind = []
    for each in range(len(labels)):
        here = np.flatnonzero(bar == each)
        behind.append(here[np.argsort(-extreme[here], kind="stable")][:BEHIND].tolist())
    return Distribution(column, labels, counts, behind)


def _few(values: pd.Series) -> pd.Series:
    """Text values, the rarest of too many joined."""
    texts = values.astype(str)
    counts = texts.value_counts()
    return texts if len(counts) <= VALUES else texts.where(texts.isin(counts.index[: VALUES - 1]), REST)


def _binned(numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """(labels, bar of each number): equal bars between the percentiles 1 and 99, the outer ones open."""
    finite = numbers[np.isfinite(numbers)]
    distinct = np.unique(finite)
    if len(distinct) <= BARS:
        return [_short(each, 10) for each in distinct], np.searchsorted(distinct, np.nan_to_num(numbers))
    low, high = np.percentile(finite, [1, 99])
    if low == high:
        low, high = distinct[0], distinct[-1]
    step = _round_step((high - low) / (BARS - 2))
    inner = step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)
    bar = np.searchsorted(inner, numbers, side="right")
    labels = [f"below {_short(inner[0])}"]
    labels += [f"{_short(start)} to {_short(end)}" for start, end in pairwise(inner)]
    labels += [f"{_short(inner[-1])} or more"]
    used = np.unique(bar[np.isfinite(numbers)])
    first, last = int(used[0]), int(used[-1])
    return labels[first : last + 1], bar - first


def _round_step(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(power * each for each in (1, 2, 5, 10) if power * each >= step * (1 - 1e-9)))


def _short(number: float, figures: int = 4) -> str:
    """Large numbers whole, others to some figures."""
    text = f"{number:,.{figures}g}" if abs(number) < 10_000 else f"{number:,.0f}"
    return text.replace("-", "−")
