"""Scores every response of a family, once per scorer.

Responses for which the scorer has no score (no such annotation, a prompt that fills max_length, a conversation that the
chat template refuses, an LLM that gives no grade) have no row; the log counts them, and so do the cards of tables made
from the scores.
"""

import logging
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.scorers import AnnotationScorer, RewardModelScorer, ScorerSpec
from scripts.lib.errors import InputError
from scripts.lib.pieces import Pieces, digest_of
from scripts.lib.rewards import Scorer, annotated, scorer_of
from scripts.lib.schemas import SCORES
from scripts.lib.tables import write_table
from scripts.lib.texts import texts_of_family

log = logging.getLogger(__name__)


def scores_of(scorer: Scorer, texts: pd.DataFrame) -> pd.DataFrame:
    """Scores (response_id, score) of texts (response_id, prompt, response), in their order, without missing ones."""
    values = scorer.score(list(zip(texts["prompt"], texts["response"], strict=True)))
    rows = [row for row in zip(texts["response_id"], values, strict=True) if row[1] is not None]
    return pd.DataFrame(rows, columns=["response_id", "score"])


def main() -> None:
    parser = cli.parser_of("scripts.scores.score", __doc__)
    parser.add_argument("--scorer", required=True, help="its name")
    parser.add_argument("--spec", type=cli.spec_of(ScorerSpec), required=True, help="JSON of the scorers entry")
    parser.add_argument("--family", required=True, help="the family whose responses are scored")
    parser.add_argument("--prompts", type=Path, required=True, help="the prompt set's prompts")
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's responses")
    parser.add_argument("--annotations", type=Path, required=True, help="the prompt set's annotations")
    parser.add_argument("--model-dir", type=Path, help="folder of a reward model trained here")
    parser.add_argument("--verdicts", type=Path, help="folder in which an LLM's answers are kept")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for this job alone; empty at its end")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    pieces = threads = None
    if isinstance(arguments.spec, AnnotationScorer):
        scores, responses = annotated(
            arguments.responses, arguments.family, arguments.annotations, arguments.spec.annotation
        )
    else:
        texts = texts_of_family(arguments.prompts, arguments.responses, arguments.family)
        responses, ids = len(texts), texts["response_id"].tolist()
        pieces = Pieces(arguments.checkpoints, _digest(arguments.spec, arguments.model_dir, ids))
        scorer = scorer_of(arguments.spec, arguments.annotations, arguments.model_dir, pieces, arguments.verdicts)
        scores, threads = scores_of(scorer, texts), scorer.threads
    log.info("%s: %d responses scored, %d left out", arguments.family, len(scores), responses - len(scores))
    if scores.empty:
        raise InputError(
            f"{arguments.responses}, family {arguments.family}",
            f"scorer {arguments.scorer} has a score for none of its {responses} responses",
            "choose a scorer that covers the family, or raise its max_length",
        )
    write_table(scores, arguments.out, SCORES, threads)
    if pieces:
        pieces.delete()


def _digest(spec: ScorerSpec, model_dir: Path | None, response_ids: list[str]) -> str:
    """Digest of the job. A local model is represented by the sizes and times of its files."""
    folder = model_dir or (Path(spec.model) if isinstance(spec, RewardModelScorer) else None)
    found = sorted(folder.glob("*")) if folder else []
    files = [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in found]
    return digest_of("scripts.scores.score", spec.model_dump(), files, response_ids)


if __name__ == "__main__":
    cli.run(main)
