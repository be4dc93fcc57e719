"""Measures how often a policy orders the responses of held-out pairs as the pairs do: nothing is sampled or judged.

implicit_accuracy     by the implicit reward log pi(y|x) - log pi_start(y|x) (DPO's, up to its factor beta), against the
                      policy that the run started from; a policy that is no run's outcome has none, and gets 50 points
likelihood_accuracy   by the mean log-likelihood per token, log pi(y|x) / |y|
implicit_margin       the mean difference of implicit rewards, chosen minus rejected, in nats

A pair ordered as labelled counts 100 points, a tie 50. A prompt's value is the mean over its pairs: pairs of one prompt
are no independent questions. "3D-Properties" plots both accuracies (Figures 5 and 7 to 9).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.evaluation import PreferenceSuite
from scripts.lib.errors import InputError
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import LOGPROBS, PAIRS
from scripts.lib.tables import read_table

log = logging.getLogger(__name__)

Likelihoods = Mapping[str, tuple[float, int]]
"""response_id -> (log-probability of the response, number of its tokens)."""


def read_likelihoods(paths: Sequence[Path]) -> dict[str, tuple[float, int]]:
    """The responses of several tables of log-probs."""
    found = {}
    for path in paths:
        table = read_table(path, LOGPROBS)
        for key, values in zip(table["response_id"], table["token_logprobs"], strict=True):
            found[key] = (float(np.sum(values, dtype=np.float64)), len(values))
    return found


def differences(pairs: pd.DataFrame, policy: Likelihoods, start: Likelihoods | None) -> pd.DataFrame:
    """Chosen minus rejected for each of PAIRS that has log-probs: prompt_id, implicit (nats), likelihood (per token).

    A response has none if its prompt fills the policy's max_length. Without a start every implicit reward is 0.
    """
    known = [
        each
        for each in zip(pairs["prompt_id"], pairs["chosen_id"], pairs["rejected_id"], strict=True)
        if all(side in policy and (start is None or side in start) for side in each[1:])
    ]
    rows = []
    for prompt, chosen, rejected in known:
        moved = [policy[side][0] - start[side][0] if start else 0.0 for side in (chosen, rejected)]
        each_token = [policy[side][0] / policy[side][1] for side in (chosen, rejected)]
        rows.append((prompt, moved[0] - moved[1], each_token[0] - each_token[1]))
    return pd.DataFrame(rows, columns=["prompt_id", "implicit", "likelihood"])


def accuracies(found: pd.DataFrame, side: str) -> pd.Series:
    """Points per prompt, in the order of first appearance."""
    points = 50.0 * (1 + np.sign(found[side]))
    return points.groupby(found["prompt_id"], sort=False).mean()


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.preference", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--suite", required=True, help="the suite's name")
    parser.add_argument("--spec", type=cli.spec_of(PreferenceSuite), required=True, help="JSON of the suite")
    parser.add_argument("--pairs", type=Path, required=True, help="the held-out pairs")
    parser.add_argument("--logprobs", type=Path, nargs="+", required=True, help="of their families under the policy")
    parser.add_argument("--start", type=Path, nargs="*", default=[], help="the same under the start of a run")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    pairs = read_table(arguments.pairs, PAIRS)
    start = read_likelihoods(arguments.start) if arguments.start else None
    found = differences(pairs, read_likelihoods(arguments.logprobs), start)
    if found.empty:
        raise InputError(
            arguments.pairs, f"none of its {len(pairs)} pairs has log-probs", "raise the max_length of the policy"
        )
    by_metric = {f"{side}_accuracy": accuracies(found, side) for side in ("implicit", "likelihood")}
    record = evaluation(
        arguments.name,
        arguments.suite,
        arguments.spec.metric,
        values=by_metric[arguments.spec.metric].tolist(),
        metrics={name: values.mean() for name, values in by_metric.items()}
        | {"implicit_margin": found["implicit"].mean()},
        details={"pairs": len(found), "pairs_without_room": len(pairs) - len(found), "dataset": arguments.spec.pairs},
    )
    write_evaluation(record, arguments.out)
    log.info("%s: %.2f points, %d pairs without room", arguments.suite, record.value, len(pairs) - len(found))


if __name__ == "__main__":
    cli.run(main)
