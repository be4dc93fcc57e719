"""Packed responses with shared prefixes computed once: the same log-probabilities as one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.chat import Encoded
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, read_policy
from scripts.lib.packing import (
    Group,
    attend,
    attend_at_once,
    group_of,
    hidden_states,
    pack,
    packed_attention,
    rows_by_tokens,
)

TOKENS = st.lists(st.integers(3, 30), min_size=1, max_size=12)
PROMPTS = st.lists(st.integers(3, 30), min_size=1, max_size=9)


@st.composite
def groups(draw) -> list[list[Encoded]]:
    """Some prompts with one to three responses each, which may begin alike or be equal."""
    found = []
    for prompt in draw(st.lists(PROMPTS, min_size=1, max_size=4)):
        beginning = draw(st.lists(st.integers(3, 30), max_size=5))
        endings = draw(st.lists(TOKENS, min_size=1, max_size=3))
        found.append([Encoded(prompt, beginning + ending) for ending in endings])
    return found


@pytest.fixture(scope="module")
def model(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"))


def packed_logprobs(model, groups: list[list[Encoded]]) -> list[torch.Tensor]:
    row = pack(groups)
    with packed_attention(model):
        logits = model.get_output_embeddings()(hidden_states(model, row))
    return list(logits.log_softmax(-1).gather(1, row.targets[:, None]).squeeze(1).split(row.lengths))


@settings(max_examples=60)
@given(groups=groups())
def test_a_row_gives_what_each_response_gives_alone(model, groups) -> None:
    with torch.no_grad():
        packed = packed_logprobs(model, groups)
        for values, response in zip(packed, (each for group in groups for each in group), strict=True):
            torch.testing.assert_close(values, token_logprobs(model, [response], 0)[0], rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_each_response_alone(model) -> None:
    one = [Encoded([3, 4, 5], [6, 7, 8, 2]), Encoded([3, 4, 5], [6, 7, 9]), Encoded([3, 4, 5], [6])]
    rows = [one, [Encoded([8], [9])], [Encoded([3, 4], [9, 9]), Encoded([3, 4], [9, 9])]]
    packed = gradients(model, lambda: torch.cat(packed_logprobs(model, rows)).sum())
    singles = [each for row in rows for each in row]
    alone = gradients(model, lambda: sum(token_logprobs(model, [each], 0)[0].sum() for each in singles))
    for mine, plain in zip(packed, alone, strict=True):
        assert (mine - plain).norm() <= 1e-5 * plain.norm()


def gradients(model, value) -> list[torch.Tensor]:
    model.zero_grad()
    value().backward()
    return [parameter.grad for parameter in model.parameters()]


def by_stretches(query, key, value, query_ends, key_ends, longest_query, longest_key, *, scale, window_size):
    """PyTorch's definition of varlen_attn, which runs only on a GPU: the last query of a stretch sees its last key."""
    assert window_size == (-1, 0)
    outputs = []
    for at in range(len(query_ends) - 1):
        q = query[query_ends[at] : query_ends[at + 1]].transpose(0, 1)
        k, v = (each[key_ends[at] : key_ends[at + 1]].transpose(0, 1) for each in (key, value))
        assert 0 < q.shape[1] <= longest_query and k.shape[1] <= longest_key
        seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(k.shape[1] - q.shape[1])
        scores = (q @ k.transpose(1, 2) * scale).masked_fill(~seen, float("-inf"))
        outputs.append((scores.softmax(-1) @ v).transpose(0, 1))
    return torch.cat(outputs)


def heads(tokens: int, count: int) -> torch.Tensor:
    return torch.randn(1, tokens, count, 8).transpose(1, 2)


@settings(max_examples=60)
@given(groups=groups())
def test_one_call_for_a_row_is_a_call_for_each_branch(groups) -> None:
    torch.manual_seed(0)
    row = pack(groups)
    tokens = row.ids.shape[1]
    query, key, value = heads(tokens, 4), heads(tokens, 2), heads(tokens, 2)
    layer = torch.nn.Module()
    layer.num_key_value_groups = 2
    each, _ = attend(layer, query, key, value, None, scaling=0.3, row=row)
    once = attend_at_once(query, key, value, row.stretches, 0.3, by_stretches)
    torch.testing.assert_close(once, each)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_one_call_on_a_gpu_is_a_call_for_each_branch() -> None:
    torch.manual_seed(0)
    one = [Encoded([3, 4, 5], [6, 7, 8, 2] * 40), Encoded([3, 4, 5], [6, 7, 9]), Encoded([3, 4, 5], [6])]
    row = pack([one, [Encoded([8], [9])], [Encoded([3, 4], [9, 9]), Encoded([3, 4], [9, 9])]], "cuda")
    tokens = row.ids.shape[1]
    inputs = [torch.randn(1, tokens, count, 64, device="cuda").transpose(1, 2) for count in (4, 2, 2)]
    inputs = [each.bfloat16().requires_grad_() for each in inputs]
    layer = torch.nn.Module()
    layer.num_key_value_groups = 2
    once = attend_at_once(*inputs, row.stretches, 0.125)
    each, _ = attend(layer, *[given.float() for given in inputs], None, scaling=0.125, row=row)
    torch.testing.assert_close(once.float(), each, rtol=0.02, atol=0.02)
    onward = torch.randn_like(each)
    mine = torch.autograd.grad((once.float() * onward).sum(), inputs)
    for gradient, plain in zip(mine, torch.autograd.grad((each * onward).sum(), inputs), strict=True):
        torch.testing.assert_close(gradient, plain, rtol=0.05, atol=0.05)


def test_nothing_is_in_a_row_twice() -> None:
    shared = [Encoded([1, 2, 3], [4, 5, 6]), Encoded([1, 2, 3], [4, 7])]
    row = pack([shared, [Encoded([1, 2], [3])]])
    assert row.groups == (Group(4, (2, 1)), Group(2, (1,)))
    assert row.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 1, 2, 3]]
    assert row.positions.tolist() == [[0, 1, 2, 3, 4, 5, 4, 0, 1, 2]]
    assert row.where.tolist() == [2, 3, 4, 2, 3, 8]
    assert row.targets.tolist() == [4, 5, 6, 4, 7, 3]
    assert row.lengths == (3, 2, 1)


def test_equal_responses_share_all_but_the_firsts_last_token() -> None:
    assert group_of([Encoded([1], [2, 3]), Encoded([1], [2, 3])]) == Group(2, (1, 1))
    assert group_of([Encoded([1], [2, 3]), Encoded([1], [2])]) == Group(2, (1, 0))
    assert group_of([Encoded([1], [2]), Encoded([1], [2, 3])]) == Group(1, (1, 2))


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 120))
def test_rows_keep_to_the_budget(tokens, budget) -> None:
    rows = rows_by_tokens(tokens, budget)
    assert sorted(index for row in rows for index in row) == list(range(len(tokens)))
    sums = [sum(tokens[at] for at in row) for row in rows]
    assert all(total <= budget or len(row) == 1 for total, row in zip(sums, rows, strict=True))
    # No two rows could have been merged: entries of the later one had no room in the earlier one.
    assert all(sums[at] + sums[after] > budget for after in range(len(rows)) for at in range(after))
    assert rows == rows_by_tokens(tokens, budget)
