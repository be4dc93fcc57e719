"""The scorer's part of preflight: quality, gap, reversed labels, and what the scorer itself is worth.

Writes the findings, and of every pair chosen_score, rejected_score, scorer_gap, chosen_rank (0 to 4 among the
responses to its prompt), chosen_tier (its name), label_wrong (the probability that its label is wrong), and the reason
to drop it, if there is one.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from studies.preflight.finding import Finding, write_findings
from studies.preflight.measures import write_frame
from studies.preflight.scorer import labels, quality
from studies.preflight.sides import read_responses, read_scores, read_sides, with_scores

COLUMNS = ["pair", "chosen_score", "rejected_score", "scorer_gap", "chosen_rank", "chosen_tier", "label_wrong"]


def measured(sides: pd.DataFrame, scored: pd.DataFrame) -> tuple[list[Finding], pd.DataFrame]:
    """The findings, and a row per pair (COLUMNS, drop).

    sides: :func:`with_scores`. scored: (prompt_id, response_id, score) of every scored response to the prompts.
    """
    rows = sides.assign(scorer_gap=sides["chosen_score"] - sides["rejected_score"])
    rows["chosen_rank"] = quality.ranks_of(rows["chosen_id"], scored)
    rows["chosen_tier"] = quality.tier_names(rows["chosen_rank"])
    rows["label_wrong"] = labels.wrong(rows["scorer_gap"])
    noise = labels.wrong_labels(rows)
    findings = [
        quality.quality(rows, scored),
        quality.gap(rows, scored),
        *([tier] if (tier := quality.tier(rows)) else []),
        labels.reversed_labels(rows),
        noise,
        quality.saturation(rows, scored),
        labels.by_length(rows),
    ]
    is_settled = labels.noise_of(rows)[1]
    doubted = (rows["label_wrong"] > labels.MORE_LIKELY_THAN_NOT) & (is_settled and noise.level != "good")
    return findings, rows[COLUMNS].assign(drop=[[labels.REASON] if each else [] for each in doubted])


def main() -> None:
    parser = cli.parser_of("studies.preflight.scorer.measure", __doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="the prompts behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the responses behind the pairs")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="of the scorer, one file per family")
    parser.add_argument("--findings", type=Path, required=True, help="where the findings are written")
    parser.add_argument("--out", type=Path, required=True, help="where the measures of every pair are written")
    arguments = parser.parse_args()

    responses, scores = read_responses(arguments.responses), read_scores(arguments.scores)
    sides = with_scores(read_sides(arguments.pairs, arguments.prompts, responses), scores)
    if not sides[["chosen_score", "rejected_score"]].notna().all(axis=1).any():
        raise InputError(
            arguments.pairs, "the scorer scored both responses of none of its pairs", "name another scorer"
        )
    of_prompts = responses[responses["prompt_id"].isin(sides["prompt_id"])]
    scored = of_prompts[["prompt_id", "response_id"]].assign(score=of_prompts["response_id"].map(scores)).dropna()
    findings, rows = measured(sides, scored)
    write_findings(findings, arguments.findings)
    write_frame(rows, arguments.out)


if __name__ == "__main__":
    cli.run(main)
