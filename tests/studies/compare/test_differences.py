"""The statistics of the study: by brute force on small cases, and in a thousand simulated studies per design."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from scripts.studies.statistics.multiplicity import holm
from studies.compare.differences import Difference, differences

STUDIES = 1000
SD_QUESTION, SD_REST = 11.0, 18.0
"""In points, of a policy on one question: as the didactic GSM8K has them."""


@dataclass(frozen=True)
class Design:
    """So many candidates against a dataset (is_trained) or the start; seeds move a run by sd_seed points."""

    candidates: int
    seeds: int
    questions: int
    sd_seed: float
    is_trained: bool = True

    def studies(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Candidates (policies, seeds, questions) and baseline (seeds, questions), no true difference between them."""
        rng = np.random.default_rng(2026)
        policies = self.candidates + 1
        for _ in range(STUDIES):
            values = rng.normal(0, SD_REST, (policies, self.seeds, self.questions))
            values += rng.normal(0, SD_QUESTION, (policies, 1, self.questions))
            values[not self.is_trained :] += rng.normal(
                0, self.sd_seed, (self.candidates + self.is_trained, self.seeds, 1)
            )
            yield values[1:], values[0] if self.is_trained else values[0, :1]

    def differences(self) -> Iterator[list[Difference]]:
        return (differences(*study, is_trained=self.is_trained) for study in self.studies())


DESIGNS = [
    Design(2, 2, 50, 0.0),
    Design(3, 2, 500, 2.0),
    Design(4, 3, 50, 0.5),
    Design(2, 3, 500, 2.0),
    Design(2, 5, 50, 2.0),
    Design(4, 5, 500, 0.5),
    Design(1, 2, 500, 5.0, is_trained=False),
    Design(2, 2, 500, 2.0, is_trained=False),
    Design(3, 3, 100, 1.0, is_trained=False),
]


@pytest.fixture(scope="module", params=DESIGNS, ids=str)
def studies(request) -> tuple[Design, list[list[Difference]]]:
    """A design, and what its studies see."""
    return request.param, list(request.param.differences())


def decided(found: list[Difference]) -> np.ndarray:
    return holm([difference.p for difference in found]) < 0.05


def test_intervals_cover_the_truth_and_verdicts_are_seldom_wrong(studies) -> None:
    """The truth is zero throughout, so that an interval covers it where p is not below 0.05.

    At most 97 % with three seeds or more; two that agree may do so by luck, which leaves intervals wider than need be.
    """
    design, found_in = studies
    covered = np.mean([difference.p >= 0.05 for found in found_in for difference in found])
    assert 0.93 <= covered <= (0.97 if design.seeds > 2 else 0.99)
    assert np.mean([decided(found).any() for found in found_in]) <= 0.055


def test_the_smallest_difference_is_found_four_times_in_five(studies) -> None:
    """Each study has the first candidate's difference that it says it would find added to what it found of it."""
    found = []
    for first, *others in studies[1][: STUDIES // 4]:
        planted = first.value + first.smallest(1 + len(others))
        found.append(decided([replace(first, value=planted), *others])[0])
    assert 0.75 <= np.mean(found) <= 0.86


@pytest.mark.parametrize(("questions", "seeds"), [(50, 3), (200, 2)])
def test_right_or_wrong_answers_are_no_worse_than_normal_ones(questions, seeds) -> None:
    """Each question has a share of right answers of its own, for both policies the same; some are never answered."""
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(STUDIES):
        right = rng.beta(0.4, 0.8, questions)
        values = 100.0 * (rng.random((2, seeds, questions)) < right)
        p_values += [found.p for found in differences(values[1:], values[0], is_trained=True)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.055


def test_satterthwaite_s_degrees_of_freedom_would_not_do() -> None:
    """Two seeds that matter, the start as baseline: more than twice as many false differences as allowed."""
    design = Design(1, 2, 500, 5.0, is_trained=False)
    wrong = []
    for (candidate,), start in design.studies():
        paired, of_runs = candidate.mean(axis=0) - start[0], candidate.mean(axis=1)
        residual = candidate - candidate.mean(axis=0) - of_runs[:, None] + candidate.mean()
        parts = np.array([paired.var(ddof=1), of_runs.var(ddof=1) * 500 / 2, -(residual**2).sum() / 499 / 2]) / 500
        variance = parts[0] + max(parts[1] + parts[2], 0)
        freedom = variance**2 / (parts**2 / [499, 1, 499]).sum()
        wrong.append(abs(paired.mean()) > t.ppf(0.975, freedom) * np.sqrt(variance))
    assert np.mean(wrong) > 0.1


def by_hand(candidate, baseline, trained, replicates: int = 200_000) -> np.ndarray:
    """The errors that the data leave possible, drawn one by one; sums in loops. trained: all policies with seeds."""
    seeds, questions = len(candidate), len(candidate[0])
    means = [[sum(run[q] for run in runs) / len(runs) for q in range(questions)] for runs in (candidate, baseline)]
    paired = [one - other for one, other in zip(*means, strict=True)]
    mean = sum(paired) / questions
    of_questions = sum((each - mean) ** 2 for each in paired) / (questions - 1) / questions
    between = rest = 0.0
    for runs in trained:
        grand = sum(map(sum, runs)) / (seeds * questions)
        for s, q in product(range(seeds), range(questions)):
            of_run, of_question = sum(runs[s]) / questions, sum(run[q] for run in runs) / seeds
            between += (of_run - grand) ** 2
            rest += (runs[s][q] - of_run - of_question + grand) ** 2
    freedom = len(trained) * (seeds - 1)
    rng = np.random.default_rng(0)
    mean_square = between / freedom * freedom / rng.chisquare(freedom, replicates)  # of seeds, in points squared
    of_a_run = np.maximum(mean_square - rest / (freedom * (questions - 1)), 0) / questions
    share = 1 / seeds + (1 / seeds if len(trained) > 1 else 0)
    return rng.standard_t(questions - 1, replicates) * np.sqrt(of_questions + share * of_a_run)


@pytest.mark.parametrize("is_trained", [True, False])
@pytest.mark.parametrize(("seeds", "questions"), [(2, 4), (3, 6), (4, 12)])
def test_small_cases_agree_with_brute_force(seeds, questions, is_trained) -> None:
    rng = np.random.default_rng(seeds)
    candidate, other = rng.normal(50, 20, (2, seeds, questions)) + rng.normal(0, 8, (2, seeds, 1))
    baseline = other if is_trained else other[:1]
    (found,) = differences(candidate[None], baseline, is_trained=is_trained)
    errors = np.abs(by_hand(candidate.tolist(), baseline.tolist(), [candidate, other] if is_trained else [candidate]))
    assert found.value == pytest.approx(candidate.mean() - baseline.mean())
    assert found.weights.sum() == pytest.approx(1)
    assert found.p == pytest.approx(np.mean(errors > abs(found.value)), abs=0.006)
    low, high = found.interval()
    assert (high - low) / 2 == pytest.approx(np.quantile(errors, 0.95), rel=0.05)
    critical = np.quantile(errors, 1 - 0.05 / 3)
    assert found.smallest(3) == pytest.approx(critical + np.quantile(errors, 0.6), rel=0.08)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.floats(-30, 30))
def test_an_interval_leaves_out_zero_where_p_is_below_five_in_a_hundred(seed, seeds, shift) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(50, 20, (3, seeds, 20))
    values[0] += shift
    for found in differences(values[:2], values[2], is_trained=True):
        low, high = found.interval()
        assert low < found.value < high
        assert (low > 0 or high < 0) == (found.p < 0.05)
        assert abs(found.value) < found.smallest(1) or found.p < 0.05
        assert found.smallest(1) < found.smallest(10)


def test_all_candidates_share_what_is_known_of_seeds() -> None:
    """A candidate's interval narrows with every other that was trained with the same seeds."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (6, 2, 50)) + np.array([[-3.0], [3.0]])

    def width(policies: int) -> float:
        low, high = differences(values[1 : 1 + policies], values[0], is_trained=True)[0].interval()
        return high - low

    assert width(1) > width(2) > width(5)


def test_a_seed_s_noise_is_seen_only_with_two() -> None:
    """With one seed the interval is the paired t interval over questions."""
    candidate, baseline = np.random.default_rng(1).normal(50, 20, (2, 1, 30))
    (found,) = differences(candidate[None], baseline, is_trained=True)
    paired = (candidate - baseline)[0]
    reach = t.ppf(0.975, 29) * paired.std(ddof=1) / np.sqrt(30)
    assert found.interval() == pytest.approx((paired.mean() - reach, paired.mean() + reach))


def test_equal_answers_show_nothing_and_a_constant_difference_everything() -> None:
    same = np.full((2, 10), 100.0)
    (found,) = differences(same[None], same, is_trained=True)
    assert found.is_empty and found.p == 1 and found.interval() == (0, 0)
    (found,) = differences(same[None], same - 100, is_trained=True)
    assert not found.is_empty and found.p == 0 and found.interval() == (100, 100)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_s_p_values_decide_as_his_steps_do(p_values) -> None:
    """Step by step: the smallest against alpha / m, the next against alpha / (m - 1), until one is not below."""
    adjusted = holm(p_values)
    assert all(adjusted >= p_values)
    for alpha in (0.01, 0.05, 0.3):
        decided, left = set(), len(p_values)
        for at in np.argsort(p_values):
            if not left * p_values[at] < alpha:
                break
            decided.add(int(at))
            left -= 1
        assert {at for at, p in enumerate(adjusted) if p < alpha} == decided
