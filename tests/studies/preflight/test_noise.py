"""Contradictions and circles against brute force; the rate against labels of a known noise."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.preflight.text.noise import Noise, circles, contradicted, measure, repeats
from tests.studies.preflight.data import texts_of

EDGES = st.lists(
    st.tuples(st.sampled_from("PQ"), st.integers(0, 4), st.integers(0, 4)).filter(lambda edge: edge[1] != edge[2]),
    max_size=25,
)


def frame(edges):
    names = [(prompt, f"{prompt}{one}", f"{prompt}{other}") for prompt, one, other in edges]
    return pd.DataFrame(names, columns=["prompt_id", "chosen_id", "rejected_id"])


@given(EDGES)
def test_contradicted_pairs_occur_both_ways(edges):
    pairs = frame(edges).drop_duplicates(ignore_index=True)
    rows = list(pairs.itertuples(index=False, name=None))
    assert contradicted(pairs).tolist() == [(of, two, one) in rows for of, one, two in rows]


@given(EDGES)
def test_circles_are_those_of_brute_force(edges):
    pairs = frame(edges).drop_duplicates(ignore_index=True)
    inside, found = circles(pairs)
    beats = set(zip(pairs["chosen_id"], pairs["rejected_id"], strict=True))
    beats -= {(two, one) for one, two in beats}
    triples, circular, expected = 0, 0, set()
    for three in combinations(sorted(set(pairs["chosen_id"]) | set(pairs["rejected_id"])), 3):
        own = [(one, two) for one in three for two in three if (one, two) in beats]
        triples += len(own) == 3
        if len(own) == 3 and len({one for one, _ in own}) == 3:  # every response wins once
            circular += 1
            expected |= set(own)
    assert found[["triples", "circular"]].sum().tolist() == [triples, circular]
    edge = zip(pairs["chosen_id"], pairs["rejected_id"], strict=True)
    assert inside.tolist() == [each in expected for each in edge]


def test_repeated_labels_are_compared_two_by_two():
    """a over b three times and once the other way: two comparisons, of which one or both disagree by their order."""
    rows = [("P", 0, 1), ("P", 0, 1), ("P", 1, 0), ("P", 0, 1), ("P", 2, 3), ("Q", 0, 1)]
    assert repeats(frame(rows)).loc["P", ["compared", "disagree"]].tolist() == [2, 1]


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_the_rate_is_that_of_labels_of_known_noise(noise):
    """600 prompts, five responses in a known order, each of the ten pairs labelled once, wrong so often."""
    draw = np.random.default_rng(5)
    rows = []
    for prompt in range(600):
        for better, worse in combinations(range(5), 2):
            one, two = (worse, better) if draw.random() < noise else (better, worse)
            rows.append((f"{prompt}", f"{prompt}.{one}", f"{prompt}.{two}"))
    _, counts = circles(pd.DataFrame(rows, columns=["prompt_id", "chosen_id", "rejected_id"]))
    zeros = np.zeros((len(counts), 2), np.int64)
    value, low, high = Noise(np.hstack([zeros, counts.to_numpy()])).rate()
    assert value == pytest.approx(noise, abs=0.02)
    assert low <= noise <= high


def test_two_labels_of_every_pair_tell_the_rate():
    draw, noise = np.random.default_rng(6), 0.2
    disagree = (draw.random((3000, 2)) < noise).sum(axis=1) == 1
    counts = np.column_stack([np.ones(3000), disagree, np.zeros((3000, 2))]).astype(int)
    value, low, high = Noise(counts).rate()
    assert low <= noise <= high
    assert value == pytest.approx(noise, abs=0.03)


def test_one_pair_a_prompt_says_nothing_of_noise():
    findings = {each.name: each for each in measure(texts_of([(f"p{n}", "a", "b") for n in range(50)])).findings}
    assert findings["label_noise"].value is None
    assert "cannot tell" in findings["label_noise"].sentence


def test_contradictions_are_dropped_and_named():
    found = measure(texts_of([("p", "a", "b"), ("p", "b", "a"), ("q", "a", "b")]))
    (dropped,) = found.drop.values()
    assert dropped.tolist() == [True, True, False]
    assert found.findings[0].pairs == (0, 1)
