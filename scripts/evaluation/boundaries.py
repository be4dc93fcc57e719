"""Table of boundary measurements: the stage of each policy, and the data to train it on next.

score: V_on / (V_on + V_off), with a 95 % interval over prompts. stage: injection where V_off > V_on, else fine-tuning.
recommended: off-policy pairs in the injection stage, pairs of the policy's own samples in the fine-tuning stage.
score_halves, stage_halves: with ties counted as halves. measured: the share of the dataset's prompts that were
compared, by which the paper counts the cost (2,000 of 61,135 prompts: "3.2 % of a single training epoch"). to_sample:
responses that the recommended data still lacks. note: what to know before following the recommendation.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.results import Evaluation, read_evaluation

COLUMNS = ["policy", "dataset", "ranker", "n_prompts", "v_on", "v_off", "score", "ci_low", "ci_high", "stage"]
COLUMNS += ["recommended", "ties", "score_halves", "stage_halves", "measured", "to_sample", "note"]
LEVEL = 0.95
INJECTION, FINE_TUNING = "injection", "fine-tuning"
RECOMMENDED = {INJECTION: "off-policy", FINE_TUNING: "on-policy"}
A_PAIR = 2
"""Samples of a prompt that on-policy pairs need."""


def stage_of(v_on: float, v_off: float) -> str:
    """The algorithm's decision, equal counts included."""
    return INJECTION if v_off > v_on else FINE_TUNING


def interval(shares: Sequence[float]) -> tuple[float, float]:
    """The interval of the mean of prompts' shares in [0, 1].

    Wilson's, with the number of independent comparisons that the spread between prompts shows (Kish's effective sample
    size) and Student's t: a normal interval is empty where all prompts agree, and too short near 0 and 1. In
    simulations of 20 to 500 prompts it covered the truth 95 to 97 % of the time at 0.5, and 92 to 98 % from 0.03 to
    0.97.
    """
    values = np.asarray(shares, dtype=float)
    n, mean = len(values), float(values.mean())
    spread = float(values.var(ddof=1)) / n
    effective = mean * (1 - mean) / spread if spread > 0 else n
    z = float(stats.t.ppf((1 + LEVEL) / 2, n - 1))
    middle = (mean + z * z / (2 * effective)) / (1 + z * z / effective)
    half = z / (1 + z * z / effective) * math.sqrt(mean * (1 - mean) / effective + (z / (2 * effective)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def row_of(found: Evaluation) -> dict[str, object]:
    """A row of the table from the record of a boundary suite."""
    counted = found.details
    v_on, v_off, ties = (int(counted[name]) for name in ("v_on", "v_off", "ties"))
    stage, halves = stage_of(v_on, v_off), stage_of(v_on + ties / 2, v_off - ties / 2)
    low, high = interval([value / 100 for value in found.values])
    own = stage == FINE_TUNING
    notes = [
        "0.5 is inside the interval: more prompts would tell" if low <= 0.5 <= high else "",
        f"{ties} ties decide: counted as halves, the stage is {halves}" if halves != stage else "",
    ]
    return {
        "policy": found.policy,
        "dataset": counted["dataset"],
        "ranker": counted["ranker"],
        "n_prompts": found.n,
        "v_on": v_on,
        "v_off": v_off,
        "score": v_on / (v_on + v_off),
        "ci_low": low,
        "ci_high": high,
        "stage": stage,
        "recommended": RECOMMENDED[stage],
        "ties": ties,
        "score_halves": (v_on + ties / 2) / (v_on + v_off),
        "stage_halves": halves,
        "measured": found.n / counted["prompts_of_dataset"],
        "to_sample": A_PAIR * max(0, counted["prompts_of_dataset"] - counted["prompts_sampled"]) if own else 0,
        "note": "; ".join(each for each in notes if each),
    }


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.boundaries", __doc__)
    parser.add_argument("--evaluations", type=Path, nargs="*", default=[], help="records of boundary suites")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    if not arguments.evaluations:
        raise InputError(
            "evaluation.suites",
            "none of kind boundary, or none whose sample set names a policy",
            "add one as docs/boundary.md shows",
        )
    write_csv([row_of(read_evaluation(path)) for path in arguments.evaluations], COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
