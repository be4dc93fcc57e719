"""Preflight's advice: recommendations from the findings of all parts, and what would move if there were more."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.schemas import SAMPLES
from scripts.lib.tables import read_table
from studies.preflight.advice import recommend, what_if
from studies.preflight.advice.evidence import read_evidence
from studies.preflight.finding import Finding, read_findings
from studies.preflight.measures import read_measures
from studies.preflight.recommendation import Recommendation, write_recommendations
from studies.preflight.scorer.quality import ranks_of
from studies.preflight.sides import SIDES, read_responses, read_scores


def mean_tiers(rows: pd.DataFrame, scored: pd.DataFrame | None) -> dict[str, float | None]:
    """The mean tier of either side; None where it is not known."""
    if scored is None:
        return dict.fromkeys(SIDES)
    tiers = {side: ranks_of(rows[f"{side}_id"], scored).mean() for side in SIDES}
    return {side: None if pd.isna(value) else float(value) for side, value in tiers.items()}


def advised(
    rows: pd.DataFrame,
    findings: Mapping[str, Finding],
    names: recommend.Names,
    drop: str,
    scored: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    scores: pd.Series | None = None,
) -> list[Recommendation]:
    """All recommendations, then all what-ifs that the inputs allow.

    rows: rows.parquet. findings: by name. drop: the path of the list of pairs to drop. scored: (prompt_id, response_id,
    family, score) of every scored response to the prompts, own samples left out. samples: SAMPLES of the policy, and
    scores: response id -> score, theirs too.
    """
    evidence, tier = read_evidence(), mean_tiers(rows, scored)
    found = [
        recommend.tiers(tier, names, evidence),
        recommend.wider_gap(tier, evidence),
        recommend.on_policy(findings.get("boundary"), names, evidence),
        recommend.objective(findings),
        recommend.drop(rows, names, drop),
    ]
    if scored is None:
        return found
    own = what_if.own_matrix(rows, samples, scores) if samples is not None and scores is not None else None
    what_ifs = [
        what_if.more_samples(rows, own) if own is not None else None,
        what_if.stronger_generator(rows, scored, own),
        what_if.cleaner_scorer(rows, own),
    ]
    return found + [each for each in what_ifs if each]


def read_scored(responses: Sequence[Path], scores: pd.Series, prompts: pd.Series) -> pd.DataFrame:
    """(prompt_id, response_id, family, score) of the scored responses to some prompts."""
    found = read_responses(responses)[["prompt_id", "response_id", "family"]]
    found = found[found["prompt_id"].isin(prompts)]
    return found.assign(score=found["response_id"].map(scores)).dropna(subset="score").reset_index(drop=True)


def main() -> None:
    parser = cli.parser_of("studies.preflight.advice.measure", __doc__)
    parser.add_argument("--names", type=cli.spec_of(recommend.Names), required=True, help="JSON of recommend.Names")
    parser.add_argument("--rows", type=Path, required=True, help="rows.parquet")
    parser.add_argument("--findings", type=Path, nargs="+", required=True, help="of every part")
    parser.add_argument("--drop", required=True, help="the list of pairs to drop, as the configuration names it")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the responses behind the pairs")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="of the pairs' families and the samples")
    parser.add_argument("--samples", type=Path, help="the policy's own samples")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    rows = read_measures(arguments.rows)
    scores = read_scores(arguments.scores) if arguments.scores else None
    scored = None if scores is None else read_scored(arguments.responses, scores, rows["prompt_id"])
    samples = read_table(arguments.samples, SAMPLES) if arguments.samples else None
    findings = {each.name: each for path in arguments.findings for each in read_findings(path)}
    found = advised(rows, findings, arguments.names, arguments.drop, scored, samples, scores)
    write_recommendations(found, arguments.out)


if __name__ == "__main__":
    cli.run(main)
