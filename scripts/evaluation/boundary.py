"""Measures in which alignment stage a policy is: how often its own samples are preferred to off-policy responses.

Algorithm 1 of "Is On-Policy Data Always the Best Choice for Direct Preference Optimization-based LM Alignment?": for
each prompt two of the policy's samples, two responses of an off-policy pair, and all four comparisons between them.

boundary_score          V_on / (V_on + V_off) in points: the share of comparisons in which the policy's own response is
                        preferred; a tie is not, and counts for V_off, as in the algorithm
boundary_score_halves   the same, a tie counted as half

An empty sample is preferred to nothing. A prompt counts with all four comparisons or not at all. The score compares the
quality of two sources of responses as the ranker sees it, and nothing else.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.evaluation import BoundarySuite
from scripts.lib.config.scorers import RankerSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import PAIRS, SAMPLES, SCORES
from scripts.lib.tables import read_table
from scripts.lib.texts import texts_of_pairs

EACH = 2
"""Samples, and off-policy responses, of a prompt: the algorithm's m = n = 2."""

log = logging.getLogger(__name__)


def first_by_hash(rows: pd.DataFrame, column: str, count: int | None = None) -> pd.DataFrame:
    """One row per prompt, the first by the hash of its ``column``; then the first ``count`` prompts by theirs."""
    order = rows.assign(order=[seed_of("boundary", each) for each in rows[column]]).sort_values("order")
    one = order.drop_duplicates("prompt_id")
    one = one.assign(order=[seed_of("boundary", each) for each in one["prompt_id"]]).sort_values("order")
    return one.drop(columns="order").head(count).reset_index(drop=True)


def comparisons(samples: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """(prompt_id, own_id, other_id, empty), four rows per prompt of pairs, and how many prompts have none, by reason.

    samples: SAMPLES, of which each prompt's first two are taken. pairs: (prompt_id, chosen_id, rejected_id), one row
    per prompt. empty: whether the own response is.
    """
    own = samples[samples["sample"] < EACH].rename(columns={"response_id": "own_id"})
    own = own.assign(empty=own["response"].fillna("") == "")[["prompt_id", "own_id", "empty"]]
    own = own[own.groupby("prompt_id")["own_id"].transform("size") == EACH]
    other = pairs.melt("prompt_id", ["chosen_id", "rejected_id"], value_name="other_id").drop(columns="variable")
    both = pairs[["prompt_id"]].merge(own).merge(other)
    lost = len(pairs) - both["prompt_id"].nunique()
    return both[["prompt_id", "own_id", "other_id", "empty"]], {"prompt_without_two_samples": lost}


def verdicts(compared: pd.DataFrame, wins: Sequence[float | None]) -> tuple[pd.DataFrame, dict[str, int]]:
    """(won, tied) per prompt, of its comparisons, in order of first appearance; and the prompts left out, by reason.

    wins: the probability that the own response is preferred, of each row of ``comparisons``; None: not comparable.
    """
    value = np.array(wins, dtype=float)  # None becomes NaN
    value[compared["empty"].to_numpy()] = 0.0
    rows = pd.DataFrame({"won": value > 0.5, "tied": value == 0.5, "unknown": np.isnan(value)})
    counts = rows.groupby(compared["prompt_id"].to_numpy(), sort=False).sum()
    whole = counts[counts["unknown"] == 0]
    return whole[["won", "tied"]], {"comparison_without_a_verdict": len(counts) - len(whole)}


def by_scores(compared: pd.DataFrame, scores: pd.DataFrame) -> list[float | None]:
    """For each comparison 1, 0.5 or 0 as the own response scores higher, the same or lower; None without both scores.

    scores: SCORES.
    """
    known = scores.drop_duplicates("response_id").set_index("response_id")["score"]
    own, other = (compared[side].map(known).to_numpy(dtype=float) for side in ("own_id", "other_id"))
    difference = np.where(compared["own_id"] == compared["other_id"], 0.0, own - other)
    return [None if np.isnan(each) else 0.5 * (1.0 + np.sign(each)) for each in difference]


def by_ranker(arguments, pairs: pd.DataFrame, samples: pd.DataFrame, compared: pd.DataFrame) -> list[float | None]:
    """For each comparison the ranker's probability; None without room. Equal texts tie without being read."""
    from scripts.lib.rankers import ranker_of  # torch takes seconds to import

    text_of = dict(zip(samples["response_id"], samples["response"].fillna(""), strict=True))
    prompt_of = {}
    wanted = set(pairs["prompt_id"])
    for pair in texts_of_pairs([arguments.pairs], arguments.prompts, arguments.responses):
        if pair.prompt_id in wanted:
            prompt_of[pair.prompt_id] = pair.prompt
            text_of |= {pair.chosen_id: pair.chosen, pair.rejected_id: pair.rejected}
    asked = compared[(compared["own_id"] != compared["other_id"]) & ~compared["empty"]]
    wins: list[float | None] = [0.5] * len(compared)
    rows = zip(asked["prompt_id"], asked["own_id"], asked["other_id"], strict=True)
    found = ranker_of(arguments.ranker_spec, arguments.model_dir).first_wins(
        [(prompt_of[prompt], text_of[own], text_of[other]) for prompt, own, other in rows]
    )
    for at, win in zip(asked.index, found, strict=True):
        wins[at] = win
    return wins


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.boundary", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--suite", required=True, help="the suite's name")
    parser.add_argument("--spec", type=cli.spec_of(BoundarySuite), required=True, help="JSON of the suite")
    parser.add_argument("--samples", type=Path, required=True, help="the policy's own samples")
    parser.add_argument("--pairs", type=Path, required=True, help="the off-policy pairs")
    parser.add_argument("--scores", type=Path, nargs="+", help="of a scorer: of both, one file per family")
    parser.add_argument("--ranker-spec", type=cli.spec_of(RankerSpec), help="of a ranker: JSON of its rankers entry")
    parser.add_argument("--model-dir", type=Path, help="of a ranker trained here: its folder")
    parser.add_argument("--prompts", type=Path, nargs="+", help="of a ranker: the prompts behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", help="of a ranker: the responses behind the pairs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    spec: BoundarySuite = arguments.spec
    needed = ("scores",) if spec.scorer else ("ranker_spec", "prompts", "responses")
    if missing := [name for name in needed if getattr(arguments, name) is None]:
        parser.error(f"a boundary by {spec.scorer or spec.ranker} needs --{missing[0].replace('_', '-')}")

    samples, every = read_table(arguments.samples, SAMPLES), read_table(arguments.pairs, PAIRS)
    keys = every.assign(pair=every["chosen_id"] + every["rejected_id"])
    pairs = first_by_hash(keys, "pair", spec.prompts)
    compared, dropped = comparisons(samples, pairs)
    if spec.scorer:
        threads, wins = None, by_scores(compared, pd.concat([read_table(path, SCORES) for path in arguments.scores]))
    else:
        from scripts.lib.threads import cpu_threads  # torch takes seconds to import

        threads, wins = cpu_threads(), by_ranker(arguments, pairs, samples, compared)
    counts, unknown = verdicts(compared, wins)
    if len(counts) < 2:
        raise InputError(
            arguments.samples,
            f"{len(counts)} of {len(pairs)} prompts of {spec.pairs} can be compared ({dropped | unknown})",
            "give samples of the same prompts, and a ranker with room for them or a scorer that covers them",
        )
    log.info("%d prompts compared, left out: %s", len(counts), dropped | unknown)
    total = int(EACH * EACH * len(counts))
    v_on, ties = int(counts["won"].sum()), int(counts["tied"].sum())
    points = 100.0 * counts["won"] / EACH**2
    record = evaluation(
        arguments.name,
        arguments.suite,
        "boundary_score",
        points.tolist(),
        {"boundary_score_halves": 100.0 * (v_on + 0.5 * ties) / total},
        {
            "dataset": spec.pairs,
            "samples": spec.samples,
            "ranker": spec.ranker or spec.scorer,
            "v_on": v_on,
            "v_off": total - v_on,
            "ties": ties,
            "empty": int(compared["empty"].sum()),
            "prompts_of_dataset": int(every["prompt_id"].nunique()),
            "prompts_sampled": int(samples["prompt_id"].nunique()),
            "dropped": dropped | unknown,
            "threads": threads,
        },
    )
    write_evaluation(record, arguments.out)


if __name__ == "__main__":
    cli.run(main)
