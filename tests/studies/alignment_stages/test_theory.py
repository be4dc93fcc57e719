"""The theorems of section 5: their verdicts do not turn with the seed, and quantities agree with other ways to them."""

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax

from studies.alignment_stages.theory import check, consistency, optimum
from studies.alignment_stages.theory.tabular import INSTANCES, RESPONSES, Draws, preferences
from tests.studies.theorems import check_verdicts

VERDICTS = {
    "Theorem 5.1, existence": "holds",
    "Theorem 5.1, as stated": "fails",
    "Theorem 5.1, with a gauge": "holds",
    "Theorem 5.1, proof: the derivative": "holds",
    "Theorem 5.1, proof: the range": "fails",
    "Theorem 5.2, as stated": "fails",
    "Theorem 5.2, proof: what no comparison": "holds",
    "Theorem 5.2, its use": "holds",
    "Theorem 5.2, proof: (6)": "fails",
    "Theorem 5.4, uniqueness": "holds",
    "Theorem 5.4, existence": "fails",
    "Definition 5.5: of identical": "holds",
    "Definition 5.5, as used": "fails",
    "Definition 5.5, what it is": "beyond",
    "Equations 10 and 11, simplified: the error": "holds",
    "Equations 10 and 11, simplified: with largely": "holds",
    "Equations 10 and 11, simplified: they are": "beyond",
    "Algorithm 1, as used: it names the better proxy of pi_G, of": "holds",
    "Algorithm 1, as used: it names the better proxy of pi_G, whatever": "fails",
}


@pytest.mark.parametrize("seeds", [range(20), range(100, 120)])
def test_verdicts_are_those_of_the_table_at_other_seeds_too(seeds, tmp_path) -> None:
    check_verdicts(check.theory(seeds), VERDICTS, tmp_path)


def test_shares_are_those_of_every_pair_of_draws() -> None:
    """Algorithm 1's share and equation 10 by enumeration, one instance."""
    draws = Draws("test", [3])
    truth, own, other = (draws.policy() for _ in range(3))
    found = [each[0, 0] for each in consistency.shares(truth, own, other)]
    t, p, q = (each[0, 0] for each in (truth, own, other))
    expected = [0.0, 0.0, 0.0]
    for y, z in itertools.product(range(RESPONSES), repeat=2):
        weight = np.exp(p[y] + q[z])
        expected[0] += weight * (t[y] > t[z])
        expected[1] += weight * ((t[y] > t[z]) == (p[y] > p[z]))
        expected[2] += weight * (p[y] <= p[z])
    assert found == pytest.approx(expected)


def test_the_likeliest_rewards_give_back_exact_shares() -> None:
    rewards = Draws("test", [0]).normal(RESPONSES)
    pairs = [(i, j) for i in range(RESPONSES) for j in range(i)]
    chances = preferences(rewards)
    shares = np.stack([chances[..., i, j] for i, j in pairs], axis=-1)
    found = optimum.likeliest(pairs, shares)
    np.testing.assert_allclose(log_softmax(found, axis=-1), log_softmax(rewards, axis=-1), atol=1e-8)


def test_a_seed_s_instances_do_not_depend_on_the_others() -> None:
    one, two = Draws("x", [4]).policy(), Draws("x", [2, 4]).policy()
    assert one.shape == (1, INSTANCES, RESPONSES)
    np.testing.assert_array_equal(one[0], two[1])
