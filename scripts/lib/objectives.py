"""Objectives: the loss that a run minimises, from the log-probabilities of a batch of pairs.

A new objective is a function here under ``@objective``: its name and its options become part of the configuration
(``scripts/lib/config/objectives.py`` reads them from this file), and nothing else has to change. No objective calls
another: the fingerprint of a run's code contains only its own objective. Objectives with a reward, which learn from
samples and not from pairs, are in reward_objectives.py.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu

from scripts.lib.config.base import NotNegative, Positive


@dataclass(frozen=True)
class PairLogps:
    """What an objective sees of a batch of pairs; every field is a tensor (batch,).

    chosen, rejected: log pi_theta(y|x) of the responses y_w and y_l to the prompt x, in nats, summed over the
    response's tokens, end of turn included.
    ref_chosen, ref_rejected: the same under the reference policy; constants.
    chosen_length, rejected_length: the number of tokens summed over, at least one.
    """

    chosen: Tensor
    rejected: Tensor
    ref_chosen: Tensor
    ref_rejected: Tensor
    chosen_length: Tensor
    rejected_length: Tensor


Objective = Callable[..., Tensor]

OBJECTIVES: dict[str, Objective] = {}
"""Name -> ``objective(logps, **options) -> losses (batch,)``, one loss per pair, in nats."""


def objective(function: Objective) -> Objective:
    """Register an objective under its function's name. Its options are floats with defaults."""
    OBJECTIVES[function.__name__] = function
    return function


def with_options(name: str, beta: float, options: Mapping[str, float]) -> Callable[[PairLogps], Tensor]:
    """The objective ``name`` as a function of the log-probabilities; ``beta`` is passed to those that take it."""
    return bound(OBJECTIVES[name], beta, options)


def bound(function: Objective, beta: float, options: Mapping[str, float]) -> Callable[..., Tensor]:
    """An objective with its options, and with ``beta`` if it takes that."""
    tied = {"beta": beta} if "beta" in inspect.signature(function).parameters else {}
    return partial(function, **tied, **options)


def implicit_rewards(logps: PairLogps, beta: float) -> tuple[Tensor, Tensor]:
    """The implicit rewards (batch,) of a policy for chosen and rejected, up to a constant per prompt.

    beta * log( pi_theta(y|x) / pi_ref(y|x) ): Rafailov et al. 2023, section 4; "What Matters in Data for DPO?", eq. 6.
    """
    return beta * (logps.chosen - logps.ref_chosen), beta * (logps.rejected - logps.ref_rejected)


@objective
def dpo(logps: PairLogps, beta: float = 0.1) -> Tensor:
    """Direct preference optimisation: the loss (batch,) of each pair; log 2 if policy and reference agree.

    -log sigmoid( beta * log(pi_theta(y_w|x) / pi_ref(y_w|x)) - beta * log(pi_theta(y_l|x) / pi_ref(y_l|x)) )

    Rafailov et al. 2023, eq. 7; "What Matters in Data for DPO?", eq. 4.
    """
    chosen, rejected = implicit_rewards(logps, beta)
    return -logsigmoid(chosen - rejected)


@objective
def sft(logps: PairLogps) -> Tensor:
    """Supervised fine-tuning on the chosen responses: the loss (batch,) of each; the rejected are not used.

    -log pi_theta(y_w|x) / |y_w|

    "What Matters in Data for DPO?", eq. 1, with each response's log-likelihood divided by its number of tokens. So
    every response has the same weight, and the loss is in nats per token. (A mean over all tokens of a batch, as in
    most trainers, gives every token the same weight instead.)
    """
    return -logps.chosen / logps.chosen_length


@objective
def flex_dpo(logps: PairLogps, beta_chosen: Positive = 0.1, beta_rejected: Positive = 0.08) -> Tensor:
    """Flex-DPO: DPO with a separate beta for each side: the loss (batch,); log 2 if policy and reference agree.

    -log sigmoid( beta_chosen * log(pi_theta(y_w|x) / pi_ref(y_w|x))
                  - beta_rejected * log(pi_theta(y_l|x) / pi_ref(y_l|x)) )

    "3D-Properties", appendix B.2.1 (unnumbered equation); the defaults are those of Table 9.
    """
    chosen, _ = implicit_rewards(logps, beta_chosen)
    _, rejected = implicit_rewards(logps, beta_rejected)
    return -logsigmoid(chosen - rejected)


@objective
def sft_dpo(logps: PairLogps, beta: Positive = 0.1, gamma: NotNegative = 0.1) -> Tensor:
    """DPO plus supervised fine-tuning on the chosen responses: the loss (batch,) of each pair.

    -log sigmoid( beta * log(pi_theta(y_w|x) / pi_ref(y_w|x)) - beta * log(pi_theta(y_l|x) / pi_ref(y_l|x)) )
    - gamma * log pi_theta(y_w|x)

    "3D-Properties", eq. 6, except for one sign: as printed, the last term would lower the chosen response's likelihood,
    but the gradient given after it there raises it. The log-likelihood is summed, not averaged, over the tokens. The
    paper does not state its gamma; the default is the weight of the same term in its SLiC.
    """
    chosen, rejected = implicit_rewards(logps, beta)
    return -logsigmoid(chosen - rejected) - gamma * logps.chosen


@objective
def ipo(logps: PairLogps, eta: Positive = 0.1) -> Tensor:
    """Identity preference optimisation: the loss (batch,) of each pair; 1 / (4 eta^2) if policy and reference agree.

    ( log(pi_theta(y_w|x) / pi_ref(y_w|x)) - log(pi_theta(y_l|x) / pi_ref(y_l|x)) - 1 / (2 eta) )^2

    "3D-Properties", eq. 7, with the default of its appendix D.1; Azar et al. 2024, eq. 17, where eta is called tau. TRL
    calls it beta, and first divides each log-ratio by its response's number of tokens.
    """
    chosen, rejected = implicit_rewards(logps, beta=1.0)
    return (chosen - rejected - 1 / (2 * eta)) ** 2


@objective
def slic(logps: PairLogps, delta: NotNegative = 5.0, eta: NotNegative = 0.1) -> Tensor:
    """Sequence likelihood calibration (SLiC-HF): the loss (batch,) of each pair. Uses no reference policy.

    max(0, delta - log pi_theta(y_w|x) + log pi_theta(y_l|x)) - eta * log pi_theta(y_w|x)

    "3D-Properties", eq. 10, with the defaults of its appendix D.1; Zhao et al. 2023.
    """
    return relu(delta - logps.chosen + logps.rejected) - eta * logps.chosen


@objective
def simpo(logps: PairLogps, beta: Positive = 2.0, gamma: NotNegative = 1.0) -> Tensor:
    """Simple preference optimisation: the loss (batch,) of each pair. Uses no reference policy.

    -log sigmoid( beta * log pi_theta(y_w|x) / |y_w| - beta * log pi_theta(y_l|x) / |y_l| - gamma )

    "3D-Properties", eq. 13; Meng et al. 2024, eq. 6, with its defaults. beta is on another scale than DPO's: rewards
    are in nats per token, not nats.
    """
    chosen, rejected = _mean_logps(logps)
    return -logsigmoid(beta * (chosen - rejected) - gamma)


@objective
def dpop(logps: PairLogps, beta: Positive = 0.3, lam: NotNegative = 50.0) -> Tensor:
    """DPO-Positive: DPO plus a penalty if the chosen response is less likely than under the reference: (batch,).

    -log sigmoid( beta * ( log(pi_theta(y_w|x) / pi_ref(y_w|x)) - log(pi_theta(y_l|x) / pi_ref(y_l|x))
                           - lam * max(0, log(pi_ref(y_w|x) / pi_theta(y_w|x))) ) )

    log 2, with DPO's gradient, if policy and reference agree. Pal et al. 2024 (Smaug), eq. 3, with its defaults; lam is
    its lambda.
    """
    chosen, rejected = implicit_rewards(logps, beta)
    return -logsigmoid(chosen - rejected - lam * relu(-chosen))


@objective
def orpo(logps: PairLogps, lam: NotNegative = 0.1) -> Tensor:
    """Odds ratio preference optimisation: the loss (batch,) of each pair. Uses no reference policy.

    -log p_w - lam * log sigmoid( log(p_w / (1 - p_w)) - log(p_l / (1 - p_l)) ), where log p = log pi_theta(y|x) / |y|

    Hong et al. 2024, eqs. 3, 4, 6 and 7; lam is its lambda. The first term is the loss of ``sft``: over the response's
    tokens, whereas the authors' code and TRL include the prompt's tokens.
    """
    chosen, rejected = _mean_logps(logps)
    return -chosen - lam * logsigmoid(_log_odds(chosen) - _log_odds(rejected))


def _mean_logps(logps: PairLogps) -> tuple[Tensor, Tensor]:
    """Log-probabilities (batch,) of chosen and rejected, in nats per token."""
    return logps.chosen / logps.chosen_length, logps.rejected / logps.rejected_length


def _log_odds(logp: Tensor) -> Tensor:
    """log(p / (1 - p)) from log p. 1 - p is at least one rounding error: finite at p = 1, with a slope of 1."""
    return logp - (-torch.expm1(logp)).clamp(min=torch.finfo(logp.dtype).eps).log()
