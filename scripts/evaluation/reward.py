"""Scores a policy's samples: the mean score, with one value per prompt; 100 points are a score of 1.

With ``at_least``: the share of samples with that score or more, in percent.

On the didactic world the oracle's is the true reward. Elsewhere a reward model stands in for people where nobody
judges; its scores have its own unit, so that only differences between policies mean something. An LLM that grades may
give some samples no grade: they are counted, and left out.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.endpoints import Paid
from scripts.lib.config.evaluation import RewardSuite
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.errors import InputError
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.rewards import scorer_of
from scripts.lib.schemas import PROMPTS, SAMPLES
from scripts.lib.tables import read_table

METRIC, SHARE = "mean_score", "share"
UNGRADED = 0.05
"""The share of samples that an LLM may leave without a grade; with more, something is wrong with what it is asked."""

log = logging.getLogger(__name__)


def points(
    prompts: pd.DataFrame, samples: pd.DataFrame, scores: Sequence[float | None], where: Path, spare: float = 0.0
) -> list[float]:
    """100 times the mean score of each prompt's samples, in the order of PROMPTS.

    scores: one per row of SAMPLES. spare: the share of them that may be missing; a prompt without any gets the mean of
    the others. Raises InputError for more missing scores, or a prompt without a sample.
    """
    unscored = sum(score is None for score in scores)
    if unscored > spare * len(scores):
        raise InputError(
            where,
            f"the scorer has no score for {unscored} of {len(scores)} samples",
            "see its log for the reasons; raise its max_length or max_tokens, or choose another scorer",
        )
    means = pd.Series(scores, dtype=float).groupby(samples["prompt_id"].to_numpy()).mean()
    if absent := sorted(set(prompts["prompt_id"]) ^ set(means.index)):
        raise InputError(
            where, f"other prompts than the suite's, such as {absent[0]}", "delete the samples and run snakemake again"
        )
    return (100 * means.fillna(means.mean()).loc[prompts["prompt_id"]]).tolist()


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.reward", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--suite", required=True, help="the suite's name")
    parser.add_argument("--spec", type=cli.spec_of(RewardSuite), required=True, help="JSON of the suite")
    parser.add_argument("--prompts", type=Path, required=True, help="the prompts that the samples answer")
    parser.add_argument("--samples", type=Path, required=True, help="the policy's samples")
    parser.add_argument("--scorer", type=cli.spec_of(ScorerSpec), required=True, help="JSON of the scorer")
    parser.add_argument("--model-dir", type=Path, help="its folder, where it was trained here")
    parser.add_argument("--verdicts", type=Path, help="folder in which an LLM's answers are kept")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    prompts, samples = read_table(arguments.prompts, PROMPTS), read_table(arguments.samples, SAMPLES)
    text = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    items = [
        (text.get(of), response or "")
        for of, response in zip(samples["prompt_id"], samples["response"].fillna(""), strict=True)
    ]
    scorer = scorer_of(arguments.scorer, model_dir=arguments.model_dir, verdicts=arguments.verdicts)
    scores = scorer.score(items)
    spec = arguments.spec
    metric = METRIC if spec.at_least is None else SHARE
    if spec.at_least is not None:
        scores = [None if score is None else float(score >= spec.at_least) for score in scores]
    spare = UNGRADED if isinstance(arguments.scorer, Paid) else 0.0
    values = points(prompts, samples, scores, arguments.samples, spare)
    details = {"scorer": arguments.scorer.model_dump(exclude={"threads"}), "name": spec.scorer}
    details |= {"samples": len(samples), "unscored": scores.count(None), "threads": scorer.threads}
    record = evaluation(arguments.name, arguments.suite, metric, values, {metric: sum(values) / len(values)}, details)
    write_evaluation(record, arguments.out)
    log.info("%s: %.2f points", arguments.suite, record.value)


if __name__ == "__main__":
    cli.run(main)
