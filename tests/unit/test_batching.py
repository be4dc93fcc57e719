"""Batches by tokens, and dealing costs into groups: every index once, within the budget."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.batching import by_tokens, deal, logged

LENGTHS = st.lists(st.integers(0, 50), max_size=60)
BUDGET = st.integers(1, 200)


@given(LENGTHS, BUDGET)
def test_every_index_once_and_no_batch_over_budget(lengths, budget):
    batches = by_tokens(lengths, budget)
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[at] for at in batch) <= budget


@given(LENGTHS, BUDGET)
def test_longest_first_and_equal_lengths_in_order(lengths, budget):
    order = [at for batch in by_tokens(lengths, budget) for at in batch]
    assert order == sorted(range(len(lengths)), key=lambda at: (-lengths[at], at))


@given(LENGTHS, BUDGET)
def test_no_batch_could_take_the_next_row(lengths, budget):
    batches = by_tokens(lengths, budget)
    for batch in batches[:-1]:
        assert (len(batch) + 1) * lengths[batch[0]] > budget


@given(LENGTHS, st.integers(1, 9))
def test_dealt_hands_are_of_like_sums(costs, hands):
    dealt = deal(costs, hands)
    assert len(dealt) == hands and sorted(at for hand in dealt for at in hand) == list(range(len(costs)))
    assert all(hand == sorted(hand) for hand in dealt)
    sums = [sum(costs[at] for at in hand) for hand in dealt]
    assert max(sums) - min(sums) <= max(costs, default=0)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_logged_yields_all_and_says_when_done(caplog, size):
    batches = [[at] for at in range(size)]
    with caplog.at_level(logging.INFO):
        assert list(logged(batches, "rows")) == batches
    assert f"rows: {size} of {size}" in caplog.messages[-1]
    assert len(caplog.messages) <= 20
