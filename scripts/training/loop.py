"""The training loop, as in Appendix B.3 of "What Matters in Data for DPO?".

AdamW; linear warm-up, then cosine to zero; a fixed number of pairs per step, accumulated over micro-batches; gradient
norm clipping; float32 weights, with forward and backward in bfloat16 if configured. The hyperparameters, by default the
paper's, are in ``Hyperparameters``. The arithmetic is that of TRL's DPOTrainer (tests/contract/test_trl.py). The
reference policy's log-probabilities are precomputed, so that no second model is in memory.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pandas as pd
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.config.policies import Precision
from scripts.lib.config.training import Hyperparameters
from scripts.training.checkpoints import Checkpoints
from scripts.training.lessons import Example, lesson_of
from scripts.training.likelihoods import columns_of
from scripts.training.processes import Processes, parameter_groups
from scripts.training.recomputed import recomputed_layers
from scripts.training.renewal import Batch, Renewal, draws_of, reused
from scripts.training.start import check_start
from scripts.training.step import accumulate, head_of
from scripts.training.updates import (
    Progress,
    batches,
    can_pack,
    clipped,
    optimization,
    refusals_told,
    refuse_non_finite,
    refuse_what_it_lacks,
    restored,
    state_of,
    zeroed,
)
from scripts.training.watch import Watch


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
    refuse_what_it_lacks(model, spec)
    model.eval()
    packs = can_pack(model, spec.max_length if renewal else _longest(examples), pad_id)
    if processes:
        processes.shard(model, spec.precision)
    lesson = lesson_of(spec)
    draws = draws_of(batches(len(examples), spec.batch_pairs, spec.epochs, seed), renewal)
    steps = max(draws)
    optimizer, scheduler = optimization(parameter_groups(model, spec.weight_decay), spec, steps)
    rows: list[dict[str, Any]] = []
    progress = Progress(steps)
    head = head_of(model, spec) if packs else None

    if checkpoints and (state := checkpoints.newest(mapped=processes is not None)):
        rows = restored(state, model, optimizer, scheduler, processes)
        if renewal:
            renewal.restore(state["renewal"])
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
            norm = clipped(model, spec.max_gradient_norm, processes)
            rows.append(_row(step, per_item, batch, norm, scheduler.get_last_lr()[0]))
            rows[-1] |= columns_of(per_item, spec)
            rows[-1] |= watch(model, step, steps) if watch else {}
            refuse_non_finite(rows[-1])
            if step == 0:
                check_start(per_item, batch.items, spec, stored)
            optimizer.step()
            scheduler.step()
            zeroed(model, optimizer, processes)
            progress.report(rows[-1], f", margin {rows[-1]['margin']:.4f}")
            if checkpoints and len(rows) in draws and len(rows) - saved >= spec.checkpoint_every:
                state = state_of(model, optimizer, scheduler, rows, processes)
                state["renewal"] = renewal.state() if renewal else {}
                if processes is None or processes.rank == 0:
                    checkpoints.save(len(rows), state)
                saved = len(rows)
    return pd.DataFrame(rows)


def _longest(examples: Sequence[Example]) -> int:
    return max(len(side) for each in examples for side in (each.chosen, each.rejected))


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
