"""Free judges that run locally, called through alpaca-eval's pairwise annotator.

| kind        | the preference for the second of two outputs, in [1, 2]                               |
|-------------|---------------------------------------------------------------------------------------|
| world       | the didactic world's judge                                                            |
| scorer      | 1 + sigmoid((score of the second - score of the first) / temperature)                 |

LLM judges, which cost money, are in ``llm_judges``.
"""

import io
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr

import pandas as pd
from alpaca_eval.annotators import PairwiseAnnotator

from scripts.lib.config.evaluation import JudgeSpec, ScorerJudge, WorldJudge
from scripts.lib.endpoint import quieten_clients
from scripts.lib.errors import InputError
from scripts.lib.keys import without_secrets
from scripts.lib.rewards import Scorer
from scripts.lib.world.judge import preference

COLUMNS = ["instruction", "output_1", "output_2"]
Judge = Callable[[Sequence[tuple[str, str, str]]], list[float | None]]
"""(instruction, first output, second output) -> preference for the second; None if there is none."""


class LocalAnnotator(PairwiseAnnotator):
    """alpaca-eval's annotator with a local judge in place of a prompted LLM.

    Everything else is the package's: equal outputs are a draw (1.5) and are not judged; repeated rows are judged once.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        super().__init__(
            annotators_config="local", caching_path=None, is_avoid_reannotations=False, other_output_keys_to_keep=()
        )

    def _initialize_annotators(self, **_kwargs) -> dict[str, "_Asked"]:
        return {"local": _Asked(self.judge)}


class _Asked:
    """The callable that the package passes the rows to judge."""

    processors = ()

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        found = self.judge(list(rows[COLUMNS].itertuples(index=False, name=None)))
        return rows.assign(preference=pd.Series(found, index=rows.index, dtype=float))


def quieten() -> None:
    """Keep the package's and its clients' messages, and any key, out of a step's log; the package logs to the root."""
    logging.getLogger().addFilter(_tell)
    quieten_clients()


def _tell(record: logging.LogRecord) -> bool:
    """Filter of the root logger: keeps warnings and errors, and removes keys and tracebacks from them."""
    record.msg, record.args, record.exc_info = without_secrets(record.getMessage()), None, None
    return record.levelno >= logging.WARNING


def annotator_of(spec: JudgeSpec, scorer: Scorer | None = None) -> LocalAnnotator:
    """The annotator of a free judge. scorer: for kind scorer. Raises InputError without it, or for a paid judge."""
    if isinstance(spec, WorldJudge):
        return LocalAnnotator(world_judge)
    if not isinstance(spec, ScorerJudge):
        raise InputError("--spec", f"a judge of kind {spec.kind} costs money", "use kind world or scorer here")
    if scorer is None:
        raise InputError("--scorer", f"the judge asks scorer {spec.scorer}", "add --scorer")
    return LocalAnnotator(scorer_judge(scorer, spec.temperature))


def world_judge(rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
    """The didactic world's preferences."""
    return [preference(*row) for row in rows]


def scorer_judge(scorer: Scorer, temperature: float) -> Judge:
    """Preferences from differences of a scorer's scores (Bradley-Terry); None unless it scores both outputs."""

    def judge(rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
        outputs = [(instruction, output) for instruction, *pair in rows for output in pair]
        scores = iter(scorer.score([([{"role": "user", "content": each}], output) for each, output in outputs]))
        return [_squashed(first, second, temperature) for first, second in zip(scores, scores, strict=True)]

    return judge


def _squashed(first: float | None, second: float | None, temperature: float) -> float | None:
    if first is None or second is None:
        return None
    return 1.0 + (1.0 + math.tanh((second - first) / (2.0 * temperature))) / 2.0


def judged(annotator: LocalAnnotator, rows: Sequence[tuple[str, str, str]]) -> list[float | None]:
    """The preferences of (instruction, first, second) rows, in their order; None if the judge gave none."""
    with redirect_stderr(io.StringIO()):  # progress bars; the log has its own stream
        answers = annotator(pd.DataFrame(list(rows), columns=COLUMNS), chunksize=None)
    if [tuple(answer[column] for column in COLUMNS) for answer in answers] != [tuple(row) for row in rows]:
        raise RuntimeError("alpaca-eval returned other rows than it was given")
    return [None if pd.isna(answer["preference"]) else float(answer["preference"]) for answer in answers]
