"""Our trainer and TRL's agree, in float32, on the same token ids.

TRL's own tokenisation is bypassed: its datasets are given as ids, and everything after that is its own code (collator,
loss, metrics, accumulation, optimiser, schedule).
"""

import copy
import os
from dataclasses import replace

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import Sampler

from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.objectives import with_options
from scripts.training.lessons import Example, PairLesson
from scripts.training.loop import batches, train
from scripts.training.step import accumulate, head_of

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
trl = pytest.importorskip("trl")
cpo = pytest.importorskip("trl.experimental.cpo")
orpo = pytest.importorskip("trl.experimental.orpo")
padding = pytest.importorskip("trl.experimental.utils").DPODataCollatorWithPadding

SEED = 3
SPEC = Hyperparameters(
    precision="float32", beta=0.3, learning_rate=1e-3, batch_pairs=4, epochs=2, max_length=64, warmup_ratio=0.2
)
PLAIN = {"use_cpu": True, "bf16": False, "activation_checkpointing": False, "report_to": "none", "save_strategy": "no"}


class OurOrder(Sampler):
    """The pairs in our order, a new permutation each epoch."""

    def __init__(self, pairs: int) -> None:
        self.pairs, self.epoch = pairs, 0

    def __len__(self) -> int:
        return self.pairs

    def __iter__(self):
        steps = batches(self.pairs, self.pairs, self.epoch + 1, SEED)
        self.epoch += 1
        return iter(steps[-1])


class GivenDPOTrainer(trl.DPOTrainer):
    """TRL's trainer on the given ids, in the same order as ours."""

    def _prepare_dataset(self, dataset, *args):
        return dataset

    def _get_train_sampler(self, *args):
        return OurOrder(len(self.train_dataset))


@pytest.fixture
def tokenizer(tiny_policy):
    return load_tokenizer(read_policy(tiny_policy / "policy.json"))


@pytest.fixture
def reference(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"), device="cpu")


@pytest.fixture
def policy(reference):
    """The reference, slightly changed: a loss other than log 2 shows more."""
    moved = copy.deepcopy(reference)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in moved.parameters():
            each += 0.05 * torch.randn(each.shape, generator=draw)
    return moved


@pytest.fixture
def examples(reference, tokenizer) -> list[Example]:
    """Eleven pairs of many lengths, so that the last step of an epoch is short."""
    draw = np.random.default_rng(0)

    def words(least: int, most: int) -> list[int]:
        return draw.integers(7, len(tokenizer), draw.integers(least, most)).tolist()

    pairs = []
    for at in range(11):
        prompt = words(2, 20)
        chosen, rejected = Encoded(prompt, words(1, 30)), Encoded(prompt, words(1, 30))
        pairs.append(Example(f"c{at}", f"r{at}", chosen, rejected, 0.0, 0.0))
    return with_reference(pairs, reference, tokenizer)


def with_reference(examples: list[Example], reference, tokenizer) -> list[Example]:
    """The examples with the log-probabilities under ``reference``."""

    def logp(encoded: Encoded) -> float:
        with torch.no_grad():
            return token_logprobs(reference, [encoded], tokenizer.pad_token_id)[0].double().sum().item()

    return [replace(each, ref_chosen=logp(each.chosen), ref_rejected=logp(each.rejected)) for each in examples]


def preferences(examples: list[Example]) -> datasets.Dataset:
    columns = {
        "prompt_ids": [each.chosen.prompt_ids for each in examples],
        "chosen_ids": [each.chosen.response_ids for each in examples],
        "rejected_ids": [each.rejected.response_ids for each in examples],
    }
    return datasets.Dataset.from_dict(columns)


def dpo_trainer(model, reference, tokenizer, examples, folder, **more) -> trl.DPOTrainer:
    arguments = trl.DPOConfig(str(folder), **{"beta": SPEC.beta, "max_length": SPEC.max_length} | PLAIN | more)
    return GivenDPOTrainer(model, reference, arguments, train_dataset=preferences(examples), processing_class=tokenizer)


def gradients(model) -> dict[str, torch.Tensor]:
    return {name: each.grad for name, each in model.named_parameters()}


def ours(model, examples, tokenizer, objective: str, batch_tokens: int = 100_000, **options):
    """Our loss and other measurements, each a mean over pairs; the gradients are in a copy of ``model``."""
    model = copy.deepcopy(model).train()
    spec = SPEC.model_copy(update={"objective": objective, "batch_tokens": batch_tokens})
    per_pair = accumulate(
        model,
        examples,
        PairLesson(with_options(objective, spec.beta, options), spec),
        spec,
        tokenizer.pad_token_id,
        head_of(model, spec),
    )
    return model, per_pair


def assert_same_gradients(one, other) -> None:
    for name, expected in gradients(other).items():
        assert expected.abs().max() > 0
        scale = expected.abs().max().item()
        torch.testing.assert_close(gradients(one)[name], expected, rtol=1e-4, atol=1e-5 * scale, msg=name)


def test_dpo_of_one_batch(policy, reference, tokenizer, examples, tmp_path) -> None:
    trainer = dpo_trainer(copy.deepcopy(policy), copy.deepcopy(reference), tokenizer, examples, tmp_path)
    batch = trainer.data_collator(list(trainer.train_dataset))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    theirs = {name: values[0] for name, values in trainer._metrics["train"].items()}

    model, per_pair = ours(policy, examples, tokenizer, "dpo", batch_tokens=200)
    measured = ("loss", "chosen", "rejected", "chosen_reward", "rejected_reward")
    mean = dict(zip(measured, per_pair[:5].mean(1).tolist(), strict=True))
    assert abs(loss.item() - np.log(2)) > 0.01
    assert mean["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert mean["chosen"] == pytest.approx(theirs["logps/chosen"], rel=1e-5)
    assert mean["rejected"] == pytest.approx(theirs["logps/rejected"], rel=1e-5)
    assert mean["chosen_reward"] == pytest.approx(theirs["rewards/chosen"], rel=1e-4)
    assert mean["rejected_reward"] == pytest.approx(theirs["rewards/rejected"], rel=1e-4)
    assert mean["chosen_reward"] - mean["rejected_reward"] == pytest.approx(theirs["rewards/margins"], rel=1e-4)
    assert (per_pair[3] > per_pair[4]).float().mean().item() == pytest.approx(theirs["rewards/accuracies"])
    assert_same_gradients(model, trainer.model)


def test_sft_of_one_batch(policy, tokenizer, examples, tmp_path) -> None:
    """TRL's mean is over all tokens of a batch, ours first over each response's: the same for equal lengths."""
    examples = [
        replace(each, chosen=Encoded(each.chosen.prompt_ids, each.chosen.response_ids[:6]))
        for each in examples
        if len(each.chosen.response_ids) >= 6
    ]
    columns = {
        "input_ids": [each.chosen.prompt_ids + each.chosen.response_ids for each in examples],
        "labels": [[-100] * len(each.chosen.prompt_ids) + each.chosen.response_ids for each in examples],
    }
    dataset = datasets.Dataset.from_dict(columns)
    arguments = trl.SFTConfig(str(tmp_path), max_length=SPEC.max_length, **PLAIN)
    trainer = trl.SFTTrainer(copy.deepcopy(policy), arguments, train_dataset=dataset, processing_class=tokenizer)
    batch = trainer.data_collator(list(trainer.train_dataset))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()

    model, per_pair = ours(policy, examples, tokenizer, "sft")
    assert len(examples) > 3
    assert per_pair[0].mean().item() == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(model, trainer.model)


def even(examples: list[Example], prompt: int | None = None, length: int = 6) -> list[Example]:
    """Examples with responses of at least ``length`` tokens, cut to that length, and prompts to ``prompt`` tokens."""

    def cut(encoded: Encoded) -> Encoded:
        return Encoded(encoded.prompt_ids[:prompt], encoded.response_ids[:length])

    sides = [(each, cut(each.chosen), cut(each.rejected)) for each in examples]
    kept = [(each, *both) for each, *both in sides if all(len(side.response_ids) == length for side in both)]
    assert len(kept) > 3
    return [replace(each, chosen=chosen, rejected=rejected) for each, chosen, rejected in kept]


@pytest.mark.parametrize(
    ("objective", "options", "loss_types", "beta", "weights", "scale"),
    [
        ("ipo", {"eta": 0.05}, ["ipo"], 0.05 * 6, [1.0], 6**2),
        ("sft_dpo", {"gamma": 0.2}, ["sigmoid", "sft"], SPEC.beta, [1.0, 0.2 * 6], 1.0),
        ("flex_dpo", {"beta_chosen": 0.2, "beta_rejected": 0.2}, ["sigmoid"], 0.2, [1.0], 1.0),
    ],
    ids=["ipo", "sft_dpo", "flex_dpo"],
)
def test_objectives_of_one_batch_by_their_dpo_trainer(
    policy, reference, tokenizer, examples, tmp_path, objective, options, loss_types, beta, weights, scale
) -> None:
    """Responses of six tokens, because TRL has IPO and SFT in nats per token: tests/contract/test_trl_objectives.py."""
    examples = with_reference(even(examples), reference, tokenizer)
    arguments = {"loss_type": loss_types, "loss_weights": weights}
    trainer = dpo_trainer(
        copy.deepcopy(policy), copy.deepcopy(reference), tokenizer, examples, tmp_path, beta=beta, **arguments
    )
    trainer.model.train()
    loss = scale * trainer.compute_loss(trainer.model, trainer.data_collator(list(trainer.train_dataset)))
    loss.backward()
    model, per_pair = ours(policy, examples, tokenizer, objective, batch_tokens=200, **options)
    assert per_pair[0].mean().item() == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(model, trainer.model)


def padded_pairs(examples: list[Example], tokenizer) -> dict:
    """A batch in the form of TRL's collator for its experimental trainers."""
    rows = []
    for each in examples:
        row = {}
        for name, side in (("chosen", each.chosen), ("rejected", each.rejected)):
            ids = side.prompt_ids + side.response_ids
            row[f"{name}_input_ids"], row[f"{name}_attention_mask"] = ids, [1] * len(ids)
            row[f"{name}_labels"] = [-100] * len(side.prompt_ids) + side.response_ids
        rows.append(row)
    return padding(pad_token_id=tokenizer.pad_token_id)(rows)


@pytest.mark.parametrize("objective", ["simpo", "slic", "orpo"])
def test_objectives_of_one_batch_by_their_trainers_without_a_reference(policy, tokenizer, examples, objective) -> None:
    """The trainers are created without their constructors, which require text.

    Their mean log-likelihoods are over a batch's tokens, and ORPO's includes the prompt's, except the first token: for
    SLiC and ORPO, responses have six tokens and prompts one.
    """
    if objective != "simpo":
        examples = even(examples, prompt=1)
    trainer = object.__new__(orpo.ORPOTrainer if objective == "orpo" else cpo.CPOTrainer)
    attributes = {"accelerator": Accelerator(cpu=True), "is_encoder_decoder": False, "aux_loss_enabled": False}
    attributes |= {"padding_value": tokenizer.pad_token_id, "pad_token_id": tokenizer.pad_token_id}
    of_loss, options, scale = {
        "simpo": ({"beta": SPEC.beta, "loss_type": "simpo", "simpo_gamma": 0.4, "cpo_alpha": 0.0}, {"gamma": 0.4}, 1.0),
        # their hinge is ours over delta; their mean over six tokens is a sixth of a sum
        "slic": ({"beta": 1 / 5, "loss_type": "hinge", "cpo_alpha": 6 * 0.3 / 5}, {"delta": 5.0, "eta": 0.3}, 5.0),
        "orpo": ({"beta": 0.7}, {"lam": 0.7}, 1.0),
    }[objective]
    for name, value in (attributes | {"alpha": 0.0, "label_smoothing": 0.0} | of_loss).items():
        setattr(trainer, name, value)
    theirs = copy.deepcopy(policy).train()
    loss = scale * trainer.get_batch_loss_metrics(theirs, padded_pairs(examples, tokenizer))[0]
    loss.backward()
    model, per_pair = ours(policy, examples, tokenizer, objective, batch_tokens=200, **options)
    assert per_pair[0].mean().item() == pytest.approx(loss.item(), rel=1e-5)
    assert_same_gradients(model, theirs)


@pytest.mark.parametrize("norm", [1000.0, 0.5], ids=["free", "clipped"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_run(reference, tokenizer, examples, tmp_path, weight_decay, norm) -> None:
    """Two epochs of three steps, the last of each a short one: the logged values, and the final weights."""
    spec = SPEC.model_copy(update={"weight_decay": weight_decay, "max_gradient_norm": norm, "batch_tokens": 150})
    trainer = dpo_trainer(
        copy.deepcopy(reference),
        copy.deepcopy(reference),
        tokenizer,
        examples,
        tmp_path,
        num_train_epochs=spec.epochs,
        per_device_train_batch_size=spec.batch_pairs,
        learning_rate=spec.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=spec.warmup_ratio,
        adam_beta1=spec.adam_beta1,
        adam_beta2=spec.adam_beta2,
        weight_decay=weight_decay,
        max_grad_norm=norm,
        logging_steps=1,
    )
    trainer.train()
    theirs = pd.DataFrame(trainer.state.log_history[:-1])

    model = copy.deepcopy(reference)
    rows = train(model, examples, spec, SEED, tokenizer.pad_token_id)
    for name, of_trl in {
        "loss": "loss",
        "chosen_logp": "logps/chosen",
        "rejected_logp": "logps/rejected",
        "chosen_reward": "rewards/chosen",
        "rejected_reward": "rewards/rejected",
        "margin": "rewards/margins",
        "gradient_norm": "grad_norm",
        "learning_rate": "learning_rate",
    }.items():
        assert rows[name].tolist() == pytest.approx(theirs[of_trl].tolist(), rel=1e-4, abs=2e-5), name
    assert rows["tokens"].cumsum().tolist() == theirs["num_tokens"].tolist()
    assert rows["accuracy"][2:].tolist() == pytest.approx(theirs["rewards/accuracies"][2:].tolist())
    for name, expected in trainer.model.state_dict().items():
        moved = (expected - reference.state_dict()[name]).abs().max().item()
        assert moved > 0
        torch.testing.assert_close(model.state_dict()[name], expected, rtol=0, atol=1e-3 * moved, msg=name)
