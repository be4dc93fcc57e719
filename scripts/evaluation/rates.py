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
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub.constants as hub
import numpy as np
import pandas as pd
from alpaca_eval import constants, metrics
from alpaca_eval.metrics.glm_winrate import get_is_extreme_changes
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

from scripts.evaluation.suite_files import ALPACA_EVAL
from scripts.lib.errors import InputError

log = logging.getLogger(__name__)

GAMED = "df_gamed.csv"
DIFFICULTY = "instruction_difficulty.csv"
PUBLISHED = "length_controlled_v1, with the published difficulties and gamed judgements of AlpacaEval 2"
FITTED = "length_controlled_v1, with difficulties and gamed judgements of this suite and judge"
MINIMAL = "length_controlled_minimal, for no difficulties and no gamed judgements are known of this judge"


@dataclass(frozen=True)
class LengthControl:
    """Source of difficulties and gamed judgements. name: PUBLISHED, FITTED, or MINIMAL, which has no files."""

    name: str
    gamed: Path | None = None
    difficulty: Path | None = None


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


def fitted(folder: Path) -> LengthControl:
    """Length control from the two files that a suite's own fit has written into ``folder``."""
    return LengthControl(FITTED, folder / GAMED, folder / DIFFICULTY)


def published(gamed: Path | None = None, difficulty: Path | None = None) -> LengthControl:
    """AlpacaEval 2's own length control; files that are not given come from the hub or its cache.

    Raises InputError if they are neither given nor cached and cannot be downloaded.
    """
    try:
        return LengthControl(PUBLISHED, gamed or _from_hub(GAMED), difficulty or _from_hub(DIFFICULTY))
    except LocalEntryNotFoundError as error:
        raise InputError(
            "length control",
            f"the published files {GAMED} and {DIFFICULTY} are neither cached nor to be had from the hub ({error})",
            "run once with a network and without HF_HUB_OFFLINE, or give scripts.evaluation.win_rate the two files",
        ) from error


def _from_hub(file: str) -> Path:
    token, cache = constants.DATASETS_TOKEN, constants.DEFAULT_CACHE_DIR
    return Path(hf_hub_download(ALPACA_EVAL, file, repo_type="dataset", token=token, cache_dir=cache))


def win_rates(judgements: pd.DataFrame, control: LengthControl) -> WinRates:
    """The metrics of judgements sorted by :func:`in_order`; see :func:`win_rates_of`."""
    return win_rates_of({"judgements": judgements}, control)["judgements"]


def win_rates_of(judgements: Mapping[str, pd.DataFrame], control: LengthControl) -> dict[str, WinRates]:
    """The metrics of each table of judgements; its key names it in errors.

    Columns: index (the instruction's), reference_length and length (characters), preference (in [1, 2], NaN if there is
    none), the rows sorted by index. A row without a preference is excluded from the win rate and from the fit, but its
    prediction at equal lengths counts. Raises InputError for fewer than five preferences (the fit uses five-fold
    cross-validation), for length differences that are all equal, or without the data of length control.
    """
    for where, table in judgements.items():
        _refuse_unfit(where, table)
    last = {where: int(table["index"].max()) for where, table in judgements.items()}
    farthest = max(last, key=lambda where: last[where])
    with _files_of(control, last[farthest] + 1, farthest):
        return {where: _fitted(where, table, control) for where, table in judgements.items()}


def _refuse_unfit(where: str, judgements: pd.DataFrame) -> None:
    n = int(judgements["preference"].notna().sum())
    if n < 5:
        raise InputError(where, f"only {n} preferences", "length control takes judgements of five instructions or more")
    if (judgements["reference_length"] - judgements["length"]).nunique() < 2:
        problem = "every output differs by the same length from the reference's, so that length cannot be controlled"
        raise InputError(where, problem, "judge outputs that are not the reference's own")


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


@contextmanager
def _files_of(control: LengthControl, size: int, where: str) -> Iterator[None]:
    """Make the package read its two files from ``control``.

    They must cover ``size`` instructions, for the judgements that ``where`` names.
    """
    with tempfile.TemporaryDirectory() as cache:
        _lay_out(control, size, where, Path(cache))
        before = constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE
        constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE = cache, True
        try:
            yield
        finally:
            constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE = before


def _lay_out(control: LengthControl, size: int, where: str, cache: Path) -> None:
    """Put the two files where the hub's own client would have cached them."""
    repository = cache / f"datasets--{ALPACA_EVAL.replace('/', '--')}"
    snapshot = repository / "snapshots" / "local"
    for folder in (snapshot, repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("local")
    if control.gamed is None or control.difficulty is None:
        _placeholder(size).to_csv(snapshot / GAMED, index=False)
        return
    known = len(_checked(control.gamed, control.difficulty))
    if known < size:
        problem = f"has judgements of index {size - 1}, and {control.difficulty} knows 0 to {known - 1}"
        raise InputError(where, problem, "use the difficulties of the very instructions that were judged")
    for file, source in ((GAMED, control.gamed), (DIFFICULTY, control.difficulty)):
        shutil.copy(source, snapshot / file)


def _checked(gamed: Path, difficulty: Path) -> np.ndarray:
    """The difficulties, (instructions,). Raises InputError unless both files have them, in order and equal.

    The package reads them from the first rows of the gamed judgements, by row number.
    """
    numbers = {}
    for path, columns in (
        (gamed, ["index", "instruction_difficulty", "preference", "std_delta_len", "not_gamed_baseline", "model"]),
        (difficulty, ["index", "instruction_difficulty"]),
    ):
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise InputError(path, f"not a readable CSV ({error})", "give it as published or fitted") from error
        if absent := [column for column in columns if column not in table]:
            raise InputError(path, f"has no column {', '.join(absent)}", f"it is {path.name} with these columns")
        first = table.drop_duplicates("index")
        if first["index"].tolist() != list(range(len(first))) or first.index.tolist() != list(range(len(first))):
            raise InputError(path, "does not begin with instructions 0, 1, 2, ... in order", "use it as published")
        numbers[path] = first["instruction_difficulty"].to_numpy(dtype=float)
        if not np.isfinite(numbers[path]).all():
            raise InputError(path, "has instructions without a difficulty", "use it as published")
    if len(numbers[gamed]) != len(numbers[difficulty]) or not np.allclose(numbers[gamed], numbers[difficulty]):
        raise InputError(difficulty, f"gives other difficulties than {gamed}", "use two files that belong together")
    return numbers[difficulty]


def _placeholder(size: int) -> pd.DataFrame:
    """Rows that the package reads but, under the minimal formula, does not use."""
    return gamed_rows({"none": (np.full(size, 0.5), np.zeros(size))}, np.zeros(size))


def gamed_rows(gamed: dict[str, tuple[np.ndarray, np.ndarray]], difficulty: np.ndarray) -> pd.DataFrame:
    """The package's table of gamed judgements.

    gamed: model -> preferences in [0, 1] and standardised differences of length (reference - gamed), both
    (instructions,); difficulty: (instructions,).
    """
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "preference": preferences,
                    "index": range(len(difficulty)),
                    "std_delta_len": differences,
                    "instruction_difficulty": difficulty,
                    "not_gamed_baseline": False,
                    "model": model,
                }
            )
            for model, (preferences, differences) in gamed.items()
        ],
        ignore_index=True,
    )
