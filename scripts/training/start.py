"""Before its first update a run is its own reference, and must say what is stored of it."""

from collections.abc import Sequence

from torch import Tensor

from scripts.lib.config.policies import Precision
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.training.lessons import Example, Rollout, loss_at_reference

PER_TOKEN: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 0.1}
"""The mean distance, in nats per token, that rounding may make. In float32 no token of any architecture was farther off
than 3e-5 (docs/models.md). bfloat16 has three digits: there only another mode or another model is found."""


def check_start(
    per_pair: Tensor, batch: Sequence[Example] | Sequence[Rollout], spec: Hyperparameters, stored: Precision
) -> None:
    """Raises InputError unless a run's first step has the log-probs, and so the loss, of its reference.

    per_pair: as from ``accumulate`` (9, pairs), before any update. stored: the precision of the reference's log-probs.
    For DPO the loss is then log 2. That holds for every objective and run, as a run's reference is its start.
    """
    apart = per_pair[3:5].abs().double().sum().item() / spec.beta
    apart /= sum(len(each.chosen.response_ids) + len(each.rejected.response_ids) for each in batch)
    if apart > max(PER_TOKEN[spec.precision], PER_TOKEN[stored]):
        raise InputError(
            "training step 0",
            f"the policy's log-probs are {apart:.2g} nats per token from those that are stored of it: the loss is "
            f"{per_pair[0].double().mean().item():.6f}, and {loss_at_reference(batch, spec):.6f} if they agree",
            "delete the policy's folder in results/logprobs and run snakemake again; if the loss stays, the model does "
            "not say the same twice, and cannot be trained against what it said",
        )
