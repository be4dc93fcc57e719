"""The variants to compare: each trains the same policy on the same pairs in the same order.

Every step is timed separately, from its pairs to the update, so that one-time costs can be told apart.
"""

import copy
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib.batching import by_tokens
from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.logprobs import token_logprobs
from scripts.training.lessons import Example
from scripts.training.loop import batches, train

SEED = 0

SPEC = Hyperparameters(
    beta=0.1,
    learning_rate=1e-5,
    warmup_ratio=0.0,
    batch_pairs=8,
    epochs=1,
    max_length=512,
    precision="float32",
    batch_tokens=512,
)


class Clock:
    """The elapsed time of each step, and its CPU time over all threads, in seconds.

    CPU time is more reliable if others use the machine too.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.start()

    def start(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        """Marks the end of a step and the start of the next."""
        self.seconds.append(time.perf_counter() - self.wall)
        self.cpu_seconds.append(time.process_time() - self.processor)
        self.start()


@dataclass(frozen=True)
class Outcome:
    """Elapsed and CPU time of each step, and its loss.

    reference_seconds: the reference's forward passes over all pairs, for variants that compute them before training.
    """

    seconds: list[float]
    cpu_seconds: list[float]
    reference_seconds: float
    losses: list[float]


Pairs = Sequence[tuple[Encoded, Encoded]]
Variant = Callable[[PreTrainedModel, PreTrainedTokenizerFast, Pairs, Path], Outcome]


def ours(spec: Hyperparameters) -> Variant:
    def run(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, pairs: Pairs, folder: Path) -> Outcome:
        examples, reference_seconds = with_references(model, pairs, spec, tokenizer.pad_token_id)
        times = _AtEveryStep()
        rows = train(model, examples, spec, SEED, tokenizer.pad_token_id, renewal=times)
        times.clock.stop()
        return Outcome(times.clock.seconds, times.clock.cpu_seconds, reference_seconds, rows["loss"].tolist())

    return run


class _AtEveryStep:
    """A renewal that leaves the pairs unchanged: it is called before every step."""

    every = 1

    def __init__(self) -> None:
        self.clock = Clock()

    def __call__(self, model: PreTrainedModel, step: int, examples: list[Example]) -> list[Example]:
        if step:
            self.clock.stop()
        else:
            self.clock.start()
        return examples


@torch.no_grad()
def with_references(
    model: PreTrainedModel, pairs: Pairs, spec: Hyperparameters, pad_id: int
) -> tuple[list[Example], float]:
    """The pairs with their references, and the seconds that computing these took."""
    sequences = [each for pair in pairs for each in pair]
    found = [0.0] * len(sequences)
    begin = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=spec.precision == "bfloat16"):
        for batch in by_tokens([len(each) for each in sequences], 2048):
            for at, values in zip(batch, token_logprobs(model, [sequences[at] for at in batch], pad_id), strict=True):
                found[at] = float(values.double().sum())
    seconds = time.perf_counter() - begin
    numbered = enumerate(zip(pairs, found[::2], found[1::2], strict=True))
    return [Example(f"c{at}", f"r{at}", *pair, *references) for at, (pair, *references) in numbered], seconds


def plain_loop(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, pairs: Pairs, folder: Path) -> Outcome:
    """The straightforward loop: both sides padded, a forward pass for each, all logits; references given."""
    examples, reference_seconds = with_references(model, pairs, SPEC, tokenizer.pad_token_id)

    def logps(sequences: list[Encoded]) -> torch.Tensor:
        width = max(len(each) for each in sequences)
        ids = torch.full((len(sequences), width), tokenizer.pad_token_id)
        responses = torch.zeros(len(sequences), width)
        for row, each in enumerate(sequences):
            ids[row, : len(each)] = torch.tensor(each.prompt_ids + each.response_ids)
            responses[row, len(each.prompt_ids) : len(each)] = 1
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        per_token = logits.log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
        return (per_token * responses[:, 1:]).sum(1)

    model.train()
    steps = batches(len(examples), SPEC.batch_pairs, 1, SEED)
    optimizer = torch.optim.AdamW(
        model.parameters(), SPEC.learning_rate, (SPEC.adam_beta1, SPEC.adam_beta2), weight_decay=0.0
    )
    losses = []
    clock = Clock()
    for step, indices in enumerate(steps):
        batch = [examples[at] for at in indices]
        optimizer.param_groups[0]["lr"] = SPEC.learning_rate * 0.5 * (1 + math.cos(math.pi * step / len(steps)))
        margin = logps([each.chosen for each in batch]) - logps([each.rejected for each in batch])
        margin = margin - torch.tensor([each.ref_chosen - each.ref_rejected for each in batch])
        loss = -logsigmoid(SPEC.beta * margin).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), SPEC.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        clock.stop()
    return Outcome(clock.seconds, clock.cpu_seconds, reference_seconds, losses)


def of_trl(micro_batch: int = SPEC.batch_pairs, **settings) -> Variant:
    """TRL's DPOTrainer with changes to its own defaults; the same hyperparameters with any settings."""

    def run(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, pairs: Pairs, folder: Path) -> Outcome:
        import datasets  # imported here to keep them out of other variants' memory
        import trl
        from transformers import TrainerCallback

        clock = Clock()

        class AtEveryStep(TrainerCallback):
            def on_step_begin(self, *arguments, **others) -> None:
                clock.start()

            def on_step_end(self, *arguments, **others) -> None:
                clock.stop()

        class GivenDPOTrainer(trl.DPOTrainer):
            """TRL's trainer on the given ids, in the same order as ours."""

            def _prepare_dataset(self, dataset, *args):
                return dataset

            def _get_train_sampler(self, *args):
                return [at for step in batches(len(pairs), SPEC.batch_pairs, 1, SEED) for at in step]

        columns = {
            "prompt_ids": [chosen.prompt_ids for chosen, _ in pairs],
            "chosen_ids": [chosen.response_ids for chosen, _ in pairs],
            "rejected_ids": [rejected.response_ids for _, rejected in pairs],
        }
        arguments = trl.DPOConfig(
            str(folder / f"trl-{os.getpid()}"),
            beta=SPEC.beta,
            max_length=SPEC.max_length,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=SPEC.batch_pairs // micro_batch,
            precompute_ref_batch_size=micro_batch if settings.get("precompute_ref_log_probs") else None,
            learning_rate=SPEC.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0,
            adam_beta1=SPEC.adam_beta1,
            adam_beta2=SPEC.adam_beta2,
            weight_decay=0.0,
            max_grad_norm=SPEC.max_gradient_norm,
            num_train_epochs=1,
            logging_steps=1,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            **settings,
        )
        begin = time.perf_counter()
        reference = None if settings.get("precompute_ref_log_probs") else copy.deepcopy(model)
        trainer = GivenDPOTrainer(
            model,
            reference,
            arguments,
            train_dataset=datasets.Dataset.from_dict(columns),
            processing_class=tokenizer,
            callbacks=[AtEveryStep()],
        )
        reference_seconds = time.perf_counter() - begin if reference is None else 0.0
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        return Outcome(clock.seconds, clock.cpu_seconds, reference_seconds, losses)

    return run


BFLOAT16 = SPEC.model_copy(update={"precision": "bfloat16"})
FAST = {"activation_checkpointing": False, "precompute_ref_log_probs": True}

VARIANTS: dict[str, Variant] = {
    "ours": ours(SPEC),
    "ours_compiled": ours(SPEC.model_copy(update={"compile": True})),
    "plain_loop": plain_loop,
    "trl_default": of_trl(bf16=False),
    "trl_precomputed": of_trl(bf16=False, precompute_ref_log_probs=True),
    "trl_tuned_1": of_trl(micro_batch=1, bf16=False, **FAST),
    "trl_tuned_2": of_trl(micro_batch=2, bf16=False, **FAST),
    "ours_bfloat16": ours(BFLOAT16),
    "trl_bfloat16": of_trl(),
}
"""trl_default and trl_bfloat16 are as shipped, the first in float32; trl_precomputed is trl_default with precomputed
references; the tuned ones leave out activation checkpointing too."""
