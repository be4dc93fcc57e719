"""The policy's part of preflight: what the pairs hold that it cannot do, and how it sees both sides of each.

Writes the findings and the columns (COLUMNS; those that need samples or a scorer only with them) of every pair.
"""

from pathlib import Path

import pandas as pd

from scripts.evaluation.preference import read_likelihoods
from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.schemas import SAMPLES
from scripts.lib.tables import read_table
from studies.preflight.finding import Finding, write_findings
from studies.preflight.measures import write_frame
from studies.preflight.policy import coverage, displacement, likelihood, stage
from studies.preflight.policy.displacement import OF_HIDDEN, OF_TOKENS
from studies.preflight.scorer.quality import spread_of
from studies.preflight.sides import SIDES, read_responses, read_scores, read_sides, with_scores

OF_LIKELIHOOD = [f"{side}_{name}" for side in SIDES for name in ("logp", "logp_token")]
OF_LIKELIHOOD += ["implicit_gap", "implicit_gap_token"]
OF_SAMPLES = ["chosen_own_rank", "rejected_own_rank"]
OF_OWN_SCORES = ["own_mean", "own_best"]
COLUMNS = ["pair", *OF_LIKELIHOOD, *OF_SAMPLES, *OF_OWN_SCORES, *OF_TOKENS, *OF_HIDDEN]


def measured(
    sides: pd.DataFrame,
    likelihoods: dict[str, tuple[float, int]],
    overlap: pd.DataFrame,
    samples: pd.DataFrame | None = None,
    scores: pd.Series | None = None,
) -> tuple[list[Finding], pd.DataFrame]:
    """The findings, and a row per pair (those of COLUMNS that there are, drop).

    sides: (pair, prompt_id, chosen_id, rejected_id, ...). overlap: (pair, OF_TOKENS, OF_HIDDEN). samples: SAMPLES of
    the policy. scores: by response_id, of the pairs' responses and the samples.
    """
    rows = likelihood.with_logprobs(sides, likelihoods).merge(overlap, on="pair", how="left")
    findings: list[Finding] = []
    if samples is not None:
        rows = rows.assign(**likelihood.own_ranks(rows, samples, likelihoods))
    if samples is not None and scores is not None and samples["response_id"].isin(scores.index).any():
        rows = with_scores(rows, scores).merge(coverage.own_scores(samples, scores), on="prompt_id", how="left")
        if rows[["own_best", "chosen_score"]].notna().all(axis=1).any():
            findings += _with_scores(rows, samples, scores)
    if samples is not None:
        findings += likelihood.on_policy(rows)
    findings += [
        likelihood.implicit_labels(rows),
        likelihood.intra_diversity(rows),
        likelihood.signature(rows),
        displacement.token_overlap(rows),
        displacement.displacement(rows),
    ]
    is_bad = findings[-1].level != "good"
    drop = [[displacement.REASON] if is_bad and each == 1 else [] for each in displacement.is_weak(rows)]
    return findings, rows[[name for name in COLUMNS if name in rows]].assign(drop=drop)


def _with_scores(rows: pd.DataFrame, samples: pd.DataFrame, scores: pd.Series) -> list[Finding]:
    ids = [samples[["prompt_id", "response_id"]]]
    ids += [rows[["prompt_id", f"{side}_id"]].set_axis(["prompt_id", "response_id"], axis=1) for side in SIDES]
    every = pd.concat(ids, ignore_index=True)
    found = stage.boundary(rows, samples, scores)
    spread = spread_of(every.assign(score=every["response_id"].map(scores)).dropna())
    return [coverage.headroom(rows, spread), coverage.coverage(rows), *([found[0]] if found else [])]


def main() -> None:
    parser = cli.parser_of("studies.preflight.policy.measure", __doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="the prompts behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the responses behind the pairs")
    parser.add_argument("--logprobs", type=Path, nargs="+", required=True, help="of their families and of the samples")
    parser.add_argument("--overlap", type=Path, required=True, help="the table of studies.preflight.policy.overlap")
    parser.add_argument("--samples", type=Path, help="the policy's own samples")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="of pairs' families and the samples")
    parser.add_argument("--findings", type=Path, required=True, help="where the findings are written")
    parser.add_argument("--out", type=Path, required=True, help="where the measures of every pair are written")
    arguments = parser.parse_args()

    sides = read_sides(arguments.pairs, arguments.prompts, read_responses(arguments.responses))
    likelihoods = read_likelihoods(arguments.logprobs)
    samples = read_table(arguments.samples, SAMPLES) if arguments.samples else None
    scores = read_scores(arguments.scores) if arguments.scores else None
    if not set(sides["prompt_id"]) & set(sides["prompt_id"] if samples is None else samples["prompt_id"]):
        raise InputError(arguments.samples, f"samples no prompt of {arguments.pairs}", "sample the same prompt set")
    findings, rows = measured(sides, likelihoods, pd.read_parquet(arguments.overlap), samples, scores)
    write_findings(findings, arguments.findings)
    write_frame(rows, arguments.out)


if __name__ == "__main__":
    cli.run(main)
