"""Our losses of samples with a reward and TRL's agree, in float32, on the same token ids.

TRL's trainers are created without their constructors, which want data and patch the model: log-probs are read from its
plain logits. What is compared is their ``_compute_loss``. TRL has no PPO any more: its GRPO with loss_type dr_grpo has
PPO's clipped surrogate, summed over tokens up to a constant.
"""

import copy
import os
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.training.advantages import against_the_others, token_rewards
from scripts.training.lessons import Rollout, lesson_of
from scripts.training.step import accumulate, head_of

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
trl = pytest.importorskip("trl")

PROMPTS, SAMPLES, BETA, LONGEST = 3, 4, 0.2, 9


@pytest.fixture
def card(tiny_policy):
    return read_policy(tiny_policy / "policy.json")


def moved(model, seed: int, size: float):
    """The model, slightly changed."""
    other = copy.deepcopy(model)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in other.parameters():
            each += size * torch.randn(each.shape, generator=draw)
    return other


@pytest.fixture
def models(card):
    """The reference, the policy that drew the samples, and the one that learns from them."""
    reference = load_causal(card, device="cpu")
    drew = moved(reference, 0, 0.03)
    return reference, drew, moved(drew, 1, 0.03)


@pytest.fixture
def rollouts(models, card) -> list[Rollout]:
    pad_id = load_tokenizer(card).pad_token_id
    draw = torch.Generator().manual_seed(2)
    found = []
    for _ in range(PROMPTS):
        prompt = torch.randint(7, 30, (5,), generator=draw).tolist()
        lengths = torch.randint(1, LONGEST + 1, (SAMPLES,), generator=draw).tolist()
        samples = tuple(Encoded(prompt, torch.randint(7, 30, (n,), generator=draw).tolist()) for n in lengths)
        rewards = tuple(torch.randn(SAMPLES, generator=draw).tolist())
        with torch.no_grad():
            ref, old = (tuple(token_logprobs(model, samples, pad_id)) for model in models[:2])
        earned = [token_rewards(*each, BETA) for each in zip(rewards, old, ref, strict=True)]
        found.append(Rollout(samples, rewards, old, ref, tuple(against_the_others(earned))))
    return found


def inputs_of(rollouts: list[Rollout], pad_id: int) -> dict[str, torch.Tensor]:
    """The same as TRL's batch: prompts of one length, completions padded on the right."""
    samples = [each for item in rollouts for each in item.samples]
    ids = torch.full((len(samples), LONGEST), pad_id)
    mask, old = torch.zeros_like(ids), torch.zeros(ids.shape)
    for row, each in enumerate(samples):
        ids[row, : len(each.response_ids)] = torch.tensor(each.response_ids)
        mask[row, : len(each.response_ids)] = 1
    for row, each in enumerate(logp for item in rollouts for logp in item.old):
        old[row, : len(each)] = each
    prompts = torch.tensor([each.prompt_ids for each in samples])
    return {
        "prompt_ids": prompts,
        "prompt_mask": torch.ones_like(prompts),
        "completion_ids": ids,
        "completion_mask": mask,
        "advantages": torch.stack([each[0] for item in rollouts for each in item.advantages]),
        "old_per_token_logps": old,
        "old_logps": old.sum(1),
        "num_items_in_batch": mask.sum(),
    }


def trainer_of(kind, model):
    """One of their trainers, with what its loss reads."""
    trainer = object.__new__(kind)
    attributes = {
        "model": model,
        "accelerator": Accelerator(cpu=True),
        "args": SimpleNamespace(delta=None, use_bias_correction_kl=False),
        "aux_loss_enabled": False,
        "beta": 0.0,
        "current_gradient_accumulation_steps": 1,
        "epsilon_low": 0.2,
        "epsilon_high": 0.2,
        "importance_sampling_level": "token",
        "loss_type": "dr_grpo",
        "max_completion_length": LONGEST,
        "model_kwarg_keys": set(),
        "off_policy_mask_threshold": None,
        "temperature": 1.0,
        "top_entropy_quantile": 1.0,
        "use_vllm": False,
        "use_liger_kernel": False,
        "_entropy_bonus_enabled": False,
        "_metrics": {"train": defaultdict(list), "eval": defaultdict(list)},
    }
    for name, value in attributes.items():
        setattr(trainer, name, value)
    trainer._get_per_token_logps_and_entropies = plain_logprobs
    return trainer


def plain_logprobs(model, ids, mask, kept: int, **_kwargs):
    """(log-probs of the last ``kept`` tokens, entropies that only their metrics use, no loss of experts)."""
    logps = model(input_ids=ids, attention_mask=mask).logits.log_softmax(-1)[:, -kept - 1 : -1]
    values = logps.gather(2, ids[:, -kept:, None]).squeeze(2)
    return values, torch.zeros_like(values), None


def ours(model, rollouts, objective: str, pad_id: int):
    model = copy.deepcopy(model)
    online = {"scorer": "any", "samples": SAMPLES}
    spec = Hyperparameters(objective=objective, online=online, beta=BETA, precision="float32", batch_tokens=60)
    values = accumulate(model, rollouts, lesson_of(spec), spec, pad_id, head_of(model, spec))
    return model, values[0].mean().item()


def assert_same_gradients(one, other, scale: float) -> None:
    for (name, mine), theirs in zip(one.named_parameters(), other.parameters(), strict=True):
        expected = scale * theirs.grad
        assert expected.abs().max() > 0
        torch.testing.assert_close(mine.grad, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item(), msg=name)


def test_ppo_is_the_clipped_surrogate_of_their_grpo(models, rollouts, card) -> None:
    pad_id = load_tokenizer(card).pad_token_id
    theirs = copy.deepcopy(models[2]).train()
    loss = trainer_of(trl.GRPOTrainer, theirs)._compute_loss(theirs, inputs_of(rollouts, pad_id))
    loss.backward()
    model, value = ours(models[2], rollouts, "ppo", pad_id)
    assert value == pytest.approx(LONGEST * loss.item(), rel=1e-3)
    assert_same_gradients(model, theirs, LONGEST)


def test_reinforce_on_the_policys_own_samples_is_their_rloo(models, rollouts, card) -> None:
    """Their ratio is of whole responses, and 1 there."""
    pad_id = load_tokenizer(card).pad_token_id
    theirs = copy.deepcopy(models[1]).train()
    loss = trainer_of(trl.RLOOTrainer, theirs)._compute_loss(theirs, inputs_of(rollouts, pad_id))
    loss.backward()
    model, _ = ours(models[1], rollouts, "reinforce", pad_id)
    assert_same_gradients(model, theirs, 1.0)


def test_advantages_are_their_rloos(rollouts) -> None:
    """Rewards less the KL penalty, as their RLOO takes it, against the mean of the others."""
    for item in rollouts:
        kl = torch.stack([(old - ref).sum() for old, ref in zip(item.old, item.ref, strict=True)])
        rewards = torch.tensor(item.rewards) - BETA * kl
        baselines = (rewards.sum() - rewards) / (SAMPLES - 1)
        found = torch.stack([each[0] for each in item.advantages])
        torch.testing.assert_close(found, rewards - baselines, rtol=1e-4, atol=1e-5)
