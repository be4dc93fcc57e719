"""What would move if there were more samples, a stronger generator or a cleaner scorer: by resampling what is there.

Three numbers, as means over pairs: the chosen score, the gap, and the boundary score against the policy's own samples
(the share of comparisons of an own sample with either side that the sample wins; a tie is none, as in Algorithm 1).

More samples: in an order of a prompt's own samples the first two stand for the policy, and the next j are new
responses; the best of them and of the pair is chosen, the worst rejected. Values are means over orders. What more
samples than there are would bring is not known.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from scripts.evaluation.boundary import EACH
from scripts.lib.ids import seed_of
from studies.preflight.intervals import mean
from studies.preflight.recommendation import Recommendation, predicted
from studies.preflight.scorer.quality import FEW

ORDERS = 64
UNKNOWN = "The same scorer picks and judges, so that its own mistakes count as gains: expect less."


def own_matrix(rows: pd.DataFrame, samples: pd.DataFrame, scores: pd.Series) -> np.ndarray:
    """The scores (pairs, k) of each pair's own samples, in the order of ``sample``; NaN where a prompt has fewer."""
    scored = samples.assign(score=samples["response_id"].map(scores)).sort_values("sample")
    wide = scored.pivot(index="prompt_id", columns="sample", values="score")
    return wide.reindex(rows["prompt_id"]).to_numpy(dtype=float)


def with_more(chosen: np.ndarray, rejected: np.ndarray, own: np.ndarray, more: int, orders: Iterable) -> np.ndarray:
    """(pairs, 3): chosen score, gap and boundary score with ``more`` samples a prompt, the mean over orders.

    chosen, rejected: (pairs,). own: (pairs, k). orders: permutations of range(k); k is at least EACH + more.
    """
    found = []
    for order in orders:
        players = own[:, list(order[:EACH])]
        pool = np.column_stack([chosen, rejected, own[:, list(order[EACH : EACH + more])]])
        best, worst = (chosen, rejected) if more == 0 else (pool.max(axis=1), pool.min(axis=1))
        found.append(np.column_stack([best, best - worst, _boundary(players, best, worst)]))
    return np.mean(found, axis=0)


def _boundary(own: np.ndarray, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    """(pairs,) shares of comparisons that own samples (pairs, k) win."""
    return ((own > chosen[:, None]).mean(axis=1) + (own > rejected[:, None]).mean(axis=1)) / 2


def row_of(name: str, values: np.ndarray, prompts: Sequence[str]) -> dict[str, object]:
    """A row of the table: values (pairs, 3) as means with their intervals over prompts; a boundary may be unknown."""
    found: dict[str, object] = {"what": name}
    for column, each in zip(("chosen score", "gap", "boundary score"), values.T, strict=True):
        interval = mean(pd.Series(each), pd.Series(prompts))
        found[column] = f"{interval:.3f}" if interval.n else "not known"
    return found


def _now(rows: pd.DataFrame, own: np.ndarray | None, chosen: np.ndarray, rejected: np.ndarray) -> np.ndarray:
    boundary = (
        np.full(len(rows), np.nan)
        if own is None
        else np.where(np.isnan(own).any(axis=1), np.nan, _boundary(own, chosen, rejected))
    )
    boundary = np.where(np.isnan(chosen - rejected), np.nan, boundary)
    return np.column_stack([chosen, chosen - rejected, boundary])


def more_samples(rows: pd.DataFrame, own: np.ndarray) -> Recommendation | None:
    """rows: with chosen_score and rejected_score. own: :func:`own_matrix`; None if no prompt has enough samples."""
    whole = ~np.isnan(own).any(axis=1) & rows[["chosen_score", "rejected_score"]].notna().all(axis=1).to_numpy()
    spare = own.shape[1] - EACH
    if spare < 1 or not whole.any():
        return None
    kept, own = rows[whole], own[whole]
    chosen, rejected = (kept[f"{side}_score"].to_numpy() for side in ("chosen", "rejected"))
    rng = np.random.default_rng(seed_of("preflight", "orders"))
    orders = [rng.permutation(own.shape[1]) for _ in range(ORDERS)]
    counts = sorted({0, 1, 2, spare // 2, spare} & set(range(spare + 1)))
    values = {more: with_more(chosen, rejected, own, more, orders) for more in counts}
    change = mean(pd.Series(values[spare][:, 0] - values[0][:, 0]), kept["prompt_id"].reset_index(drop=True))
    names = {more: "as it is" if more == 0 else f"{more} more sample{'s' * (more > 1)}" for more in counts}
    return Recommendation(
        "more_samples",
        "what_if",
        "What if there were more samples of the policy per prompt?",
        f"With {spare} more a prompt, the best over the worst of all, the chosen score would move by {change:+.3f}.",
        **predicted(change, "score"),
        evidence=f"{len(kept)} pairs, {own.shape[1]} samples a prompt, {ORDERS} orders of them",
        unknown=UNKNOWN,
        table=[row_of(names[more], values[more], kept["prompt_id"].tolist()) for more in counts],
    )


def stronger_generator(rows: pd.DataFrame, scored: pd.DataFrame, own: np.ndarray | None) -> Recommendation | None:
    """Every chosen response written by one generator, over the rejected as they are.

    rows: with scores. scored: (prompt_id, family, score). None without two generators of FEW prompts or more.
    """
    table, gains = [], {}
    best = scored.groupby(["prompt_id", "family"])["score"].mean()
    for family in sorted(scored["family"].unique()):
        of_family = rows["prompt_id"].map(best.xs(family, level="family")).to_numpy(dtype=float)
        rejected = rows["rejected_score"].to_numpy(dtype=float)
        if np.isfinite(of_family - rejected).sum() < FEW:
            continue
        chosen, lower = np.maximum(of_family, rejected), np.minimum(of_family, rejected)
        table.append(row_of(family, _now(rows, own, chosen, lower), rows["prompt_id"].tolist()))
        gains[family] = mean(
            pd.Series(chosen - rows["chosen_score"].to_numpy()), rows["prompt_id"].reset_index(drop=True)
        )
    if len(gains) < 2:
        return None
    strongest = max(gains, key=lambda each: gains[each].value)
    now = _now(rows, own, *(rows[f"{side}_score"].to_numpy(dtype=float) for side in ("chosen", "rejected")))
    gain = gains[strongest]
    return Recommendation(
        "stronger_generator",
        "what_if",
        "What if one generator had written all chosen responses?",
        f"{strongest} would move the chosen score most, by {gain:+.3f}.",
        **predicted(gain, "score"),
        evidence=f"{gain.n} pairs whose prompt {strongest} has answered; the better side is chosen",
        unknown="A generator that is not in the data can be better than all of these.",
        table=[row_of("as it is", now, rows["prompt_id"].tolist()), *table],
    )


def cleaner_scorer(rows: pd.DataFrame, own: np.ndarray | None) -> Recommendation:
    """The labels put right: those that are likely wrong, and all that the scorer reverses.

    rows: with scores and label_wrong, the probability that each label is wrong.
    """
    chosen, rejected = (rows[f"{side}_score"].to_numpy(dtype=float) for side in ("chosen", "rejected"))
    now = _now(rows, own, chosen, rejected)
    by_scorer = _now(rows, own, np.maximum(chosen, rejected), np.minimum(chosen, rejected))
    share = rows["label_wrong"].to_numpy()[:, None]
    wrong_ones = now + share * (_now(rows, own, rejected, chosen) - now)
    prompts = rows["prompt_id"].tolist()
    gain = mean(pd.Series(wrong_ones[:, 0] - now[:, 0]), pd.Series(prompts))
    return Recommendation(
        "cleaner_scorer",
        "what_if",
        "What if the labels came from a cleaner scorer?",
        f"Without the labels that are likely wrong the chosen score would move by {gain:+.3f}. The boundary score "
        "would not: it compares the policy's samples with both sides.",
        **predicted(gain, "score"),
        evidence=f"{gain.n} pairs; which labels are likely wrong is reckoned in studies/preflight/scorer/labels.py",
        unknown=UNKNOWN,
        table=[
            row_of("as it is", now, prompts),
            row_of("without labels that are likely wrong", wrong_ones, prompts),
            row_of("all labels by this scorer", by_scorer, prompts),
        ],
    )
