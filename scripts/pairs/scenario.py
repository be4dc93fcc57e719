"""Makes pairs that differ only in who wrote them: the policy itself (on-policy), or others (off-policy).

"3D-Properties", section 4.2 and Table 3: of a prompt's own samples the best and the worst by a judge that knows the
solution; off-policy, the solution that came with the prompt, and the answer of a weaker model. Prompts whose samples
are all good or all bad are dropped. The paper does not say whether its four scenarios have the same prompts; here they
have, so that a prompt is also dropped if one of its four pairs would have no chosen response that is good and above the
rejected one.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.pairs import ScenarioPairs
from scripts.lib.errors import InputError
from scripts.lib.families import family_of
from scripts.lib.lineage import without_start
from scripts.lib.schemas import PAIRS, RESPONSES, SCORES
from scripts.lib.tables import ordered, read_table, write_json, write_table

SIDES = {
    ("chosen", "on"): "best",
    ("chosen", "off"): "solution",
    ("rejected", "on"): "worst",
    ("rejected", "off"): "weaker",
}
"""Side and writer -> whose response it is."""


def candidates(scored: pd.DataFrame, spec: ScenarioPairs) -> pd.DataFrame:
    """A prompt's four responses, by prompt: (best, worst, solution, weaker) x (id, score); missing ones are null.

    scored: (prompt_id, response_id, family, score). Ties among own samples go to the first by id.
    """
    is_own = scored["family"].map(without_start) == f"{spec.prompt_set}.{spec.samples}"
    best = ordered(scored[is_own], ["prompt_id", "score", "response_id"], descending=["score"])
    parts = {
        "best": best,
        "worst": ordered(scored[is_own], ["prompt_id", "score", "response_id"]),
        "solution": scored[scored["family"] == family_of(spec.prompt_set, spec.solutions)],
        "weaker": scored[scored["family"] == family_of(spec.prompt_set, spec.weaker)],
    }
    found = pd.DataFrame(index=pd.Index(scored["prompt_id"].drop_duplicates().sort_values(), name="prompt_id"))
    for name, part in parts.items():
        one = part.drop_duplicates("prompt_id").set_index("prompt_id")[["response_id", "score"]]
        found = found.join(one.rename(columns={"response_id": f"{name}_id", "score": f"{name}_score"}))
    return found.reset_index()


def pair(four: pd.DataFrame, spec: ScenarioPairs) -> tuple[pd.DataFrame, dict[str, int]]:
    """PAIRS by prompt id, and how many prompts gave none, by the first reason that holds."""
    reasons = {
        "no_sample": four["best_score"].isna(),
        "samples_all_good": four["worst_score"] >= spec.good,
        "samples_all_bad": four["best_score"] < spec.good,
        "solution_not_good": ~(four["solution_score"] >= spec.good),
        "weaker_answer_not_below": ~(four["weaker_score"] < four[["best_score", "solution_score"]].min(axis=1)),
    }
    dropped, left = {}, pd.Series(True, index=four.index)
    for reason, holds in reasons.items():
        dropped[reason] = int((left & holds).sum())
        left &= ~holds
    kept = four[left].reset_index(drop=True)
    chosen, rejected = SIDES["chosen", spec.chosen], SIDES["rejected", spec.rejected]
    columns = {
        f"{side}_{what}": kept[f"{of}_{what}"]
        for what in ("id", "score")
        for side, of in (("chosen", chosen), ("rejected", rejected))
    }
    pairs = kept[["prompt_id"]].assign(**columns, origin=f"{spec.chosen}-policy over {spec.rejected}-policy")
    return pairs[list(PAIRS.columns)], dropped


def read_candidates(responses: Sequence[Path], scores: Sequence[Path], spec: ScenarioPairs) -> tuple[pd.DataFrame, int]:
    """The prompts' candidates, and the number of responses without a score."""
    columns = ["prompt_id", "response_id", "family"]
    known = pd.concat([read_table(path, RESPONSES, columns) for path in responses], ignore_index=True)
    given = pd.concat([read_table(path, SCORES) for path in scores]).drop_duplicates("response_id")
    scored = known.merge(given, on="response_id")
    return candidates(scored, spec), len(known) - len(scored)


def main() -> None:
    parser = cli.parser_of("scripts.pairs.scenario", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(ScenarioPairs), required=True, help="JSON of the pairs entry")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the prompt set's, and the samples'")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="one file per family")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    four, unscored = read_candidates(arguments.responses, arguments.scores, spec)
    pairs, dropped = pair(four, spec)
    if pairs.empty:
        raise InputError(
            arguments.responses[-1],
            f"no prompt gives a pair ({dropped})",
            "draw more samples a prompt, take problems that the policy can solve sometimes, or lower good",
        )
    write_table(pairs, arguments.out, PAIRS)
    dropped["response_without_score"] = unscored
    write_json({**spec.model_dump(), "pairs": len(pairs), "dropped": dropped}, arguments.card)


if __name__ == "__main__":
    cli.run(main)
