"""The distinct assumption from log-probs, against a count of every comparison."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.alignment_stages.distinct import shares

RESPONSES = ["own_1", "own_2", "chosen", "rejected"]
known = st.one_of(st.none(), st.tuples(st.integers(-40, -1).map(float), st.integers(1, 4)))


def compared(prompts: int) -> pd.DataFrame:
    both = list(product(RESPONSES[:2], RESPONSES[2:]))
    rows = [(f"p{at}", f"{own}{at}", f"{other}{at}") for at in range(prompts) for own, other in both]
    return pd.DataFrame(rows, columns=["prompt_id", "own_id", "other_id"])


@given(st.lists(st.tuples(known, known, known, known), min_size=1, max_size=4))
def test_shares_are_counts_of_comparisons(prompts) -> None:
    likelihoods = {
        f"{name}{at}": each
        for at, prompt in enumerate(prompts)
        for name, each in zip(RESPONSES, prompt, strict=True)
        if each is not None
    }
    found = shares(compared(len(prompts)), likelihoods)
    whole = [at for at, prompt in enumerate(prompts) if None not in prompt]
    assert list(found.index) == [f"p{at}" for at in whole]
    for at in whole:
        for side, value in (("by_sequence", lambda each: each[0]), ("by_token", lambda each: each[0] / each[1])):
            own, other = [value(each) for each in prompts[at][:2]], [value(each) for each in prompts[at][2:]]
            points = [100 if a > b else 50 if a == b else 0 for a in own for b in other]
            assert found.loc[f"p{at}", side] == pytest.approx(np.mean(points))


def test_length_decides_by_sequence_and_not_by_token() -> None:
    """Own samples of two tokens at −1 each; others of eight at −0.5: likelier by sequence, not by token."""
    likelihoods = {"own_10": (-2.0, 2), "own_20": (-2.0, 2), "chosen0": (-4.0, 8), "rejected0": (-4.0, 8)}
    found = shares(compared(1), likelihoods).iloc[0]
    assert (found["by_sequence"], found["by_token"]) == (100, 0)
