"""Judges of win rates, all driven by alpaca-eval's pairwise annotator.

| kind        | the preference for the second of two outputs, in [1, 2]                               |
|-------------|---------------------------------------------------------------------------------------|
| world       | the didactic world's judge                                                            |
| scorer      | 1 + sigmoid((score of the second - score of the first) / temperature)                 |
| alpaca_eval | an annotator configuration of alpaca-eval: an LLM, asked through an API                |
"""

import io
import json
import logging
import math
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path

import pandas as pd
from alpaca_eval import constants
from alpaca_eval.annotators import PairwiseAnnotator

from scripts.lib.config.evaluation import AnnotatorJudge, JudgeSpec, ScorerJudge
from scripts.lib.errors import InputError
from scripts.lib.rewards import Scorer
from scripts.lib.world.judge import preference

COLUMNS = ["instruction", "output_1", "output_2"]
Judge = Callable[[Sequence[tuple[str, str, str]]], list[float | None]]
"""(instruction, first output, second output) -> preference for the second, None where there is none."""


class LocalAnnotator(PairwiseAnnotator):
    """alpaca-eval's annotator with a judge that runs here in place of a prompted LLM.

    The rest is the package's: equal outputs are a draw (1.5) and are not judged, repeated rows are judged once.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        super().__init__(
            annotators_config="local", caching_path=None, is_avoid_reannotations=False, other_output_keys_to_keep=()
        )

    def _initialize_annotators(self, **_kwargs) -> dict[str, "_Asked"]:
        return {"local": _Asked(self.judge)}


class _Asked:
    """What the package calls with the rows to judge."""

    processors = ()

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        found = self.judge(list(rows[COLUMNS].itertuples(index=False, name=None)))
        return rows.assign(preference=pd.Series(found, index=rows.index, dtype=float))


def quieten() -> None:
    """Keep the package's chatter, which it logs to the root, and its clients' out of a step's log."""
    logging.getLogger().addFilter(lambda record: record.levelno >= logging.WARNING)
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)


def annotator_of(spec: JudgeSpec, scorer: Scorer | None = None, cache: Path | None = None) -> PairwiseAnnotator:
    """The annotator of a judge. scorer: of kind scorer. cache: file in which an API's answers are kept."""
    if isinstance(spec, AnnotatorJudge):
        return _api_annotator(spec.annotators_config, cache)
    if isinstance(spec, ScorerJudge):
        if scorer is None:
            raise InputError("--scorer", f"the judge asks scorer {spec.scorer}", "add --scorer")
        return LocalAnnotator(scorer_judge(scorer, spec.temperature))
    return LocalAnnotator(world_judge)


def world_judge(rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
    """The didactic world's preferences."""
    return [preference(*row) for row in rows]


def scorer_judge(scorer: Scorer, temperature: float) -> Judge:
    """Preferences from a scorer's differences (Bradley-Terry); None where it scores not both."""

    def judge(rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
        outputs = [(instruction, output) for instruction, *pair in rows for output in pair]
        scores = iter(scorer.score([([{"role": "user", "content": each}], output) for each, output in outputs]))
        return [_squashed(first, second, temperature) for first, second in zip(scores, scores, strict=True)]

    return judge


def _squashed(first: float | None, second: float | None, temperature: float) -> float | None:
    if first is None or second is None:
        return None
    return 1.0 + (1.0 + math.tanh((second - first) / (2.0 * temperature))) / 2.0


def _api_annotator(config: str, cache: Path | None) -> PairwiseAnnotator:
    if not any((folder / config).exists() for folder in (constants.EVALUATORS_CONFIG_DIR, Path())):
        raise InputError(
            "judge",
            f"alpaca-eval has no annotators_config {config}",
            "name one of its folders, or a folder of your own",
        )
    if cache is not None:
        _drop_if_broken(cache)
        cache.parent.mkdir(parents=True, exist_ok=True)
    path = config if (constants.EVALUATORS_CONFIG_DIR / config).exists() else os.path.abspath(config)
    return PairwiseAnnotator(annotators_config=path, caching_path=cache)


def _drop_if_broken(cache: Path) -> None:
    """alpaca-eval writes its cache in place: a killed job may leave half of it."""
    if cache.exists():
        try:
            json.loads(cache.read_text(encoding="utf-8"))
        except ValueError:
            cache.unlink()


def judged(annotator: PairwiseAnnotator, rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
    """The preferences of (instruction, first, second) rows, in their order; None where the judge gave none."""
    try:
        with redirect_stderr(io.StringIO()):  # progress bars; the log has its own stream
            answers = annotator(
                pd.DataFrame(list(rows), columns=COLUMNS),
                chunksize=None if isinstance(annotator, LocalAnnotator) else 64,
            )
    except InputError:
        raise
    except Exception as error:  # a client of some LLM's API: each raises exceptions of its own
        if isinstance(annotator, LocalAnnotator):
            raise
        raise InputError(
            f"judge {annotator.annotator_name}",
            f"the API did not answer ({type(error).__name__}: {error})",
            "set the key and address that alpaca-eval's client asks for; what was judged is kept, so run it again",
        ) from error
    if [tuple(answer[column] for column in COLUMNS) for answer in answers] != [tuple(row) for row in rows]:
        raise RuntimeError("alpaca-eval returned other rows than it was given")
    return [None if pd.isna(answer["preference"]) else float(answer["preference"]) for answer in answers]
