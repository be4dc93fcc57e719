"""What the last hidden layer says of a pair: against a plain model, and against what a step really does."""

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.chat import Encoded
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from studies.preflight.policy import overlap

ids = st.lists(st.integers(0, 4), min_size=1, max_size=6)


@given(ids, ids)
def test_tokens_shared_are_those_of_both_multisets(chosen: list[int], rejected: list[int]) -> None:
    found = overlap.of_tokens((Encoded([7], chosen), Encoded([7], rejected)))
    common = sum(min(chosen.count(each), rejected.count(each)) for each in set(chosen))
    assert found["token_overlap"] == pytest.approx(2 * common / (len(chosen) + len(rejected)))
    assert found["same_tokens"] == (chosen == rejected)
    prefix = int(found["shared_prefix"])
    assert chosen[:prefix] == rejected[:prefix]
    assert prefix in (len(chosen), len(rejected)) or chosen[prefix] != rejected[prefix]


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("columns", [3, 1 << 13])
def test_scores_and_push_are_those_of_gradients(monkeypatch, with_bias: bool, columns: int) -> None:
    monkeypatch.setattr(overlap, "VOCABULARY", columns)
    torch.manual_seed(0)
    weight = torch.randn(11, 6, requires_grad=True)
    bias = torch.randn(11) if with_bias else None
    states = [torch.randn(4, 6), torch.randn(3, 6)]
    targets = [torch.tensor([1, 2, 3, 2]), torch.tensor([2, 9, 1])]

    def logprob(side: int) -> torch.Tensor:
        logits = states[side] @ weight.T + (0 if bias is None else bias)
        return torch.log_softmax(logits, 1)[range(len(targets[side])), targets[side]].sum()

    chosen, rejected = (torch.autograd.grad(logprob(side), weight)[0] for side in (0, 1))
    sums = [each.sum(0) for each in states]
    means = [each.mean(0) for each in states]
    expected = [
        float(sums[0] @ sums[1] - sums[0] @ sums[0]),
        float(means[0] @ means[1] - means[0] @ means[0]),
        float(((chosen * chosen).sum() - (chosen * rejected).sum()) / (chosen * chosen).sum()),
    ]
    assert overlap.of_hidden(states, targets, weight.detach(), bias) == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def policy(tiny_policy: Path):
    card = read_policy(tiny_policy / "policy.json")
    return load_causal(card, "float32"), load_tokenizer(card).pad_token_id


def pairs() -> list[tuple[Encoded, Encoded]]:
    prompts = [[5, 6, 7], [8, 9]]
    responses = [([10, 11, 12], [10, 13]), ([12, 12], [14, 11, 10, 9])]
    return [
        (Encoded(prompt, chosen), Encoded(prompt, rejected))
        for prompt, (chosen, rejected) in zip(prompts, responses, strict=True)
    ]


def test_packed_and_padded_agree_and_a_step_does_what_push_says(policy) -> None:
    """A step of SGD on the head, on one pair's log-ratio, against the same on the chosen response alone."""
    model, pad_id = policy
    found = overlap.compared(model, pairs(), pad_id, 64)
    alone = [overlap.compared(model, [pair], pad_id, 64)[0] for pair in pairs()]
    for together, single in zip(found, alone, strict=True):
        assert together == pytest.approx(single, rel=1e-3, abs=1e-4)
    with torch.inference_mode():
        packed, padded = (of(model, pairs(), pad_id) for of in (overlap._packed, overlap._padded))
    for one, other in zip(packed, padded, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

    head = copy.deepcopy(model.get_output_embeddings()).double()

    def logprob(states: torch.Tensor, each: Encoded) -> torch.Tensor:
        return torch.log_softmax(head(states.double()), 1)[range(len(each.response_ids)), each.response_ids].sum()

    def lifted(states, pair, by: torch.Tensor) -> float:
        """How much a small step on ``by`` lifts the chosen log-prob, per size of the step."""
        gradient = torch.autograd.grad(by, head.weight)[0]
        before = float(logprob(states[0], pair[0]).detach())
        with torch.no_grad():
            head.weight += 1e-6 * gradient
            after = float(logprob(states[0], pair[0]).detach())
            head.weight -= 1e-6 * gradient
        return (after - before) / 1e-6

    for at, pair in enumerate(pairs()):
        states = [each.clone() for each in padded[2 * at : 2 * at + 2]]
        on_pair = lifted(states, pair, logprob(states[0], pair[0]) - logprob(states[1], pair[1]))
        on_chosen = lifted(states, pair, logprob(states[0], pair[0]))
        assert found[at][2] == pytest.approx(on_pair / on_chosen, rel=1e-2)
