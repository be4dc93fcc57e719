"""Win rate and length-controlled win rate from judgements, by alpaca-eval's own formulas.

The length-controlled win rate (Dubois et al., "Length-Controlled AlpacaEval", 2024) is what a logistic model of
the judge's preferences predicts at equal lengths:

    logit p = bias + a tanh((reference length - length) / sd) + b difficulty of the instruction

fitted to the judgements and, with less weight, to those of the reference made verbose and concise ("gamed").
The difficulties and the gamed judgements are two files that the package reads from the hub. It takes a row's
position for the instruction's identity; here every row carries its instruction's place in the reference, so that
neither a shuffled nor a missing row moves another.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub.constants as hub
import numpy as np
import pandas as pd
from alpaca_eval import constants, metrics
from huggingface_hub.errors import LocalEntryNotFoundError

from scripts.lib.errors import InputError

GAMED = "df_gamed.csv"
DIFFICULTY = "instruction_difficulty.csv"
PUBLISHED = "length_controlled_v1, with the published difficulties and gamed judgements of AlpacaEval 2"
FITTED = "length_controlled_v1, with difficulties and gamed judgements of this suite and judge"
MINIMAL = (
    "length_controlled_minimal, for no difficulties and no gamed judgements are known of this judge; it predicts the "
    "same for every question, so a question's value is its own preference, moved as the mean is moved"
)


@dataclass(frozen=True)
class LengthControl:
    """Where difficulties and gamed judgements come from. name: PUBLISHED, FITTED or MINIMAL; folder: of FITTED."""

    name: str
    folder: Path | None = None


@dataclass(frozen=True)
class WinRates:
    """Metrics in points, and the values a question, in the reference's order, that their means are of."""

    metrics: dict[str, float]
    win_rate: list[float]
    length_controlled: list[float]


def in_order(judgements: pd.DataFrame, prompt_ids: Sequence[str]) -> pd.DataFrame:
    """The judgements sorted as the reference's instructions, with their places among them as column ``index``.

    InputError: a judgement of no instruction of the reference, or two of one.
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
    """The metrics of judgements as :func:`in_order` gives them.

    Columns: index, reference_length and length (characters), preference (in [1, 2], NaN where there is none). A
    row without a preference is left out of the win rate and of the fit, and predicted at equal lengths as well.
    InputError: fewer than five preferences (the fit is cross-validated in five parts), differences of length that
    are all the same, or no data of length control.
    """
    n = int(judgements["preference"].notna().sum())
    if n < 5:
        raise InputError("judgements", f"only {n} preferences", "judge five instructions or more")
    if (judgements["reference_length"] - judgements["length"]).nunique() < 2:
        problem = "every output differs by the same length from the reference's, so that length cannot be controlled"
        raise InputError("judgements", problem, "judge outputs of a policy that is not the reference itself")
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
    with _files_of(control, size=int(judgements["index"].max()) + 1), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # scikit-learn's, of the package's arguments
        found = metrics.get_length_controlled_winrate(
            frame,
            glm_name="length_controlled_minimal" if control.name == MINIMAL else "length_controlled_v1",
            save_weights_dir=None,
        )
    values = 100.0 * (frame["preference"].dropna() - 1.0)
    controlled = 100.0 * frame["glm_preference"]
    if control.name == MINIMAL:
        controlled = values + (controlled.mean() - values.mean())
    return WinRates(
        metrics={
            "win_rate": float(found["win_rate"]),
            "length_controlled_winrate": float(found["length_controlled_winrate"]),
            "lc_standard_error": float(controlled.sem()),
            "standard_error": float(found["standard_error"]),
            "discrete_win_rate": float(found["discrete_win_rate"]),
            "avg_length": float(judgements["length"].mean()),
            "n": n,
        },
        win_rate=values.tolist(),
        length_controlled=controlled.tolist(),
    )


@contextmanager
def _files_of(control: LengthControl, size: int) -> Iterator[None]:
    """Let the package read its two files from where ``control`` says; they are to know ``size`` instructions."""
    if control.name == PUBLISHED:
        try:
            yield
        except LocalEntryNotFoundError as error:
            raise InputError(
                "length control",
                f"the published files {GAMED} and {DIFFICULTY} are neither cached nor to be had from the hub ({error})",
                "run once with a network and without HF_HUB_OFFLINE",
            ) from error
    else:
        with tempfile.TemporaryDirectory() as cache:
            _lay_out(control, size, Path(cache))
            before = constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE
            constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE = cache, True
            try:
                yield
            finally:
                constants.DEFAULT_CACHE_DIR, hub.HF_HUB_OFFLINE = before


def _lay_out(control: LengthControl, size: int, cache: Path) -> None:
    """Put the two files where the hub's own client would have cached them."""
    repository = cache / "datasets--tatsu-lab--alpaca_eval"
    snapshot = repository / "snapshots" / "local"
    for folder in (snapshot, repository / "refs"):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("local")
    if control.folder is None:
        _placeholder(size).to_csv(snapshot / GAMED, index=False)
        return
    for file in (GAMED, DIFFICULTY):
        if not (control.folder / file).is_file():
            raise InputError(control.folder / file, "no such file", "run snakemake: it fits a suite's length control")
        shutil.copy(control.folder / file, snapshot / file)
    if len(pd.read_csv(snapshot / DIFFICULTY)) < size:
        problem = f"knows fewer than the suite's {size} instructions"
        raise InputError(control.folder / DIFFICULTY, problem, "delete it and run snakemake again")


def _placeholder(size: int) -> pd.DataFrame:
    """What the package reads and, under the minimal formula, does not use."""
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
