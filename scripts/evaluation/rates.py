"""Win rate and length-controlled win rate from judgements, by alpaca-eval's own formulas.

The length-controlled win rate (Dubois et al., "Length-Controlled AlpacaEval", 2024) is the prediction, at equal
lengths, of a logistic model of the judge's preferences:

    logit p = bias + a tanh((reference length - length) / sd) + b difficulty of the instruction

fitted to the judgements and, with less weight, to those of the reference made verbose and concise ("gamed").
The difficulties and the gamed judgements are two files that the package reads from the hub. The package identifies an
instruction by the row's position; here every row carries its instruction's index in the reference, so that shuffled or
missing rows do not shift the others.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from alpaca_eval import metrics
from alpaca_eval.metrics.glm_winrate import get_is_extreme_changes

from scripts.evaluation.control_files import MINIMAL, LengthControl, files_of
from scripts.lib.errors import InputError

log = logging.getLogger(__name__)

LEAST = 5
"""Preferences that the fit needs: it uses five-fold cross-validation."""
DRAW = 1.5


@dataclass(frozen=True)
class WinRates:
    """Metrics in points, and the values per question, in the reference's order, of which the metrics are means.

    predicted: the model's predictions at equal lengths; their mean is the length-controlled win rate. They lie on one
    curve and differ only by the difficulties, so their spread (from which the package computes its lc_standard_error)
    does not show how far the mean would move with other answers. length_controlled has the same mean but the answers'
    spread: each question's preference, shifted by the difference of the two means (the mean preference if a question
    has none); our lc_standard_error is computed from it.
    """

    metrics: dict[str, float]
    win_rate: list[float]
    predicted: list[float]
    length_controlled: list[float]


def in_order(judgements: pd.DataFrame, prompt_ids: Sequence[str]) -> pd.DataFrame:
    """The judgements sorted in the order of the reference's instructions, their position there as column ``index``.

    Raises InputError if a judgement's instruction is not in the reference, or an instruction has two judgements.
    """
    place = {each: at for at, each in enumerate(prompt_ids)}
    unknown = ~judgements["prompt_id"].isin(place)
    if unknown.any() or judgements["prompt_id"].duplicated().any() or len(place) < len(prompt_ids):
        raise InputError(
            "judgements",
            f"{int(unknown.sum())} are of instructions that the reference lacks, or an instruction comes twice",
            "judge the outputs to the reference's own instructions, one each",
        )
    return judgements.assign(index=judgements["prompt_id"].map(place)).sort_values("index", ignore_index=True)


def win_rates(judgements: pd.DataFrame, control: LengthControl) -> WinRates:
    """The metrics of judgements sorted by :func:`in_order`; see :func:`win_rates_of`."""
    return win_rates_of({"judgements": judgements}, control)["judgements"]


def win_rates_of(judgements: Mapping[str, pd.DataFrame], control: LengthControl) -> dict[str, WinRates]:
    """The metrics of each table of judgements; its key names it in errors.

    Columns: index (the instruction's), reference_length and length (characters), preference (in [1, 2], NaN if there is
    none), the rows sorted by index. A row without a preference is excluded from the win rate and from the fit, but its
    prediction at equal lengths counts. The reference's own outputs win half of the time by definition, with no fit.
    Raises InputError for fewer than LEAST preferences, for length differences that are all equal, or without the data
    of length control.
    """
    own = {where: _by_definition(table) for where, table in judgements.items() if is_reference(table)}
    fits = {where: table for where, table in judgements.items() if where not in own}
    if not fits:
        return own
    for where, table in fits.items():
        _refuse_unfit(where, table)
    last = {where: int(table["index"].max()) for where, table in fits.items()}
    farthest = max(last, key=lambda where: last[where])
    with files_of(control, last[farthest] + 1, farthest):
        found = own | {where: _fitted(where, table, control) for where, table in fits.items()}
    return {where: found[where] for where in judgements}


def is_reference(judgements: pd.DataFrame) -> bool:
    """Whether judgements are of the reference's own outputs: every length the reference's, and nothing but draws.

    A board lists its reference among the models; alpaca-eval makes a draw of equal outputs without asking the judge.
    """
    drawn = judgements["preference"].isna() | (judgements["preference"] == DRAW)
    same = judgements["length"] == judgements["reference_length"]
    return len(judgements) >= LEAST and bool((same & drawn).all())


def _by_definition(judgements: pd.DataFrame) -> WinRates:
    """The win rates of the reference itself, as the public board has them: 50, without error."""
    halves = [50.0] * len(judgements)
    rates = dict.fromkeys(("win_rate", "length_controlled_winrate"), 50.0)
    errors = dict.fromkeys(("lc_standard_error", "standard_error"), 0.0)
    length, n = float(judgements["length"].mean()), int(judgements["preference"].notna().sum())
    metrics = {**rates, **errors, "discrete_win_rate": 50.0, "avg_length": length, "n": n}
    return WinRates(metrics, win_rate=halves, predicted=halves, length_controlled=halves)


def _refuse_unfit(where: str, judgements: pd.DataFrame) -> None:
    n = int(judgements["preference"].notna().sum())
    if n < LEAST:
        raise InputError(where, f"only {n} preferences", "length control takes judgements of five instructions or more")
    if (judgements["reference_length"] - judgements["length"]).nunique() < 2:
        problem = "every output differs by the same length from the reference's, so that length cannot be controlled"
        raise InputError(where, problem, "remove this model's judgements, or judge other outputs")


def _fitted(where: str, judgements: pd.DataFrame, control: LengthControl) -> WinRates:
    frame = pd.DataFrame(
        {
            "index": judgements["index"],
            "preference": judgements["preference"].astype(float),
            "output_1": [" " * int(length) for length in judgements["reference_length"]],
            "output_2": [" " * int(length) for length in judgements["length"]],
            "generator_1": "reference",
            "generator_2": "policy",
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # raised by scikit-learn for the package's arguments
        found = metrics.get_length_controlled_winrate(
            frame,
            glm_name="length_controlled_minimal" if control.name == MINIMAL else "length_controlled_v1",
            save_weights_dir=None,
            is_warn_extreme_changes=False,
        )
    if get_is_extreme_changes(found["win_rate"], found["length_controlled_winrate"]):
        log.warning(
            "%s: length control moves the win rate far, from %.1f to %.1f; the fit may have failed",
            *(where, found["win_rate"], found["length_controlled_winrate"]),
        )
    values = 100.0 * (frame["preference"].dropna() - 1.0)
    predicted = 100.0 * frame["glm_preference"]
    whole = (100.0 * (frame["preference"] - 1.0)).fillna(values.mean())
    controlled = whole + (predicted.mean() - whole.mean())
    return WinRates(
        metrics={
            "win_rate": float(found["win_rate"]),
            "length_controlled_winrate": float(found["length_controlled_winrate"]),
            "lc_standard_error": float(controlled.sem()),
            "standard_error": float(found["standard_error"]),
            "discrete_win_rate": float(found["discrete_win_rate"]),
            "avg_length": float(judgements["length"].mean()),
            "n": int(frame["preference"].notna().sum()),
        },
        win_rate=values.tolist(),
        predicted=predicted.tolist(),
        length_controlled=controlled.tolist(),
    )
