"""The training loop, as in Appendix B.3 of "What Matters in Data for DPO?".

AdamW; linear warm-up, then cosine to zero; a fixed number of pairs per step, accumulated over micro-batches; gradient
norm clipping; float32 weights, with forward and backward in bfloat16 if configured. The hyperparameters, by default the
paper's, are in ``Hyperparameters``. The arithmetic is that of TRL's DPOTrainer (tests/contract/test_trl.py). The
reference policy's log-probabilities are precomputed, so that no second model is in memory.
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import PreTrainedModel, get_cosine_schedule_with_warmup

from scripts.lib.capability import reason_against
from scripts.lib.config.policies import Precision
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.models import layers_of
from scripts.training.checkpoints import Checkpoints
from scripts.training.lessons import Example, lesson_of
from scripts.training.likelihoods import columns_of
from scripts.training.processes import Processes, parameter_groups
from scripts.training.recomputed import checkpointable, recomputed_layers
from scripts.training.renewal import Batch, Renewal, draws_of, reused
from scripts.training.start import check_start, refusals_told
from scripts.training.step import accumulate, head_of
from scripts.training.watch import Watch

LOG_EVERY = 10.0
"""Seconds between lines of the log."""

log = logging.getLogger(__name__)


def train(
    model: PreTrainedModel,
    examples: Sequence[Example],
    spec: Hyperparameters,
    seed: int,
    pad_id: int,
    checkpoints: Checkpoints | None = None,
    renewal: Renewal | None = None,
    processes: Processes | None = None,
    stored: Precision = "float32",
    watch: Watch | None = None,
) -> pd.DataFrame:
    """One run: trains ``model`` (float32 weights) in place and returns a TRAINING table, one row per step.

    A row describes its step before the update: row 0 is of the initial policy, with loss log 2 under DPO. Rewards and
    margin are the implicit ones with ``spec.beta``, whatever the objective. With ``checkpoints`` the run resumes from
    the newest, and gives the same weights and table as an uninterrupted run (bit for bit on one CPU thread). The model
    stays in eval mode: dropout, which the stored log-probs had none of, is off, as in TRL, and so is a router's noise.
    With ``renewal``, checkpoints are written just before it is called, so that it resumes from the same model; the
    examples are then whatever it makes batches from. stored: the precision of the reference's log-probs. ``watch`` adds
    a column to the table and changes no weight.

    With ``processes``, all of which must call this identically, ``model`` is sharded over them and stays so; the table
    covers all pairs. One process and several differ by rounding.

    Raises InputError if the model does not support what ``spec`` asks for (gradient checkpointing, compiled layers), if
    what it says of a response depends on others (:mod:`scripts.lib.capability`) or is not what its reference said
    (:mod:`scripts.training.start`), or if the loss or its gradient is not finite.
    """
    _refuse_what_it_lacks(model, spec)
    model.eval()
    packs = _can_pack(model, examples, None if renewal is None else spec.max_length, pad_id)
    if processes:
        processes.shard(model, spec.precision)
    lesson = lesson_of(spec)
    draws = draws_of(batches(len(examples), spec.batch_pairs, spec.epochs, seed), renewal)
    steps = max(draws)
    optimizer, scheduler = optimization(parameter_groups(model, spec.weight_decay), spec, steps)
    rows: list[dict[str, Any]] = []
    progress = _Progress(steps)
    head = head_of(model, spec) if packs else None
    # On a CPU, freed memory comes back one page at a time; FSDP2 cannot set its parts to zero.
    to_none = processes is not None or model.device.type != "cpu"

    if checkpoints and (state := checkpoints.newest(mapped=processes is not None)):
        rows = _restore(state, model, optimizer, scheduler, renewal, processes)
    if processes:
        processes.check_agreed(len(rows))
    saved = len(rows)
    with recomputed_layers(model) if spec.gradient_checkpointing else nullcontext():
        for step in range(len(rows), steps):
            if step in draws:
                coming = [[examples[index] for index in each] for each in draws[step]]
                ahead = iter(reused(renewal(model, step, coming), renewal) if renewal else map(Batch, coming))
            batch = next(ahead)
            with refusals_told(model) if step == 0 else nullcontext():
                per_item = accumulate(model, batch.items, lesson, spec, pad_id, head, processes)
            clip = processes.clip if processes else _clip
            norm = clip(model, spec.max_gradient_norm)
            rows.append(_row(step, per_item, batch, float(norm), scheduler.get_last_lr()[0]))
            rows[-1] |= columns_of(per_item, spec)
            rows[-1] |= watch(model, step, steps) if watch else {}
            _refuse_non_finite(rows[-1])
            if step == 0:
                check_start(per_item, batch.items, spec, stored)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad(set_to_none=to_none)
            progress.report(rows[-1])
            if checkpoints and len(rows) in draws and len(rows) - saved >= spec.checkpoint_every:
                state = _state(model, optimizer, scheduler, rows, renewal, processes)
                if processes is None or processes.rank == 0:
                    checkpoints.save(len(rows), state)
                saved = len(rows)
    return pd.DataFrame(rows)


def _refuse_what_it_lacks(model: PreTrainedModel, spec: Hyperparameters) -> None:
    if spec.gradient_checkpointing and not checkpointable(model):
        raise InputError("--spec", f"{type(model).__name__} has no gradient checkpointing", "set it to false")
    if spec.compile and not layers_of(model):
        raise InputError("--spec", f"transformers names no layers of {type(model).__name__}", "set compile to false")


def _can_pack(model: PreTrainedModel, examples: Sequence[Example], longest: int | None, pad_id: int) -> bool:
    """Whether rows of several responses change nothing, up to ``longest`` tokens; None: to the longest of these."""
    sides = [side for each in examples for side in (each.chosen, each.rejected)]
    reason = reason_against(model, longest or max(map(len, sides)), pad_id)
    if reason:
        log.info("pairs are padded, not packed: %s", reason)
    return not reason


def optimization(groups: list[dict[str, Any]], spec: Hyperparameters, steps: int) -> tuple[Optimizer, LRScheduler]:
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


def batches(pairs: int, batch_pairs: int, epochs: float, seed: int) -> list[list[int]]:
    """The indices of the pairs of each step.

    Every epoch is a new permutation of all pairs, cut into steps of ``batch_pairs``; the last step of an epoch takes
    the remainder, as in Hugging Face's Trainer, so that every pair is used once per epoch. A fractional number of
    epochs ends after that part of the last epoch's steps, rounded up. The permutations depend only on the seed and on
    the number of pairs: runs on datasets over the same prompts see the prompts in the same order.
    """
    steps_of_epoch = math.ceil(pairs / batch_pairs)
    total = math.ceil(epochs * steps_of_epoch)
    steps: list[list[int]] = []
    for epoch in range(math.ceil(epochs)):
        order = np.random.default_rng(seed_of("order of pairs", seed, epoch)).permutation(pairs).tolist()
        steps += [order[start : start + batch_pairs] for start in range(0, pairs, batch_pairs)]
    return steps[:total]


def _clip(model: PreTrainedModel, max_norm: float) -> Tensor:
    return torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)


def _state(
    model: PreTrainedModel,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    rows: list[dict[str, Any]],
    renewal: Renewal | None,
    processes: Processes | None,
) -> dict[str, Any]:
    """Everything that the next step depends on, unsharded; the number of rows is the number of completed steps."""
    weights = model.state_dict()
    return {
        "model": processes.whole(weights) if processes else weights,
        "optimizer": processes.optimizer_state(optimizer) if processes else optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rows": rows,
        "renewal": renewal.state() if renewal else {},
    }


def _restore(
    state: dict[str, Any],
    model: PreTrainedModel,
    optimizer: Optimizer,
    scheduler: LRScheduler,
    renewal: Renewal | None,
    processes: Processes | None,
) -> list[dict[str, Any]]:
    if processes:
        processes.restore(model, optimizer, state["model"], state["optimizer"])
    else:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    if renewal:
        renewal.restore(state["renewal"])
    return state["rows"]


def _refuse_non_finite(row: dict[str, Any]) -> None:
    if not (math.isfinite(row["loss"]) and math.isfinite(row["gradient_norm"])):
        raise InputError(
            f"training step {row['step']}",
            f"loss {row['loss']}, gradient norm {row['gradient_norm']}: not finite",
            "lower learning_rate, or set precision to float32",
        )


class _Progress:
    """Occasional log lines: times and speeds appear only there (promise P2)."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.tokens = 0
        self.begin = self.last = time.monotonic()

    def report(self, row: dict[str, Any]) -> None:
        now = time.monotonic()
        self.tokens += row["tokens"]
        if now - self.last < LOG_EVERY and row["step"] + 1 < self.steps:
            return
        self.last = now
        log.info(
            "step %d of %d: loss %.4f, margin %.4f, %.0f tokens/s",
            row["step"] + 1,
            self.steps,
            row["loss"],
            row["margin"],
            self.tokens / max(now - self.begin, 1e-9),
        )


def _row(step: int, per_item: Tensor, batch: Batch, norm: float, learning_rate: float) -> dict[str, Any]:
    loss, chosen, rejected, chosen_reward, rejected_reward = per_item[:5].double().mean(dim=1).tolist()
    return {
        "step": step,
        "loss": loss,
        "chosen_logp": chosen,
        "rejected_logp": rejected,
        "chosen_reward": chosen_reward,
        "rejected_reward": rejected_reward,
        "margin": chosen_reward - rejected_reward,
        "accuracy": (per_item[3] > per_item[4]).double().mean().item(),
        "gradient_norm": norm,
        "learning_rate": learning_rate,
        "pairs": len(batch.items),
        "tokens": sum(each.tokens for each in batch.items),
        **batch.columns,
    }
