"""How the policy sees both sides: how like its own samples they are, how far apart, which it prefers by itself.

All of it is read from stored log-probs. Per token, because a longer response has the lower sum whatever it says;
summed, because that is what DPO's loss moves.

own_rank      the share of the policy's own samples of the prompt that it gives a lower log-prob per token, ties as
              halves: uniform, 0.5 on average, for a response that the policy itself would have written
implicit_gap  log pi(chosen) - log pi(rejected), in nats; the average is intra-diversity, equation 12 of "Is On-Policy
              Data Always the Best Choice?", which is signed and can cancel
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from scripts.evaluation.preference import Likelihoods
from studies.preflight.finding import Finding
from studies.preflight.intervals import mean, share
from studies.preflight.shares import percent
from studies.preflight.sides import SIDES

FOREIGN = 0.2
"""A side whose rank among the policy's own samples is below this on average is off-policy."""
STAGES = "Is On-Policy Data Always the Best Choice?, appendices C.5 and F.1; our study alignment_stages"
THREE_D = "3D-Properties, Corollaries 1 to 3; our study three_d, which finds Corollary 3 to hold only for pi- > pi+"


def with_logprobs(sides: pd.DataFrame, likelihoods: Likelihoods) -> pd.DataFrame:
    """Adds of either side {side}_logp (nats) and {side}_logp_token (nats a token), implicit_gap and implicit_gap_token.

    NaN where the policy has no log-probs of a response, whose prompt then fills its max_length.
    """
    found = sides.copy()
    for side in SIDES:
        values = [likelihoods.get(each, (np.nan, 1)) for each in sides[f"{side}_id"]]
        sums, tokens = np.array(values, dtype=float).reshape(-1, 2).T
        found[f"{side}_logp"], found[f"{side}_logp_token"] = sums, sums / tokens
    for name in ("", "_token"):
        found[f"implicit_gap{name}"] = found[f"chosen_logp{name}"] - found[f"rejected_logp{name}"]
    return found


def own_ranks(rows: pd.DataFrame, samples: pd.DataFrame, likelihoods: Likelihoods) -> Mapping[str, np.ndarray]:
    """{side}_own_rank of every pair; NaN where the side or all samples of the prompt have no log-probs.

    rows: :func:`with_logprobs`. samples: SAMPLES; a text that was sampled twice counts twice.
    """
    known = samples[samples["response_id"].isin(likelihoods)]
    each_token = [np.divide(*likelihoods[each]) for each in known["response_id"]]
    own = {prompt: np.sort(of) for prompt, of in pd.Series(each_token).groupby(known["prompt_id"].to_numpy())}

    def rank(prompt: str, value: float) -> float:
        values = own.get(prompt)
        if values is None or np.isnan(value):
            return np.nan
        below, up_to = (np.searchsorted(values, value, side) for side in ("left", "right"))
        return (below + up_to) / 2 / len(values)

    return {
        f"{side}_own_rank": np.array(
            [rank(*each) for each in zip(rows["prompt_id"], rows[f"{side}_logp_token"], strict=True)]
        )
        for side in SIDES
    }


def on_policy(rows: pd.DataFrame) -> list[Finding]:
    """How on-policy either side is. rows: with chosen_own_rank and rejected_own_rank."""
    findings = []
    for side in SIDES:
        found = mean(rows[f"{side}_own_rank"], rows["prompt_id"])
        below_all = share(
            (rows[f"{side}_own_rank"] == 0).astype(float).where(rows[f"{side}_own_rank"].notna()), rows["prompt_id"]
        )
        word = "off-policy" if found.high < FOREIGN else "partly on-policy" if found.high < 0.5 else "on-policy"
        findings.append(
            Finding(
                f"{side}_on_policy",
                "policy",
                f"How like the policy's own samples are the {side} responses?",
                f"They are {word}: the policy gives them a higher log-prob per token than {percent(found.value)} of "
                f"its own samples, and a lower one than all of them in {percent(below_all.value)} of the pairs; its "
                "own would stand at 50 %.",
                **found.numbers("share"),
                level="note" if found.high < FOREIGN else "good",
                evidence=STAGES,
                pairs=rows.nsmallest(10, f"{side}_logp_token")["pair"],
                column=f"{side}_own_rank",
            )
        )
    return findings


def intra_diversity(rows: pd.DataFrame) -> Finding:
    """rows: with implicit_gap."""
    found = mean(rows["implicit_gap"], rows["prompt_id"])
    size = mean(rows["implicit_gap"].abs(), rows["prompt_id"])
    each_token = mean(rows["implicit_gap_token"].abs(), rows["prompt_id"])
    return Finding(
        "intra_diversity",
        "policy",
        "How differently does the policy see the two sides?",
        f"Chosen minus rejected log-prob is {found:.1f} nats on average, {size.value:.1f} in size, "
        f"{each_token.value:.2f} a token.",
        **found.numbers("nats"),
        level="note",
        evidence=STAGES,
        pairs=rows.loc[rows["implicit_gap"].abs().nlargest(10).index, "pair"],
        column="implicit_gap",
    )


def implicit_labels(rows: pd.DataFrame) -> Finding:
    """Whether the untrained policy orders the pairs as labelled. rows: with implicit_gap and implicit_gap_token."""
    agrees, by_token = (
        share(((np.sign(rows[name]) + 1) / 2).where(rows[name].notna()), rows["prompt_id"])
        for name in ("implicit_gap", "implicit_gap_token")
    )
    return Finding(
        "implicit_labels",
        "policy",
        "Which side does the policy prefer before training?",
        f"It gives the chosen response the higher log-prob in {percent(agrees.value)} of the pairs, "
        f"{percent(by_token.value)} a token.",
        **agrees.numbers("share"),
        level="note",
        evidence="3D-Properties, Figures 5 and 7 to 9: ranking accuracy of likelihoods; suites of kind preference",
        pairs=rows.nsmallest(10, "implicit_gap")["pair"],
        column="implicit_gap_token",
    )


def signature(rows: pd.DataFrame) -> Finding:
    """Which of the 3D properties to expect. rows: with implicit_gap; rejected_own_rank where there are samples."""
    spills = (rows["implicit_gap"] < 0).astype(float).where(rows["implicit_gap"].notna())
    found = share(spills, rows["prompt_id"])
    median = float(rows.loc[rows["implicit_gap"] > 0, "implicit_gap"].median())
    sentence = (
        f"In {percent(found.value)} of the pairs the rejected response is the likelier one: pushing it down raises "
        "the likelihood of responses that no pair holds. In the others the rejected likelihood falls faster than the "
        f"chosen rises, at the first step by a factor of e^{median:.1f} in the median pair."
    )
    if "rejected_own_rank" in rows:
        rank = rows["rejected_own_rank"]
        unlikely = share((rank == 0).astype(float).where(rank.notna()), rows["prompt_id"])
        sentence += (
            f" {percent(unlikely.value)} of the rejected are less likely than any of the policy's own samples: "
            "off-policy rejected responses are those whose likelihood the paper sees collapse."
        )
    return Finding(
        "signature",
        "policy",
        "What will the likelihoods do in training?",
        sentence,
        **found.numbers("share"),
        level="note",
        evidence=THREE_D,
        pairs=rows.nsmallest(10, "implicit_gap")["pair"],
        column="implicit_gap",
    )
