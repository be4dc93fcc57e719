"""Lemmas 6.1 and 6.2: which divergence on-policy training minimises, and what a negative gradient does to a pair.

Only the abstract of the paper was at hand: the lemmas are stated as they are generally cited.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from scripts.studies.theorems import Row, Statement, above, within
from studies.mode_seeking.theory.flow import Array, kl, reverse, softmax
from studies.mode_seeking.theory.instances import (
    BETA,
    BINS,
    EXACT,
    Draws,
    largest,
    share,
    smallest,
)

FEATURES = 4
"""Shared parameters per bin; fewer than bins, so that bins are tied."""
NEAR = 0.1
"""How far the features of a rejected response that is like the chosen are from its features, in their own spread."""
TAU = 0.1
"""IPO's."""

PENALISED = Statement(
    "Lemma 6.1, with a penalty: E r - beta KL(pi || pi_ref) is -beta KL(pi || pi*), up to a constant",
    "Holds, with pi* = pi_ref exp(r / beta) / Z and the constant beta log Z; so do the gradients.",
)
ENTROPY = Statement(
    "Lemma 6.1, without a penalty: E r is a reverse KL to exp(r) / Z, regularised",
    "Holds: E r = -KL(pi || exp(r) / Z) - H(pi) + log Z. What regularises it is a penalty on entropy: it seeks modes "
    "more than the divergence alone, and ends in one bin.",
)
WEIGHTED = Statement(
    "Lemma 6.1, its counterpart: reward-weighted likelihood of the reference's samples is a forward KL to pi*",
    "Holds: the gradients are equal up to the factor Z.",
)
ON_POLICY = Statement(
    "Lemma 6.1, beside it: reward-weighted likelihood of the policy's own samples ascends E exp(r / beta)",
    "So it does: sampling on-policy turns maximum likelihood into policy gradient on another reward, without a "
    "negative gradient.",
    claimed=False,
)
MARGIN = Statement(
    "Lemma 6.2, margin: one step of DPO on a pair widens log pi(y_w) - log pi(y_l)",
    "Holds for a small step on the pair alone: the margin's rate is c |grad log pi(y_w) - grad log pi(y_l)|^2, c > 0.",
)
IPO = Statement(
    "Lemma 6.2, margin: one step of IPO on a pair widens it",
    "Holds below IPO's target 1 / (2 tau).",
)
IPO_BEYOND = Statement(
    "Lemma 6.2, margin: one step of IPO on a pair whose margin is above the target",
    "There c < 0 and the margin shrinks, as IPO means it to.",
    claimed=False,
)
BATCH = Statement(
    "Lemma 6.2, margin, in a batch: a step on several pairs widens every one's margin",
    "It need not: with shared parameters a step on three pairs narrows the margin of one of them in {0.median:.0%} of "
    "instances (median over seeds).",
    claimed=False,
)
CHOSEN = Statement(
    "Lemma 6.2, chosen: it rises if and only if |grad log pi(y_w)|^2 > grad log pi(y_w) . grad log pi(y_l)",
    "Holds for a small step; compared with differences of the log-probabilities along it.",
)
TABULAR = Statement(
    "Lemma 6.2, chosen, one logit per response: it rises",
    "Always: the left side less the right is 1 - pi(y_w) + pi(y_l).",
)
ALIKE = Statement(
    "Lemma 6.2, chosen, shared parameters: it rises only if the rejected differs enough",
    "Holds: it falls in {0.median:.0%} of instances where the features of the rejected are near those of the chosen, "
    "and in {1.median:.0%} where they are independent of them (medians). Near, whether it rises is nearly a toss-up: "
    "it depends on the direction of a small difference.",
)


def on_policy(seeds: Sequence[int]) -> list[Row]:
    """Lemma 6.1. Gradients are in logits, as ascent."""
    draws = Draws("on-policy", seeds)
    p, reference, r = draws.distribution(), draws.distribution(), draws.normal(BINS)

    def mean(values: Array) -> Array:
        return (p * values).sum(axis=-1, keepdims=True)

    def policy_gradient(values: Array) -> Array:
        return p * (values - mean(values))

    raised = reference * np.exp(r / BETA)
    z = raised.sum(axis=-1, keepdims=True)
    best, tilted = raised / z, softmax(r)
    penalised = mean(r) - BETA * kl(p, reference)
    # The gradient of the KL term is that of E log(pi / pi_ref): its own log pi has a mean gradient of zero.
    ascent = policy_gradient(r - BETA * np.log(p / reference))
    entropy = -mean(np.log(p))
    log_z = np.log(np.exp(r).sum(axis=-1, keepdims=True))
    weighted = raised - z * p  # E_ref exp(r / beta) grad log pi
    own = p * np.exp(r / BETA)
    own_step = own - own.sum(axis=-1, keepdims=True) * p
    scale = own.sum(axis=-1, keepdims=True)
    return [
        *PENALISED.rows(
            within(EXACT, 0.0, "difference, largest", largest(penalised + BETA * kl(p, best) - BETA * np.log(z))),
            within(EXACT, 0.0, "difference of gradients, largest", largest(ascent - BETA * reverse(p, best))),
        ),
        *ENTROPY.rows(within(EXACT, 0.0, "difference, largest", largest(mean(r) + kl(p, tilted) + entropy - log_z))),
        *WEIGHTED.rows(within(EXACT, 0.0, "difference of gradients, largest", largest(weighted / z - (best - p)))),
        *ON_POLICY.rows(
            within(
                EXACT,
                0.0,
                "difference of gradients, relative to E exp(r / beta), largest",
                largest((own_step - policy_gradient(np.exp(r / BETA))) / scale),
            )
        ),
    ]


def negative_gradient(seeds: Sequence[int]) -> list[Row]:
    """Lemma 6.2. Policies are softmax of features times parameters; bins 0 and 1 are the chosen and the rejected."""
    draws = Draws("negative gradient", seeds)
    features, theta = draws.normal(BINS, FEATURES), draws.normal(FEATURES)
    alike = features.copy()
    alike[..., 1, :] = features[..., 0, :] + NEAR * draws.normal(FEATURES)
    implicit = draws.normal() / BETA  # log-ratio of the pair to the reference
    dpo = BETA * expit(-BETA * implicit)
    target = 1 / (2 * TAU)
    below, beyond = target - np.abs(implicit), -np.abs(implicit)

    def scores(of: Array) -> Array:
        """grad log pi of every bin, (..., bins, features)."""
        p = softmax(np.einsum("...bf,...f->...b", of, theta))
        return of - np.einsum("...b,...bf->...f", p, of)[..., None, :]

    def log_p(of: Array, at: Array) -> Array:
        return np.log(softmax(np.einsum("...bf,...f->...b", of, at)))

    grads = scores(features)
    apart = grads[..., 0, :] - grads[..., 1, :]
    squared = (apart**2).sum(axis=-1)
    rises = {name: _rise(scores(of)) for name, of in (("independent", features), ("alike", alike))}
    h = 1e-6
    moved = log_p(features, theta + h * apart)[..., 0] - log_p(features, theta - h * apart)[..., 0]
    p = softmax(draws.normal(BINS))
    return [
        *MARGIN.rows(above(0.0, "rate of the margin, least", smallest(dpo * squared))),
        *IPO.rows(above(0.0, "rate of the margin below the target, least", smallest(2 * (target - below) * squared))),
        *IPO_BEYOND.rows(above(0.0, "rate of narrowing, least", smallest(-2 * beyond * squared))),
        *BATCH.rows(above(0.0, "share of instances in which one narrows", share(_narrows(grads)))),
        *CHOSEN.rows(
            within(
                EXACT,
                1.0,
                "share of instances in which the signs agree",
                share((moved > 0) == (rises["independent"] > 0)),
            )
        ),
        *TABULAR.rows(above(0.0, "left less right, least", smallest(_rise(np.eye(BINS) - p[..., None, :])))),
        *ALIKE.rows(
            above(0.0, "share that falls, alike", share(rises["alike"] < 0)),
            above(0.0, "share that falls, independent", share(rises["independent"] < 0)),
            above(
                0.0,
                "share that falls, alike less independent",
                share(rises["alike"] < 0) - share(rises["independent"] < 0),
            ),
        ),
    ]


def _rise(grads: Array) -> Array:
    """The rate of the chosen's log-probability per unit of c: |g_w|^2 - g_w . g_l."""
    return (grads[..., 0, :] * (grads[..., 0, :] - grads[..., 1, :])).sum(axis=-1)


def _narrows(grads: Array) -> Array:
    """Whether a step on the pairs (0, 1), (2, 3), (4, 5), equally weighted, narrows one's margin."""
    apart = grads[..., 0::2, :] - grads[..., 1::2, :]
    rates = np.einsum("...pf,...qf->...p", apart, apart)
    return (rates < 0).any(axis=-1)
