"""Makes a dataset with a given mean chosen score and a given mean gap.

Table 3 of "What Matters in Data for DPO?" (section 5.3) compares datasets with large and small gaps and with high
and low chosen scores, all selected from the same responses. The paper gives the means of its datasets (Tables 3 and 5),
but not how they were selected. Here each prompt gives one pair, and of all such selections this takes

    the one that minimises  sum over prompts of (chosen - c)^2 + (gap - g)^2
    subject to              mean chosen = c,  mean gap = g

so the means equal the targets, and single pairs are as close to them as the responses allow. The Lagrangian shifts the
targets and keeps the form, so each prompt takes the pair nearest to an aim (a, b) common to all prompts; the aim is
found by bisection, since the mean gap grows with b, and the mean chosen score with a at the best b. Only whole pairs
can be selected: the means are met up to a step of a few prompts.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import GapPairs
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, RESPONSES
from scripts.lib.scored import read_scored
from scripts.lib.tables import ordered, read_table, runs_of, write_json, write_table

DOUBLINGS = 12
HALVINGS = 50
ROWS = 1 << 19
"""Responses processed at a time, each paired with all responses of its prompt."""


def candidates(scored: pd.DataFrame) -> pd.DataFrame:
    """Every pair of a prompt's responses with unequal scores, as PAIRS, sorted by prompt and ids.

    scored: (prompt_id, response_id, score).
    """
    scored = ordered(scored, ["prompt_id", "response_id"])
    start, size = runs_of(scored["prompt_id"])
    start, size, score = np.repeat(start, size), np.repeat(size, size), scored["score"].to_numpy()
    found = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for first in range(0, len(scored), ROWS):
        here = slice(first, first + ROWS)
        upper = np.repeat(np.arange(len(scored))[here], size[here])
        within_prompt = np.arange(len(upper)) - np.repeat(np.cumsum(size[here]) - size[here], size[here])
        lower = np.repeat(start[here], size[here]) + within_prompt
        differ = score[upper] > score[lower]
        found.append((upper[differ], lower[differ]))
    upper, lower = (np.concatenate(side) for side in zip(*found, strict=True))
    return pd.DataFrame(
        {
            "prompt_id": scored["prompt_id"].array.take(upper),
            "chosen_id": scored["response_id"].array.take(upper),
            "rejected_id": scored["response_id"].array.take(lower),
            "chosen_score": score[upper],
            "rejected_score": score[lower],
        }
    )


def within(pairs: pd.DataFrame, above: pd.DataFrame | None, below: pd.DataFrame | None) -> pd.DataFrame:
    """The candidates whose chosen score is above ``above``'s rejected and rejected score below ``below``'s chosen."""
    for bound, mine, theirs in ((above, "chosen_score", "rejected_score"), (below, "rejected_score", "chosen_score")):
        if bound is not None:
            limit = pairs["prompt_id"].map(bound.set_index("prompt_id")[theirs])
            pairs = pairs[pairs[mine] > limit if theirs == "rejected_score" else pairs[mine] < limit]
    return pairs.reset_index(drop=True)


def select(pairs: pd.DataFrame, mean_chosen: float, mean_gap: float, tolerance: float) -> pd.DataFrame:
    """One candidate per prompt, the means as close to their targets as the data allow.

    pairs: :func:`candidates`. The search stops once both means are within a hundredth of ``tolerance``. Of pairs
    equally near to the aim the first is taken.
    """
    chosen = pairs["chosen_score"].to_numpy()
    gap = chosen - pairs["rejected_score"].to_numpy()
    starts, sizes = runs_of(pairs["prompt_id"])
    prompt = np.repeat(np.arange(len(starts)), sizes)
    close = tolerance / 100

    def nearest(a: float, b: float) -> np.ndarray:
        cost = (chosen - a) ** 2 + (gap - b) ** 2
        best = np.flatnonzero(cost == np.minimum.reduceat(cost, starts)[prompt])
        return best[np.r_[True, prompt[best][1:] != prompt[best][:-1]]]

    aim = [mean_chosen, mean_gap]
    step = max(float(np.ptp(chosen)), tolerance) / 8

    def gap_at(b: float) -> float:
        aim[:] = solve(lambda a: chosen[nearest(a, b)].mean() - mean_chosen, aim[0], step, close), b
        return gap[nearest(*aim)].mean() - mean_gap

    solve(gap_at, aim[1], step, close)
    return pairs.iloc[nearest(*aim)].reset_index(drop=True)


def solve(function: Callable[[float], float], start: float, step: float, close: float) -> float:
    """Where a rising step function crosses zero, or comes closest to it; the search ends within ``close`` of zero.

    The last call of the function is at the point returned.
    """
    seen: dict[float, float] = {}

    def value(at: float) -> float:
        if at not in seen:
            seen[at] = function(at)
        return seen[at]

    low = high = start
    for _ in range(DOUBLINGS):
        if abs(value(low)) <= close or abs(value(high)) <= close or value(low) < 0 < value(high):
            break
        low, high, step = (low - step, low, 2 * step) if value(low) > 0 else (high, high + step, 2 * step)
    for _ in range(HALVINGS if value(low) < 0 < value(high) else 0):
        middle = (low + high) / 2
        if min(abs(value(low)), abs(value(high))) <= close or middle in (low, high):
            break
        low, high = (middle, high) if value(middle) < 0 else (low, middle)
    best = min(seen, key=lambda at: (abs(seen[at]), at))
    function(best)
    return best


def described(values: pd.Series) -> dict[str, float]:
    """Mean, spread and quartiles of scores or gaps, for a card."""
    found = values.describe()
    return {name: float(found[name]) for name in ("mean", "std", "min", "25%", "50%", "75%", "max")}


def main() -> None:
    parser = cli.parser_of("scripts.pairs.gap", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(GapPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--responses", type=Path, required=True, help="the prompt set's responses")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="one file per family")
    parser.add_argument("--of", type=Path, nargs="*", default=[], help="responses.parquet of spec.sources")
    parser.add_argument("--chosen-above", type=Path, help="pairs of spec.chosen_above")
    parser.add_argument("--rejected-below", type=Path, help="pairs of spec.rejected_below")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()
    spec = arguments.spec

    scored, unscored = read_scored(arguments.responses, arguments.scores)
    if arguments.of:
        allowed = pd.concat([read_table(path, RESPONSES, ["response_id"])["response_id"] for path in arguments.of])
        scored = scored[scored["response_id"].isin(allowed)]
    bounds = [read_table(path, PAIRS) if path else None for path in (arguments.chosen_above, arguments.rejected_below)]
    pool = candidates(scored)
    bounded = within(pool, *bounds)
    if bounded.empty:
        raise InputError(
            arguments.responses,
            "no prompt has two responses with different scores, within what chosen_above and rejected_below leave",
            "choose a scorer that covers the data, or add responses",
        )
    pairs = select(bounded, spec.mean_chosen, spec.mean_gap, spec.tolerance)
    gaps = pairs["chosen_score"] - pairs["rejected_score"]
    for name, reached in (("mean_chosen", pairs["chosen_score"].mean()), ("mean_gap", gaps.mean())):
        if abs(reached - getattr(spec, name)) > spec.tolerance:
            raise InputError(
                f"pairs over {arguments.responses}",
                f"{name} {getattr(spec, name):g} cannot be reached: the nearest selection has mean chosen score "
                f"{pairs['chosen_score'].mean():.4g} and mean gap {gaps.mean():.4g}; single responses score from "
                f"{scored['score'].min():.4g} to {scored['score'].max():.4g}, on average {scored['score'].mean():.4g}",
                "set targets that these responses have, or a larger tolerance",
            )
    origin = f"gap {spec.mean_gap:g} under {spec.mean_chosen:g}"
    write_table(pairs.assign(origin=origin), arguments.out, PAIRS)
    prompts = scored["prompt_id"].nunique()
    write_json(
        {
            **spec.model_dump(),
            "pairs": len(pairs),
            "reached": {"mean_chosen": float(pairs["chosen_score"].mean()), "mean_gap": float(gaps.mean())},
            "chosen": described(pairs["chosen_score"]),
            "rejected": described(pairs["rejected_score"]),
            "gap": described(gaps),
            "dropped": {
                "response_without_score": unscored,
                "prompt_without_unequal_scores": prompts - pool["prompt_id"].nunique(),
                "prompt_without_a_pair_in_bounds": pool["prompt_id"].nunique() - len(pairs),
            },
        },
        arguments.card,
    )


if __name__ == "__main__":
    cli.run(main)
