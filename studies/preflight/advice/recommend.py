"""What to do with the pairs, from preflight's findings: as configuration to paste, with what it should gain.

Predictions are our own studies' (evidence.py) for what is moved here, and of nothing else; where no study of ours
measured a thing, the gain is left out and the sentence says that it is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from scripts.evaluation.boundaries import FINE_TUNING, stage_of
from studies.preflight.advice.evidence import Range
from studies.preflight.finding import Finding
from studies.preflight.recommendation import Recommendation, predicted
from studies.preflight.scorer.quality import NEARLY_BEST, TOP_TIER

UNIT = "points of true reward in the didactic world"
WORLD = "Measured on the didactic world, two prompt sets, five draws, two seeds (docs/results)."
ELSEWHERE = "How much of it holds for a large policy on your prompts is not known; the sign is the paper's too."
WORST_ENOUGH = 0.5
"""A rejected response within so many tiers of the worst one is low enough."""


@dataclass(frozen=True)
class Names:
    """The entries of the configuration that recommendations name; None where there is none."""

    pairs: str
    prompt_set: str
    scorer: str | None = None
    samples: str | None = None


def tiers(tier: Mapping[str, float | None], names: Names, evidence: Mapping[str, Range]) -> Recommendation:
    """Which tiers to pair. tier: mean tier of either side, 0 to 4; None where prompts have fewer than three scores."""
    chosen, rejected = tier["chosen"], tier["rejected"]
    question = "Which tiers to pair?"
    if chosen is None or rejected is None:
        return Recommendation(
            "tiers",
            "advice",
            question,
            "There is nothing to choose: prompts have two scored responses or none. See what more samples would bring.",
            evidence=WORLD,
            unknown="What better chosen responses would gain here, before there are any.",
        )
    gain = evidence["chosen_tier"].times(TOP_TIER - chosen).plus(evidence["rejected_tier"].times(-rejected))
    if chosen >= NEARLY_BEST and rejected <= WORST_ENOUGH:
        sentence = "The best response of each prompt is chosen and the worst rejected: keep it so."
        return Recommendation("tiers", "advice", question, sentence, evidence=WORLD, unknown=ELSEWHERE)
    sentence = (
        f"Best over worst: the chosen stand at tier {chosen:.1f} of 4 and the rejected at {rejected:.1f}. A tier of "
        "the chosen is worth more than one of the rejected."
    )
    return Recommendation(
        "tiers",
        "advice",
        question,
        sentence,
        configuration=f"pairs:\n  {names.pairs}_best_worst: {{kind: tiers, prompt_set: {names.prompt_set}, "
        f"scorer: {names.scorer}, chosen: best, rejected: worst}}\n",
        **predicted(gain, UNIT),
        evidence=WORLD,
        unknown=ELSEWHERE,
    )


def wider_gap(tier: Mapping[str, float | None], evidence: Mapping[str, Range]) -> Recommendation:
    """Whether to look for worse rejected responses under the same chosen ones."""
    found, rejected = evidence["rejected_tier"], tier["rejected"]
    seen = (
        "Table 1's rows with the chosen fixed. Table 3, Part 3: the paper says that a wider gap gains less where the "
        f"chosen stay the same; here it is {_told(evidence['wider_gap'])} points of win rate, the other way."
    )
    unknown = (
        "Whether quality or gap matters more is undecided in our Table 3: better chosen responses gained "
        f"{_told(evidence['quality_over_gap'])} points of win rate more."
    )
    question = "Is a wider gap worth buying?"
    if rejected is not None and rejected <= WORST_ENOUGH:
        told = "No: the rejected are the worst there are."
        return Recommendation("wider_gap", "advice", question, told, evidence=seen, unknown=unknown)
    gain = None if rejected is None else found.times(-rejected)
    return Recommendation(
        "wider_gap",
        "advice",
        question,
        f"After the chosen: a tier lower on the rejected side gained {-found.value:.1f} points, one higher on the "
        f"chosen side {evidence['chosen_tier'].value:.1f}. Do not pay for a wider gap with worse chosen responses.",
        **predicted(gain, UNIT),
        evidence=seen,
        unknown=unknown,
    )


def _told(found: Range) -> str:
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


def on_policy(boundary: Finding | None, names: Names, evidence: Mapping[str, Range]) -> Recommendation:
    """How much on-policy data now, and when to measure again."""
    question = "How much on-policy data, and when to measure again?"
    mixed = [evidence[f"on_policy_{percent}"] for percent in (10, 20)]
    seen = (
        f"A share of 10 or 20 % of best samples moved true reward by {min(each.low for each in mixed):+.1f} to "
        f"{max(each.high for each in mixed):+.1f} points over two offline datasets (Table 4): up where the offline "
        "data is bad, not where it is good."
    )
    unknown = "What a stage is worth in points on your policy; our run of alignment_stages is not in docs/results yet."
    if boundary is None or boundary.value is None:
        told = "Not known without the policy's own samples and a scorer of them: name both, two samples a prompt."
        return Recommendation("on_policy", "advice", question, told, evidence=seen, unknown=unknown)
    is_open = boundary.ci_low <= 0.5 <= boundary.ci_high
    again = "Measure again whenever the policy has been trained: before each iteration, and after each epoch."
    if is_open:
        sentence = f"Either, half of each, until more prompts tell: the policy is at the boundary. {again}"
    elif stage_of(boundary.value, 1 - boundary.value) == FINE_TUNING:
        sentence = f"All of it: the policy's samples are preferred to the pairs. {again}"
    else:
        sentence = f"None yet: the pairs are preferred to the policy's samples. {again}"
    own = f"pairs:\n  {names.pairs}_own: {{kind: ranked, samples: {names.samples}, scorer: {names.scorer}}}\n"
    return Recommendation(
        "on_policy",
        "advice",
        question,
        sentence,
        configuration=own if sentence.startswith(("All", "Either")) else "",
        evidence=f"Is On-Policy Data Always the Best Choice?, Algorithm 1. {seen}",
        unknown=unknown,
    )


def objective(findings: Mapping[str, Finding]) -> Recommendation:
    """The objective and its betas."""

    def is_raised(name: str) -> bool:
        return name in findings and findings[name].level in ("warn", "bad")

    sentence = "DPO with beta 0.1: no study of ours speaks for another."
    configuration = "training:\n  objective: dpo\n  beta: 0.1\n"
    if is_raised("length_bias"):
        sentence += " Length tells the labels: train with SimPO beside it, whose log-probs are per token, and compare."
        configuration += "  variants:\n    dpo: {}\n    simpo: {objective: simpo, beta: 2.0, options: {gamma: 1.0}}\n"
    if is_raised("displacement"):
        sentence += " Pairs displace likelihood: leave them out first."
    return Recommendation(
        "objective",
        "advice",
        "Which objective, with which betas?",
        sentence,
        configuration=configuration,
        evidence="docs/calibration.md chose learning rate and epochs at beta 0.1; studies/three_d compares gradients "
        "of all objectives on tabular policies.",
        unknown="No study of ours has compared objectives or betas on language models at equal tuning. A smaller beta "
        "for the rejected (flex_dpo) dampens their fall only down to a point (studies/three_d).",
    )


def drop(rows: pd.DataFrame, names: Names, path: str) -> Recommendation:
    """Which pairs to leave out. rows: of rows.parquet, with ``drop``."""
    counts = pd.Series([reason for reasons in rows["drop"] for reason in reasons], dtype=object).value_counts()
    dropped = int((rows["drop"].map(len) > 0).sum())
    question = "Which pairs to leave out?"
    if not dropped:
        return Recommendation("drop", "advice", question, "None.")
    return Recommendation(
        "drop",
        "advice",
        question,
        f"{dropped} of {len(rows)}, each with its reason in {path}.",
        configuration=f"pairs:\n  {names.pairs}_kept: {{kind: without, base: {names.pairs}, drop: {path}}}\n",
        evidence="docs/preflight_validation.md: what the list finds of planted faults.",
        unknown="What leaving them out gains in training. Train with and without: studies/compare.",
        table=[{"reason": reason, "pairs": int(count)} for reason, count in counts.items()],
    )
