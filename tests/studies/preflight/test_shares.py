"""Intervals, AUCs and levels: against brute force and against what they cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.preflight.shares import Limits, Share, auc_of, clustered, percent, worst_first

DIFFERENCES = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


@given(DIFFERENCES)
def test_the_auc_is_the_mean_over_all_pairs_of_pairs(differences):
    brute = np.mean([[(one + other > 0) + (one + other == 0) / 2 for other in differences] for one in differences])
    auc, low, high = auc_of(differences, range(len(differences)))
    assert auc == pytest.approx(brute)
    assert low <= auc <= high


@given(DIFFERENCES)
def test_exchanged_sides_turn_the_auc_around(differences):
    groups = range(len(differences))
    auc, low, high = auc_of(differences, groups)
    turned = auc_of([-each for each in differences], groups)
    assert turned == pytest.approx((1 - auc, 1 - high, 1 - low))


def test_the_interval_of_the_auc_covers_the_truth():
    """Normal differences of mean m have an AUC of P(d + d' > 0) = Phi(m sqrt 2): 100 samples of 150 pairs."""
    draw, mean = np.random.default_rng(0), 0.3
    truth = 0.5 * (1 + math.erf(mean * math.sqrt(2) / math.sqrt(2)))
    covered = 0
    for _ in range(100):
        _, low, high = auc_of(draw.normal(mean, 1, size=150), range(150))
        covered += low <= truth <= high
    assert 88 <= covered <= 100


def test_pairs_that_a_prompt_repeats_make_the_interval_wider():
    differences = np.random.default_rng(1).normal(0.2, 1, size=60)
    _, low, high = auc_of(differences, range(60))
    _, wide_low, wide_high = auc_of(np.repeat(differences, 5), np.repeat(range(60), 5))
    assert (wide_high - wide_low) > 0.9 * (high - low)


@given(st.integers(0, 40), st.integers(20, 60))
def test_one_member_a_group_is_wilson(hits, others):
    n = hits + others
    low, high = clustered([1] * hits + [0] * others, [1] * n)
    assert (low, high) == pytest.approx(Share(hits, n).interval, abs=0.02)


def test_whole_groups_count_once():
    alone = clustered([1] * 10 + [0] * 10, [1] * 20)
    repeated = clustered([7] * 10 + [0] * 10, [7] * 20)
    assert repeated == pytest.approx(alone)


@given(st.floats(0, 1))
def test_a_percentage_is_never_rounded_to_all_or_nothing(share):
    text = percent(share)
    assert (text == "0 %") == (share == 0)
    assert (text == "100 %") == (share == 1)


def test_levels_go_by_their_limits():
    limits = Limits(note=0.1, warn=0.2, bad=0.3)
    assert [limits.level(each) for each in (0, 0.1, 0.25, 0.3)] == ["good", "note", "warn", "bad"]
    assert Limits().level(1) == "good"


def test_the_worst_are_first():
    assert worst_first([3, 5, 8], [1, 9, 4]) == [5, 8, 3]
    assert worst_first(range(100), range(100), most=2) == [99, 98]
