"""The training loop."""

import copy
import math
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.models import load_causal, read_policy
from scripts.lib.objectives import with_options
from scripts.training.loop import batches, train
from scripts.training.step import accumulate
from tests.pairs_data import SPEC, Data, spec_of


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


@settings(deadline=None)
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
    rows = train(data.model, data.examples(), spec_of(), 1, data.tokenizer.pad_token_id)
    assert rows["loss"][0] == pytest.approx(math.log(2), abs=1e-5)
    assert rows["margin"][0] == pytest.approx(0.0, abs=1e-4)


def test_training_prefers_the_chosen(data) -> None:
    rows = train(data.model, data.examples(), spec_of(epochs=6), 1, data.tokenizer.pad_token_id)
    assert rows["loss"].iloc[-1] < 0.3 and rows["accuracy"].iloc[-1] == 1.0
    assert rows["margin"].iloc[-1] == pytest.approx((rows["chosen_reward"] - rows["rejected_reward"]).iloc[-1])
    assert not data.model.training


def test_sft_raises_the_chosen(data) -> None:
    rows = train(data.model, data.examples(), spec_of(objective="sft", epochs=6), 1, data.tokenizer.pad_token_id)
    assert rows["chosen_logp"].iloc[-1] > rows["chosen_logp"].iloc[0]


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
    per_pair = accumulate(data.model, data.examples(), with_options(objective, 0.5, {}), spec, 0, packed)
    return torch.cat([each.grad.flatten() for each in data.model.parameters()]), per_pair.mean(dim=1)


@pytest.mark.parametrize("objective", ["dpo", "sft"])
def test_neither_packing_nor_micro_batches_change_anything(data, objective) -> None:
    whole, values = gradient(data, 100_000, objective, packed=False)
    assert whole.norm() > 0.01
    for budget, packed in product((1, 100, 300, 100_000), (False, True)):
        cut, cut_values = gradient(data, budget, objective, packed)
        assert (cut - whole).norm() <= 1e-5 * whole.norm()
        torch.testing.assert_close(cut_values, values, rtol=1e-5, atol=1e-5)


def test_gradients_are_clipped_to_the_norm(data) -> None:
    """A first Adam step has the same length whatever the gradient's; the second moment betrays the clipping."""
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


def test_dropout_is_the_models_and_follows_the_seed(data) -> None:
    def losses(dropout: float, seed: int) -> list[float]:
        model = copy.deepcopy(data.model)
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = dropout
        return train(model, data.examples(), spec_of(batch_pairs=20), seed, 0)["loss"].tolist()

    assert losses(0.0, 1)[0] == pytest.approx(math.log(2), abs=1e-5)
    assert abs(losses(0.3, 1)[0] - math.log(2)) > 1e-3
    assert losses(0.3, 1) == losses(0.3, 1) != losses(0.3, 2)


def test_a_loss_that_is_no_number_ends_the_run(data) -> None:
    with torch.no_grad():
        data.model.get_input_embeddings().weight[7:] = float("nan")
    with pytest.raises(InputError, match=r"training step 0.*not finite"):
        train(data.model, data.examples(), spec_of(), 1, 0)
