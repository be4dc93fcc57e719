"""The head that never holds a batch's logits: the same numbers and gradients as the plain computation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from scripts.lib.head import JOINED, Head

VOCABULARY, WIDTH = 23, 8


def linear(bias: bool = True) -> torch.nn.Linear:
    return torch.nn.Linear(WIDTH, VOCABULARY, bias=bias)


def plainly(head: torch.nn.Linear, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -cross_entropy(head(hidden), targets, reduction="none")


def inputs(tokens: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden states, targets and the weight of each log-probability."""
    draw = torch.Generator().manual_seed(seed)
    hidden = 3 * torch.randn(tokens, WIDTH, generator=draw)
    targets = torch.randint(VOCABULARY, (tokens,), generator=draw)
    return hidden.requires_grad_(), targets, torch.randn(tokens, generator=draw)


def gradients(module: torch.nn.Linear, hidden: torch.Tensor) -> list[torch.Tensor]:
    found = [hidden.grad, *(each.grad for each in module.parameters())]
    hidden.grad = None
    module.zero_grad()
    return found


@settings(max_examples=40)
@given(tokens=st.integers(1, 40), rows=st.integers(1, 50), bias=st.booleans(), seed=st.integers(0, 9))
def test_values_and_gradients_are_those_of_the_plain_computation(tokens, rows, bias, seed) -> None:
    """Also in chunks, where all but the last one are recomputed in backward."""
    module = linear(bias)
    hidden, targets, counts = inputs(tokens, seed)
    plain = plainly(module, hidden, targets)
    (plain * counts).sum().backward()
    expected = gradients(module, hidden)

    head = Head(module, torch.float32, kept=rows * VOCABULARY)
    values = head.logprobs(hidden, targets)
    (values * counts).sum().backward()
    torch.testing.assert_close(values, plain, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients(module, hidden), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert len(head.buffer) <= min(tokens, rows)


def test_calls_may_be_undone_in_any_order() -> None:
    module = linear()
    head = Head(module, torch.float32)
    (one, to_one, counts), (two, to_two, _) = inputs(7, 1), inputs(5, 2)
    (plainly(module, one, to_one) * counts).sum().backward()
    plainly(module, two, to_two).sum().backward()
    expected = [two.grad, *gradients(module, one)]
    two.grad = None
    first, second = head.logprobs(one, to_one), head.logprobs(two, to_two)
    (first * counts).sum().backward()
    second.sum().backward()
    for mine, plain in zip([two.grad, *gradients(module, one)], expected, strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-5, atol=1e-5)


def test_gradients_are_added_to_those_that_are_there() -> None:
    module = linear()
    hidden, targets, _ = inputs(3)
    head = Head(module, torch.float32)
    head.logprobs(hidden, targets).sum().backward()
    once = module.weight.grad.clone()
    head.logprobs(hidden, targets).sum().backward()
    torch.testing.assert_close(module.weight.grad, 2 * once)


def test_a_frozen_head_gets_no_gradient() -> None:
    module = linear().requires_grad_(False)
    hidden, targets, _ = inputs(3)
    Head(module, torch.float32).logprobs(hidden, targets).sum().backward()
    assert hidden.grad is not None and module.weight.grad is None and module.bias.grad is None


def test_the_least_likely_token_has_a_finite_log_probability() -> None:
    """exp(-300) is 0 in float32; its logarithm is never taken."""
    module = torch.nn.Linear(1, 3, bias=False)
    module.weight.data = torch.tensor([[0.0], [300.0], [1.0]])
    values = Head(module, torch.float32).logprobs(torch.ones(2, 1), torch.tensor([0, 1]))
    assert values.tolist() == [-300.0, 0.0]


def test_bfloat16_products_are_summed_in_float32() -> None:
    module = linear()
    hidden, targets, counts = inputs(30)
    with torch.autocast("cpu", torch.bfloat16):
        values = Head(module, torch.bfloat16).logprobs(hidden, targets)
        logits = module(hidden)
    (values * counts).sum().backward()
    assert values.dtype == hidden.grad.dtype == module.weight.grad.dtype == torch.float32
    torch.testing.assert_close(values, -cross_entropy(logits.float(), targets, reduction="none"), rtol=0, atol=0.05)
    rough = gradients(module, hidden)
    (plainly(module, hidden, targets) * counts).sum().backward()
    for mine, plain in zip(rough, gradients(module, hidden), strict=True):
        assert (mine - plain).norm() < 0.02 * plain.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_renewed_head_is_a_new_one(dtype) -> None:
    """Over the steps of a run, with its buffer kept."""
    module = linear()
    head = Head(module, dtype)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for tokens in (9, 30, 4):
        hidden, targets, counts = inputs(tokens)
        head.renew()
        (head.logprobs(hidden, targets) * counts).sum().backward()
        kept = gradients(module, hidden)
        (Head(module, dtype).logprobs(hidden, targets) * counts).sum().backward()
        for mine, fresh in zip(kept, [hidden.grad, *(each.grad for each in module.parameters())], strict=True):
            assert torch.equal(mine, fresh)
        optimizer.step()
        gradients(module, hidden)


@pytest.mark.parametrize("vocabulary", [10, JOINED // 100, JOINED])
def test_short_responses_are_taken_together(vocabulary) -> None:
    head = Head(torch.nn.Linear(1, vocabulary, bias=False), torch.float32)
    lengths = [60, 30, 9, 2, 50, 200, 1]
    runs = head.runs(lengths)
    assert [index for run in runs for index in run] == list(range(7))
    for run in runs:
        assert len(run) == 1 or sum(lengths[at] for at in run) * vocabulary <= JOINED
    assert len(runs) == {10: 1, JOINED // 100: 4, JOINED: 7}[vocabulary]
