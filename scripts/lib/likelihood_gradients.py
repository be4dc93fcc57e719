"""How hard each pair's loss pulls on the likelihoods of its two responses, in closed form from log-probabilities.

"3D-Properties", sections 3.1 and B.2 to B.3: |d loss / d pi+| and |d loss / d pi-|, with the likelihoods pi+ and pi- of
the chosen and rejected responses as free coordinates. A sequence's likelihood is easily 1e-300 or less, and its
gradient too large for a float: all functions return natural logarithms, which stay finite wherever the gradient is not
zero. By log-likelihood, in which DPO's two gradients are equal and opposite, they are these plus ``logps.chosen`` and
``logps.rejected``.
"""

import inspect
from collections.abc import Callable, Mapping
from math import log

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from scripts.lib.objectives import PairLogps

Logs = tuple[Tensor, Tensor]
"""Natural logarithms (batch,) of the two magnitudes, chosen first; -inf where a gradient is zero."""


def dpo(logps: PairLogps, beta: float = 0.1) -> Logs:
    """Corollaries 1 and 2: beta sigmoid(-m) / pi of either side, m the margin of the implicit rewards."""
    return flex_dpo(logps, beta, beta)


def flex_dpo(logps: PairLogps, beta_chosen: float = 0.1, beta_rejected: float = 0.08) -> Logs:
    """B.2.1, before its limit: sigmoid(-m) times the side's beta / pi."""
    margin = beta_chosen * (logps.chosen - logps.ref_chosen) - beta_rejected * (logps.rejected - logps.ref_rejected)
    weight = logsigmoid(-margin)
    return weight + log(beta_chosen) - logps.chosen, weight + log(beta_rejected) - logps.rejected


def sft_dpo(logps: PairLogps, beta: float = 0.1, gamma: float = 0.1) -> Logs:
    """B.2.2: DPO's, and gamma / pi+ more on the chosen."""
    chosen, rejected = dpo(logps, beta)
    return torch.logaddexp(chosen, _log(gamma, chosen) - logps.chosen), rejected


def ipo(logps: PairLogps, eta: float = 0.1) -> Logs:
    """Equations 8 and 9: 2 |h - 1 / (2 eta)| / pi, h the difference of the log-ratios."""
    apart = logps.chosen - logps.ref_chosen - logps.rejected + logps.ref_rejected
    size = (2 * (apart - 1 / (2 * eta)).abs()).log()
    return size - logps.chosen, size - logps.rejected


def slic(logps: PairLogps, delta: float = 5.0, eta: float = 0.1) -> Logs:
    """Equations 11 and 12: (1 + eta) / pi+ and 1 / pi- within the margin, eta / pi+ and 0 beyond it."""
    is_within = (delta > logps.chosen - logps.rejected).to(logps.chosen.dtype)
    return (is_within + eta).log() - logps.chosen, is_within.log() - logps.rejected


def simpo(logps: PairLogps, beta: float = 2.0, gamma: float = 1.0) -> Logs:
    """Equations 14 and 15: sigmoid(-m) beta / (|a| pi), m the margin of the mean log-probabilities less gamma."""
    margin = beta * (logps.chosen / logps.chosen_length - logps.rejected / logps.rejected_length) - gamma
    weight = logsigmoid(-margin) + log(beta)
    return weight - logps.chosen_length.log() - logps.chosen, weight - logps.rejected_length.log() - logps.rejected


def sft(logps: PairLogps) -> Logs:
    """1 / (|a+| pi+) on the chosen, nothing on the rejected."""
    return -logps.chosen_length.log() - logps.chosen, _log(0.0, logps.rejected)


def dpop(logps: PairLogps, beta: float = 0.3, lam: float = 50.0) -> Logs:
    """Pal et al. 2024, eq. 3: as DPO's with the penalty in the margin; the chosen 1 + lam times if it is penalised."""
    fallen = (logps.ref_chosen - logps.chosen).clamp(min=0)
    margin = beta * (logps.chosen - logps.ref_chosen - logps.rejected + logps.ref_rejected - lam * fallen)
    weight = logsigmoid(-margin) + log(beta)
    return weight + (1 + lam * (fallen > 0).to(weight.dtype)).log() - logps.chosen, weight - logps.rejected


def orpo(logps: PairLogps, lam: float = 0.1) -> Logs:
    """Hong et al. 2024, section 4.3: sft's on the chosen, and lam sigmoid(-m) / ((1 - p) |a| pi) on either side."""
    means = logps.chosen / logps.chosen_length, logps.rejected / logps.rejected_length
    lefts = [(-torch.expm1(each)).log() for each in means]
    weight = logsigmoid(means[1] - lefts[1] - means[0] + lefts[0]) + _log(lam, means[0])
    chosen, rejected = torch.logaddexp(weight - lefts[0], torch.zeros_like(weight)), weight - lefts[1]
    return chosen - logps.chosen_length.log() - logps.chosen, rejected - logps.rejected_length.log() - logps.rejected


def _log(number: float, like: Tensor) -> Tensor:
    """log(number), -inf for 0, as a tensor like another."""
    return torch.full_like(like, number).log()


LOG_GRADIENTS: dict[str, Callable[..., Logs]] = {
    each.__name__: each for each in (dpo, flex_dpo, sft_dpo, ipo, slic, simpo, sft, dpop, orpo)
}
"""Objective (scripts/lib/objectives.py) -> its logarithms, for the same log-probabilities and options."""


def log_gradients(objective: str, logps: PairLogps, beta: float, options: Mapping[str, float]) -> Logs:
    """The logarithms for an objective; NaN for one without a closed form here. beta: for those that take it."""
    function = LOG_GRADIENTS.get(objective)
    if function is None:
        return torch.full_like(logps.chosen, torch.nan), torch.full_like(logps.rejected, torch.nan)
    tied = {"beta": beta} if "beta" in inspect.signature(function).parameters else {}
    return function(logps, **tied, **options)
