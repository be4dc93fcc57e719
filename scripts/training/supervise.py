"""Supervises a policy on whole conversations (SFT): the model that preference training starts from.

Every answer of a conversation is learnt, given all before it. The steps are those of a run (scripts/training/step.py):
AdamW, linear warm-up, cosine to zero, float32 weights, packed rows without the logits of a batch, several GPUs. Dropout
is off, as in runs. The arithmetic is that of TRL's SFTTrainer (tests/contract/test_trl_sft.py). A killed job resumes
from its last checkpoint and gives the same weights.
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import transformers
from transformers import PreTrainedModel

from scripts.lib import cli
from scripts.lib.config.policies import SupervisedPolicy
from scripts.lib.encoding import Encoder
from scripts.lib.errors import InputError
from scripts.lib.fingerprint import fingerprint
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.schemas import SUPERVISION
from scripts.lib.tables import card_of, write_json, write_table
from scripts.training.checkpoints import Checkpoints
from scripts.training.demonstrations import AnswersLesson, Demonstration, read_demonstrations
from scripts.training.processes import Processes, joined, parameter_groups, whole_model
from scripts.training.recomputed import recomputed_layers
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

STEP = "scripts.training.supervise"
REPOSITORY = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


def train(
    model: PreTrainedModel,
    demonstrations: Sequence[Demonstration],
    spec: SupervisedPolicy,
    pad_id: int,
    checkpoints: Checkpoints | None = None,
    processes: Processes | None = None,
) -> pd.DataFrame:
    """Train ``model`` (float32 weights) in place; returns a SUPERVISION table, each row from before its step's update.

    As :func:`scripts.training.loop.train`: checkpoints, several processes, and what is refused.
    """
    refuse_what_it_lacks(model, spec)
    model.eval()
    packs = can_pack(model, max(each.tokens for each in demonstrations), pad_id)
    if processes:
        processes.shard(model, spec.precision)
    steps = batches(len(demonstrations), spec.batch_conversations, spec.epochs, spec.seed)
    optimizer, scheduler = optimization(parameter_groups(model, spec.weight_decay), spec, len(steps))
    head = head_of(model, spec) if packs else None
    progress, rows = Progress(len(steps)), []
    if checkpoints and (state := checkpoints.newest(mapped=processes is not None)):
        rows = restored(state, model, optimizer, scheduler, processes)
    if processes:
        processes.check_agreed(len(rows))
    with recomputed_layers(model) if spec.gradient_checkpointing else nullcontext():
        for step in range(len(rows), len(steps)):
            batch = [demonstrations[at] for at in steps[step]]
            with refusals_told(model) if step == 0 else nullcontext():
                measured = accumulate(model, batch, AnswersLesson(batch), spec, pad_id, head, processes)
            norm = clipped(model, spec.max_gradient_norm, processes)
            loss = measured[0].double().mean().item()
            rows.append(_row(step, loss, norm, scheduler.get_last_lr()[0], batch))
            refuse_non_finite(rows[-1])
            optimizer.step()
            scheduler.step()
            zeroed(model, optimizer, processes)
            progress.report(rows[-1])
            if checkpoints and len(rows) % spec.checkpoint_every == 0 and len(rows) < len(steps):
                state = state_of(model, optimizer, scheduler, rows, processes)
                if processes is None or processes.rank == 0:
                    checkpoints.save(len(rows), state)
    return pd.DataFrame(rows)


def _row(step: int, loss: float, norm: float, learning_rate: float, batch: Sequence[Demonstration]) -> dict[str, Any]:
    return {
        "step": step,
        "loss": loss,
        "gradient_norm": norm,
        "learning_rate": learning_rate,
        "conversations": len(batch),
        "tokens": sum(each.tokens for each in batch),
        "learnt_tokens": sum(each.learnt for each in batch),
    }


def digest_of(spec: SupervisedPolicy, demonstrations: Sequence[Demonstration], policy: Path) -> str:
    """Hex digest of everything that the outcome depends on, except the machine."""
    digest = hashlib.sha256()
    head = {
        "spec": spec.model_dump(),
        "policy": policy.read_text(encoding="utf-8"),
        "code": fingerprint(STEP, REPOSITORY),
        "libraries": [torch.__version__, transformers.__version__],
    }
    digest.update(json.dumps(head, sort_keys=True).encode("utf-8"))
    for each in demonstrations:
        digest.update(json.dumps(each.turns.places).encode("utf-8"))
        digest.update(each.turns.ids.tobytes())
    return digest.hexdigest()


def perform(arguments: argparse.Namespace, processes: Processes | None) -> None:
    """Read, train, and write the policy, the table of its steps and the card of what it learnt from."""
    spec, card = arguments.spec, read_policy(arguments.policy)
    tokenizer = load_tokenizer(card)
    encoder = Encoder(tokenizer, card.rules, spec.start)
    demonstrations, found = read_demonstrations(arguments.demonstrations, encoder, spec.max_length)
    found = {"policy": arguments.name, "start": spec.start, **found}
    log.info("%s", found)
    if not demonstrations:
        raise InputError(
            arguments.demonstrations,
            f"no conversation has an answer within {spec.max_length} tokens ({found['dropped']})",
            "raise the policy's max_length",
        )
    checkpoints = Checkpoints(arguments.checkpoints, digest_of(spec, demonstrations, arguments.policy))
    model = load_causal(card)
    rows = train(model, demonstrations, spec, tokenizer.pad_token_id, checkpoints, processes)
    model = whole_model(model, card, processes)
    if model is None:
        return
    write_table(rows, arguments.log, SUPERVISION)
    write_json(found, card_of(arguments.log))
    save_policy(
        arguments.out,
        model,
        tokenizer,
        name=arguments.name,
        kind=spec.kind,
        max_length=card.max_length,
        logprob_precision=card.logprob_precision,
        rules=card.rules,
    )
    checkpoints.delete()


def main() -> None:
    parser = cli.parser_of(STEP, __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--spec", type=cli.spec_of(SupervisedPolicy), required=True, help="SupervisedPolicy as JSON")
    parser.add_argument("--policy", type=Path, required=True, help="policy.json of the policy to start from")
    parser.add_argument("--demonstrations", type=Path, required=True, help="conversations.parquet of a source")
    parser.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of this policy's alone; emptied at the end"
    )
    parser.add_argument("--log", type=Path, required=True, help="table of the steps; a card is written next to it")
    parser.add_argument("--out", type=Path, required=True, help="the policy's folder")
    arguments = parser.parse_args()
    with joined() as processes:
        perform(arguments, processes)


if __name__ == "__main__":
    cli.run(main)
