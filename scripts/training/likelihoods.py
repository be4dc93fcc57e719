"""What a step says of its pairs' likelihoods, for the table of a run: nothing of it enters the gradient.

"3D-Properties" (sections 3.1 and 4.2): log-probs per token of chosen and rejected, how far they are from the
reference's, and how hard the loss pulls on either likelihood. A change is of the step's own pairs, so that it does not
vary with what the pairs of a step happen to be; it is zero at a run's first step.
"""

import math

import torch
from torch import Tensor

from scripts.lib.config.training import Hyperparameters
from scripts.lib.likelihood_gradients import log_gradients
from scripts.lib.objectives import PairLogps
from scripts.lib.schemas import LIKELIHOODS

COLUMNS = LIKELIHOODS[:6]


@torch.no_grad()
def likelihoods(logps: PairLogps, spec: Hyperparameters) -> Tensor:
    """float32 (6, pairs), a row for each of COLUMNS, for the pairs of a whole step.

    token_logp, change: nats per token of the response. log_gradient: the natural logarithm of |d loss / d pi|; -inf
    where it is zero, NaN if the objective has no closed form (scripts/lib/likelihood_gradients.py).
    """
    return torch.stack(
        [
            logps.chosen / logps.chosen_length,
            logps.rejected / logps.rejected_length,
            (logps.chosen - logps.ref_chosen) / logps.chosen_length,
            (logps.rejected - logps.ref_rejected) / logps.rejected_length,
            *log_gradients(spec.objective, logps, spec.beta, spec.options),
        ]
    )


def columns_of(per_pair: Tensor, spec: Hyperparameters) -> dict[str, float | None]:
    """A step's means of ``likelihoods`` over the pairs whose value is finite; None where there is none.

    per_pair: (9, pairs), as from ``accumulate``. Once a step: micro-batches are too many for it to cost nothing.
    """
    logps = PairLogps(per_pair[1], per_pair[2], *per_pair[5:])
    values = likelihoods(logps, spec).double()
    finite = values.isfinite()
    means = (values.where(finite, 0.0).sum(dim=1) / finite.sum(dim=1)).tolist()  # 0 / 0 is NaN
    return {name: None if math.isnan(mean) else mean for name, mean in zip(COLUMNS, means, strict=True)}
