"""Objectives: what a run minimises, from the log-probabilities of a batch of pairs.

A new objective is a function here under ``@objective``: its name and its options become the configuration's
(``scripts/lib/config/objectives.py`` reads them from this file), and nothing else has to change.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class PairLogps:
    """What an objective sees of a batch of pairs; every field is a tensor (batch,).

    chosen, rejected: log pi_theta(y|x) of the responses y_w and y_l to the prompt x, in nats, summed over the
    response's tokens, end of turn included.
    ref_chosen, ref_rejected: the same under the reference policy; constants.
    chosen_length, rejected_length: how many tokens the sums run over, at least one.
    """

    chosen: Tensor
    rejected: Tensor
    ref_chosen: Tensor
    ref_rejected: Tensor
    chosen_length: Tensor
    rejected_length: Tensor


Objective = Callable[..., Tensor]

OBJECTIVES: dict[str, Objective] = {}
"""Name -> ``objective(logps, **options) -> losses (batch,)``, one loss a pair, in nats."""


def objective(function: Objective) -> Objective:
    """Register an objective under its function's name. Its options are floats with defaults."""
    OBJECTIVES[function.__name__] = function
    return function


def with_options(name: str, beta: float, options: Mapping[str, float]) -> Callable[[PairLogps], Tensor]:
    """The objective ``name`` as a function of the log-probabilities alone; ``beta`` goes to those that take one."""
    function = OBJECTIVES[name]
    tied = {"beta": beta} if "beta" in inspect.signature(function).parameters else {}
    return partial(function, **tied, **options)


def implicit_rewards(logps: PairLogps, beta: float) -> tuple[Tensor, Tensor]:
    """The rewards (batch,) that a policy implies for chosen and rejected, up to a constant of the prompt.

    beta * log( pi_theta(y|x) / pi_ref(y|x) ): Rafailov et al. 2023, section 4; "What Matters in Data for DPO?", eq. 6.
    """
    return beta * (logps.chosen - logps.ref_chosen), beta * (logps.rejected - logps.ref_rejected)


@objective
def dpo(logps: PairLogps, beta: float = 0.1) -> Tensor:
    """Direct preference optimisation: the loss (batch,) of each pair; log 2 where policy and reference agree.

    -log sigmoid( beta * log(pi_theta(y_w|x) / pi_ref(y_w|x)) - beta * log(pi_theta(y_l|x) / pi_ref(y_l|x)) )

    Rafailov et al. 2023, eq. 7; "What Matters in Data for DPO?", eq. 4.
    """
    chosen, rejected = implicit_rewards(logps, beta)
    return -logsigmoid(chosen - rejected)


@objective
def sft(logps: PairLogps) -> Tensor:
    """Supervised fine-tuning on the chosen responses: the loss (batch,) of each; the rejected are not used.

    -log pi_theta(y_w|x) / |y_w|

    "What Matters in Data for DPO?", eq. 1, with each response's log-likelihood divided by its number of tokens.
    So every response weighs the same, and the loss is nats a token. (A mean over all tokens of a batch, as in
    most trainers, weighs every token the same instead.)
    """
    return -logps.chosen / logps.chosen_length
