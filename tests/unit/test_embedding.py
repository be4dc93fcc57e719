"""Embeddings with their own gradient computation: PyTorch's values and gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import Embedding

from scripts.lib.embedding import embed


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.sampled_from([None, 0, 5]), st.integers(0, 3))
def test_values_and_gradients_are_those_of_the_module(ids, padding, seed) -> None:
    torch.manual_seed(seed)
    module = Embedding(7, 3, padding_idx=padding)
    tokens, onward = torch.tensor([ids]), torch.randn(1, len(ids), 3)
    expected = module(tokens)
    (plain,) = torch.autograd.grad((expected * onward).sum(), module.weight)
    for calls in (1, 2):  # the second adds to the first
        values = embed(module, tokens)
        (values * onward).sum().backward()
        assert torch.equal(values, expected)
        assert torch.allclose(module.weight.grad, calls * plain, atol=1e-6)


def test_no_tensor_of_the_weights_size_is_made() -> None:
    module = Embedding(50_000, 8)
    embed(module, torch.arange(9)[None]).sum().backward()
    before = module.weight.grad
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        embed(module, torch.arange(9)[None]).sum().backward()
    assert module.weight.grad is before
    assert max(event.cpu_memory_usage for event in profile.key_averages()) < module.weight.nbytes / 100


def test_a_frozen_embedding_gets_no_gradient() -> None:
    module = Embedding(7, 3).requires_grad_(False)
    assert not embed(module, torch.tensor([[1, 2]])).requires_grad


@pytest.mark.parametrize("settings", [{"max_norm": 1.0}, {"scale_grad_by_freq": True}, {"sparse": True}])
def test_what_is_no_plain_embedding_is_left_to_itself(settings) -> None:
    torch.manual_seed(0)
    module = Embedding(7, 3, **settings)
    ids = torch.tensor([[1, 2, 2]])
    embed(module, ids).sum().backward()
    ours, module.weight.grad = module.weight.grad, None
    module(ids).sum().backward()
    assert torch.equal(ours.to_dense(), module.weight.grad.to_dense())
