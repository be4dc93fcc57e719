"""What every training loop does around its gradients: batches, AdamW and its schedule, states to resume from, refusals.

Nothing here knows what is learnt from: pairs, samples or conversations.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import PreTrainedModel, get_cosine_schedule_with_warmup

from scripts.lib.capability import reason_against
from scripts.lib.config.steps import Steps
from scripts.lib.errors import InputError, in_short
from scripts.lib.ids import seed_of
from scripts.lib.models import layers_of
from scripts.training.processes import Processes
from scripts.training.recomputed import checkpointable

LOG_EVERY = 10.0
"""Seconds between lines of the log."""

log = logging.getLogger(__name__)


def batches(items: int, batch: int, epochs: float, seed: int) -> list[list[int]]:
    """The indices of the items, such as pairs, of each step.

    Every epoch is a new permutation of all items, cut into steps of ``batch``; the last step of an epoch takes the
    remainder, as in Hugging Face's Trainer, so that every item is used once per epoch. A fractional number of epochs
    ends after that part of the last epoch's steps, rounded up. The permutations depend only on the seed and on the
    number of items: runs on datasets over the same prompts see the prompts in the same order.
    """
    steps_of_epoch = math.ceil(items / batch)
    total = math.ceil(epochs * steps_of_epoch)
    steps: list[list[int]] = []
    for epoch in range(math.ceil(epochs)):
        order = np.random.default_rng(seed_of("order of pairs", seed, epoch)).permutation(items).tolist()
        steps += [order[start : start + batch] for start in range(0, items, batch)]
    return steps[:total]


def optimization(groups: list[dict[str, Any]], spec: Steps, steps: int) -> tuple[Optimizer, LRScheduler]:
    """AdamW on groups of parameters, and the learning rate's warm-up and cosine over so many steps."""
    optimizer = torch.optim.AdamW(
        groups,
        lr=spec.learning_rate,
        betas=(spec.adam_beta1, spec.adam_beta2),
        eps=1e-8,
        fused=True,
    )
    warmup = math.ceil(spec.warmup_ratio * steps)
    return optimizer, get_cosine_schedule_with_warmup(optimizer, warmup, steps)


def clipped(model: PreTrainedModel, max_norm: float, processes: Processes | None) -> float:
    """The norm of the gradient, which is then at most ``max_norm``."""
    if processes:
        return float(processes.clip(model, max_norm))
    return float(torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm))


def zeroed(model: PreTrainedModel, optimizer: Optimizer, processes: Processes | None) -> None:
    """Forget the gradient. On a CPU, freed memory comes back one page at a time; FSDP2 cannot set its parts to zero."""
    optimizer.zero_grad(set_to_none=processes is not None or model.device.type != "cpu")


def can_pack(model: PreTrainedModel, longest: int, pad_id: int) -> bool:
    """Whether rows of several sequences, of up to ``longest`` tokens, change nothing."""
    reason = reason_against(model, longest, pad_id)
    if reason:
        log.info("sequences are padded, not packed: %s", reason)
    return not reason


def state_of(
    model: PreTrainedModel,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    rows: list[dict[str, Any]],
    processes: Processes | None,
) -> dict[str, Any]:
    """What the next step depends on, unsharded; the number of rows is the number of completed steps."""
    weights = model.state_dict()
    return {
        "model": processes.whole(weights) if processes else weights,
        "optimizer": processes.optimizer_state(optimizer) if processes else optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rows": rows,
    }


def restored(
    state: dict[str, Any],
    model: PreTrainedModel,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    processes: Processes | None,
) -> list[dict[str, Any]]:
    """The rows of a state, once all else of it is in place."""
    if processes:
        processes.restore(model, optimizer, state["model"], state["optimizer"])
    else:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    return state["rows"]


def refuse_what_it_lacks(model: PreTrainedModel, spec: Steps) -> None:
    """Raises InputError for gradient checkpointing or compiled layers that a model does not have."""
    if spec.gradient_checkpointing and not checkpointable(model):
        raise InputError("--spec", f"{type(model).__name__} has no gradient checkpointing", "set it to false")
    if spec.compile and not layers_of(model):
        raise InputError("--spec", f"transformers names no layers of {type(model).__name__}", "set compile to false")


def refuse_non_finite(row: dict[str, Any]) -> None:
    """Raises InputError if a step's loss or gradient is not finite."""
    if not (math.isfinite(row["loss"]) and math.isfinite(row["gradient_norm"])):
        raise InputError(
            f"training step {row['step']}",
            f"loss {row['loss']}, gradient norm {row['gradient_norm']}: not finite",
            "lower learning_rate, or set precision to float32",
        )


@contextmanager
def refusals_told(model: PreTrainedModel) -> Iterator[None]:
    """Raises InputError for what a model's own code refuses: training outside train mode, or a feature it lacks."""
    try:
        yield
    except (AssertionError, NotImplementedError) as error:
        raise InputError(
            f"training step 0 of {type(model).__name__}",
            f"the model refuses it ({in_short(error)})",
            "give another model: runs train in eval mode, in which there is no dropout",
        ) from error


class Progress:
    """Occasional log lines: times and speeds appear only there (promise P2)."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.tokens = 0
        self.begin = self.last = time.monotonic()

    def report(self, row: dict[str, Any], more: str = "") -> None:
        now = time.monotonic()
        self.tokens += row["tokens"]
        if now - self.last < LOG_EVERY and row["step"] + 1 < self.steps:
            return
        self.last = now
        speed = self.tokens / max(now - self.begin, 1e-9)
        log.info("step %d of %d: loss %.4f%s, %.0f tokens/s", row["step"] + 1, self.steps, row["loss"], more, speed)
