"""The two files that length control is fitted with, and how the package is made to read ours.

The difficulties of instructions and the gamed judgements are files that alpaca-eval reads from the hub. Here they come
from the hub, from given copies, or from a suite's own fit.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub.constants as hub
import numpy as np
import pandas as pd
from alpaca_eval import constants
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

from scripts.evaluation.suite_files import ALPACA_EVAL
from scripts.lib.errors import InputError

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


@contextmanager
def files_of(control: LengthControl, size: int, where: str) -> Iterator[None]:
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
