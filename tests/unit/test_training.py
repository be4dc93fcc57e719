"""The training loop."""

import copy
import math
import shutil
from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.chat import Encoded
from scripts.lib.errors import InputError
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, read_policy
from scripts.lib.objectives import OBJECTIVES, PairLogps, with_options
from scripts.training import updates
from scripts.training.lessons import Example, PairLesson, loss_at_reference, uses_rejected
from scripts.training.loop import batches, train
from scripts.training.step import accumulate, head_of
from tests.pairs_data import SPEC, Data, spec_of

SIDES = ("chosen", "rejected")


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


@pytest.fixture(scope="module")
def model(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"))


@given(st.integers(1, 200), st.integers(1, 40), st.sampled_from([0.3, 1.0, 2.0, 2.5]), st.integers(0, 5))
def test_every_pair_is_seen_once_an_epoch(pairs, batch_pairs, epochs, seed) -> None:
    steps = batches(pairs, batch_pairs, epochs, seed)
    a_epoch = math.ceil(pairs / batch_pairs)
    assert len(steps) == math.ceil(epochs * a_epoch)
    assert steps == batches(pairs, batch_pairs, epochs, seed)
    for epoch in range(int(epochs)):
        of_epoch = steps[epoch * a_epoch : (epoch + 1) * a_epoch]
        assert sorted(index for each in of_epoch for index in each) == list(range(pairs))
        assert all(len(each) == batch_pairs for each in of_epoch[:-1])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = batches(100, 100, 2, seed=0)
    assert first != second
    assert batches(100, 100, 1, seed=1) != [first]


def test_the_first_dpo_loss_is_log_2(data) -> None:
    """conftest.py asserts so of every run of a test."""
    rows = train(data.model, data.examples(), spec_of(), 1, data.tokenizer.pad_token_id)
    assert rows["loss"][0] == pytest.approx(math.log(2), abs=1e-6)
    assert rows["margin"][0] == pytest.approx(0.0, abs=1e-4)


def test_training_prefers_the_chosen(data) -> None:
    rows = train(data.model, data.examples(), spec_of(epochs=6), 1, data.tokenizer.pad_token_id)
    assert rows["loss"].iloc[-1] < 0.3 and rows["accuracy"].iloc[-1] == 1.0
    assert rows["margin"].iloc[-1] == pytest.approx((rows["chosen_reward"] - rows["rejected_reward"]).iloc[-1])
    assert not data.model.training


def test_sft_raises_the_chosen(data) -> None:
    rows = train(data.model, data.examples(), spec_of(objective="sft", epochs=6), 1, data.tokenizer.pad_token_id)
    assert rows["chosen_logp"].iloc[-1] > rows["chosen_logp"].iloc[0]


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_objective_trains_and_is_measured_alike(data, name) -> None:
    """Lengths and references reach it, its loss falls, and rewards are the implicit ones under the variant's beta."""
    examples = data.examples()
    spec = spec_of(objective=name, batch_pairs=len(examples), epochs=8)
    rows = train(data.model, examples, spec, 1, data.tokenizer.pad_token_id)

    chosen, rejected = (torch.tensor([getattr(each, f"ref_{side}") for each in examples]) for side in SIDES)
    lengths = [torch.tensor([float(len(getattr(each, side).response_ids)) for each in examples]) for side in SIDES]
    at_reference = PairLogps(chosen, rejected, chosen, rejected, *lengths)
    assert rows["loss"][0] == pytest.approx(with_options(name, spec.beta, {})(at_reference).mean().item(), rel=1e-5)
    assert rows["loss"].iloc[-1] < rows["loss"][0]
    assert rows["margin"][0] == pytest.approx(0.0, abs=1e-4) and rows["margin"].iloc[-1] > 0.1
    for side, ref in zip(SIDES, (chosen, rejected), strict=True):
        expected = spec.beta * (rows[f"{side}_logp"] - ref.mean().item())
        assert rows[f"{side}_reward"].tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_learning_rate_rises_and_then_falls_as_a_cosine(data) -> None:
    rows = train(data.model, data.examples(), spec_of(epochs=7, warmup_ratio=0.2), 1, data.tokenizer.pad_token_id)
    steps, warmup, peak = 21, 5, SPEC.learning_rate
    expected = [
        peak * (at / warmup if at < warmup else 0.5 * (1 + math.cos(math.pi * (at - warmup) / (steps - warmup))))
        for at in range(steps)
    ]
    assert rows["learning_rate"].tolist() == pytest.approx(expected)
    assert rows["pairs"].tolist() == [8, 8, 4] * 7


def gradient(data: Data, batch_tokens: int, objective: str, packed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    spec = spec_of(batch_tokens=batch_tokens, objective=objective)
    data.model.zero_grad()
    head = head_of(data.model, spec) if packed else None
    per_pair = accumulate(
        data.model, data.examples(), PairLesson(with_options(objective, 0.5, {}), spec), spec, 0, head
    )
    return torch.cat([each.grad.flatten() for each in data.model.parameters()]), per_pair.mean(dim=1)


@pytest.mark.parametrize("objective", ["dpo", "sft"])
def test_neither_packing_nor_micro_batches_change_anything(data, objective) -> None:
    whole, values = gradient(data, 100_000, objective, packed=False)
    assert whole.norm() > 0.01
    for budget, packed in product((1, 100, 300, 100_000), (False, True)):
        cut, cut_values = gradient(data, budget, objective, packed)
        assert (cut - whole).norm() <= 1e-5 * whole.norm()
        torch.testing.assert_close(cut_values, values, rtol=1e-5, atol=1e-5)


TOKENS = st.lists(st.integers(3, 30), min_size=1, max_size=12)


@st.composite
def a_step(draw) -> list[Example]:
    """Pairs of one token and of many, with common beginnings or equal sides, and repeated prompts."""
    prompts = draw(st.lists(TOKENS, min_size=1, max_size=3))
    found = []
    for at in range(draw(st.integers(1, 6))):
        prompt, beginning = draw(st.sampled_from(prompts)), draw(st.sampled_from([[], [8, 9]]))
        chosen, rejected = (Encoded(prompt, (beginning + draw(TOKENS))[:10]) for _ in range(2))
        found.append(Example(f"c{at}", f"r{at}", chosen, rejected, -3.0 * len(chosen), -3.0 * len(rejected)))
    return found


OPTIONS = {"ipo": {"eta": 1.0}}
"""At its default the slope of ipo is 10 for equal sides, and the rounding of what cancels is ten times as large."""


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
@settings(max_examples=12)
@given(batch=a_step(), budget=st.sampled_from([1, 40, 1000]))
def test_a_packed_step_is_a_padded_one(model, name, batch, budget) -> None:
    """Losses, log-probabilities, rewards and gradients of every objective, to 1e-5."""
    found = []
    for packed in (False, True):
        spec = spec_of(objective=name, batch_tokens=budget if packed else 10_000)
        model.zero_grad()
        head = head_of(model, spec) if packed else None
        lesson = PairLesson(with_options(name, 0.1, OPTIONS.get(name, {})), spec)
        per_pair = accumulate(model, batch, lesson, spec, 0, head)
        order = (per_pair[1] + 1.4 * per_pair[2]).argsort()  # pairs that are each other's reverse have equal sums
        found.append((per_pair[:, order], torch.cat([each.grad.flatten() for each in model.parameters()])))
    (padded, plain), (values, mine) = found
    torch.testing.assert_close(values, padded, rtol=1e-5, atol=1e-5)
    assert (mine - plain).norm() <= 1e-5 * plain.norm() + 1e-5  # equal sides: only rounding is left


@settings(max_examples=12)
@given(batch=a_step())
def test_any_packed_step_at_the_reference_has_loss_log_2(model, batch) -> None:
    with torch.no_grad():
        sums = [[token_logprobs(model, [each], 0)[0].sum().item() for each in (a.chosen, a.rejected)] for a in batch]
    batch = [replace(each, ref_chosen=of[0], ref_rejected=of[1]) for each, of in zip(batch, sums, strict=True)]
    per_pair = accumulate(model, batch, PairLesson(with_options("dpo", 0.1, {}), SPEC), SPEC, 0, head_of(model, SPEC))
    assert per_pair[0].tolist() == pytest.approx([math.log(2)] * len(batch), abs=1e-5)


def test_rejected_responses_without_a_use_get_no_backward(data) -> None:
    assert not uses_rejected(with_options("sft", 0.1, {})) and uses_rejected(with_options("dpo", 0.1, {}))
    seen = []

    def see(_module, _arguments, keywords) -> None:
        seen.append((torch.is_grad_enabled(), keywords["position_ids"].numel()))

    handle = data.model.base_model.register_forward_pre_hook(see, with_kwargs=True)
    batch = data.examples()
    accumulate(data.model, batch, PairLesson(with_options("sft", 0.1, {}), SPEC), SPEC, 0, head_of(data.model, SPEC))
    handle.remove()
    assert sum(tokens for enabled, tokens in seen if enabled) == sum(len(each.chosen) for each in batch)


@pytest.mark.parametrize("packed", [False, True])
def test_gradient_checkpointing_changes_no_bit(data, packed) -> None:
    def run(**changes) -> dict:
        model = copy.deepcopy(data.model)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(updates, "reason_against", lambda *_: None if packed else "asked not to")
            rows = train(model, data.examples(), spec_of(epochs=0.5, **changes), 1, 0)
        assert not any("forward" in vars(each) for each in model.modules())
        return rows.to_dict() | {name: each.tolist() for name, each in model.state_dict().items()}

    counted = []
    handle = data.model.base_model.layers[0].input_layernorm.register_forward_hook(lambda *_: counted.append(1))
    plain, without = run(), len(counted)
    counted.clear()
    assert run(gradient_checkpointing=True) == plain
    assert len(counted) > without
    handle.remove()


@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler")
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_compiled_layers_say_the_same(data, monkeypatch, packed, checkpointing) -> None:
    """One or two graphs per part of a layer, whatever the lengths; afterwards the model is unchanged."""
    monkeypatch.setattr(updates, "reason_against", lambda *_: None if packed else "asked not to")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    spec = spec_of(gradient_checkpointing=checkpointing, batch_tokens=150)
    other = copy.deepcopy(data.model)
    counters = torch._dynamo.utils.counters["stats"]
    plain = train(data.model, data.examples(), spec, 1, 0)
    assert not counters["unique_graphs"]
    compiled = train(other, data.examples(), spec.model_copy(update={"compile": True}), 1, 0)
    assert 0 < counters["unique_graphs"] <= 4
    for name in ("loss", "chosen_logp", "rejected_logp", "gradient_norm"):
        assert compiled[name].tolist() == pytest.approx(plain[name].tolist(), rel=1e-4)
    for mine, weight in zip(data.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, weight, rtol=1e-3, atol=1e-4)
    assert not any("forward" in vars(each) for each in other.modules())


def test_what_has_no_layers_cannot_be_compiled(data, monkeypatch) -> None:
    monkeypatch.setattr(data.model, "_no_split_modules", None)
    with pytest.raises(InputError, match="names no layers of LlamaForCausalLM"):
        train(data.model, data.examples(), spec_of(compile=True), 1, 0)


def test_gradients_are_clipped_to_the_norm(data) -> None:
    """A first Adam step has the same length whatever the gradient's; the second moment reveals the clipping."""
    optimisers = []
    original = torch.optim.AdamW.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", lambda self: (optimisers.append(self), original(self))[1])
        rows = train(data.model, data.examples(), spec_of(max_gradient_norm=0.01, epochs=0.1), 1, 0)
    first = torch.cat([state["exp_avg"].flatten() for state in optimisers[0].state.values()])
    assert rows["gradient_norm"][0] > 0.1
    assert first.norm().item() / (1 - SPEC.adam_beta1) == pytest.approx(0.01, rel=1e-3)


def test_bfloat16_is_near_float32_and_keeps_float32_weights(data, tiny_policy) -> None:
    other = load_causal(read_policy(tiny_policy / "policy.json"))
    exact = train(data.model, data.examples(), spec_of(), 1, 0)
    rough = train(other, data.examples(), spec_of(precision="bfloat16"), 1, 0)
    assert all(each.dtype == torch.float32 for each in other.parameters())
    assert rough["loss"].tolist() == pytest.approx(exact["loss"].tolist(), abs=0.1)
    assert rough["loss"].tolist() != exact["loss"].tolist()


def test_the_global_random_state_is_left_alone(data) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(99)
        before = torch.get_rng_state()
        train(data.model, data.examples(), spec_of(epochs=0.1), 1, 0)
        assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("checkpointing", [False, True])
def test_dropout_and_a_routers_noise_are_off(data, checkpointing) -> None:
    """The stored log-probs had none: the loss of step 0 is log 2, and every later one is as without."""

    def noisy(module, _inputs, output):
        return output + torch.randn_like(output) if module.training else output

    plain, other = data.model, copy.deepcopy(data.model)
    examples = data.examples()
    for layer in other.model.layers:
        layer.self_attn.attention_dropout = 0.3
    other.model.norm.register_forward_hook(noisy)
    spec = spec_of(gradient_checkpointing=checkpointing)
    expected = train(plain, examples, spec, 1, 0)
    assert expected["loss"][0] == pytest.approx(math.log(2), abs=1e-6)
    assert train(other.train(), examples, spec, 1, 0)["loss"].tolist() == expected["loss"].tolist()


@pytest.mark.parametrize(("precision", "by"), [("float32", 0.01), ("bfloat16", 1.0)])
def test_references_of_another_policy_end_the_run_before_its_first_update(data, precision, by) -> None:
    examples = [
        replace(each, ref_chosen=each.ref_chosen - by * len(each.chosen.response_ids)) for each in data.examples()
    ]
    before = copy.deepcopy(data.model.state_dict())
    for objective in ("dpo", "sft", "slic"):  # with a reference in its loss or without
        with pytest.raises(InputError, match=r"training step 0: .* nats per token from those .* if they agree"):
            train(data.model, examples, spec_of(precision=precision, objective=objective), 1, 0)
    assert all(torch.equal(each, before[name]) for name, each in data.model.state_dict().items())


def test_log_probs_stored_in_bfloat16_may_be_as_far_off_as_those(data) -> None:
    examples = [
        replace(each, ref_chosen=each.ref_chosen - 0.02 * len(each.chosen.response_ids)) for each in data.examples()
    ]
    rows = train(data.model, examples, spec_of(), 1, 0, stored="bfloat16")
    assert rows["loss"][0] != pytest.approx(math.log(2), abs=1e-3)


def test_the_loss_at_the_reference_is_known_for_every_objective(data) -> None:
    known = {"dpo": math.log(2), "flex_dpo": math.log(2), "dpop": math.log(2), "ipo": 25.0}
    for name, value in known.items():
        assert loss_at_reference(data.examples(), spec_of(objective=name)) == pytest.approx(value, rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_run(data) -> None:
    with torch.no_grad():
        data.model.get_input_embeddings().weight[7:] = float("nan")
    with pytest.raises(InputError, match=r"training step 0.*not finite"):
        train(data.model, data.examples(), spec_of(), 1, 0)
