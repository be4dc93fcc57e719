"""Statistics of studies, by brute force on small cases; how often they are right is in test_coverage.py."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bartlett as scipy_bartlett
from scipy.stats import chi2, norm, t

from scripts.studies.statistics import resampling
from scripts.studies.statistics.components import (
    Spread,
    bartlett,
    pooled,
    spreads,
    standard_error,
    sums_of_squares,
    units_of,
)
from scripts.studies.statistics.contrast import exceed
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.equivalence import all_negligible, fixed, negligible
from scripts.studies.statistics.estimates import Estimate, slope_weights
from scripts.studies.statistics.multiplicity import benjamini_hochberg
from scripts.studies.statistics.resampling import Trained, resampled_means


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=5))
def test_slope_weights_are_those_of_a_fitted_line(means):
    levels = np.arange(len(means)) * 1.0 + 1
    assert slope_weights(levels) @ means == pytest.approx(np.polyfit(levels, means, 1)[0], abs=1e-6)


# Components of variance


def test_with_one_unit_the_standard_error_is_that_over_questions():
    values = np.random.default_rng(0).normal(size=(1, 50))
    assert standard_error(values) == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def draw_world(rng, units, questions, spread=(2.0, 6.0, 8.0)):
    """(units, questions) from the model: standard deviations of unit, question and rest."""
    of_unit, of_question, rest = spread
    return (
        rng.normal(0, of_unit, (units, 1))
        + rng.normal(0, of_question, (1, questions))
        + rng.normal(0, rest, (units, questions))
    )


def test_the_standard_error_covers_units_and_questions():
    """The mean of se^2 over worlds is the variance of the grand mean; neither of its terms alone would be."""
    rng = np.random.default_rng(1)
    squares = np.mean([standard_error(draw_world(rng, 3, 60)) ** 2 for _ in range(1500)])
    true = 2.0**2 / 3 + 6.0**2 / 60 + 8.0**2 / 180
    assert squares == pytest.approx(true, rel=0.08)
    assert true > 1.25 * (2.0**2 / 3 + 8.0**2 / 180)


def test_units_are_draws_where_there_are_several_else_seeds():
    values = np.arange(24.0).reshape(1, 2, 3, 4)
    assert np.array_equal(units_of(values), values.mean(axis=2))
    assert np.array_equal(units_of(values[:, :1]), values[:, 0])


@pytest.mark.parametrize("strata", [None, ["a", "a", "a"], ["a", "b", "a"]])
def test_sums_of_squares_are_those_of_the_definition(strata):
    """Question by question in loops; crossed units lose what the policies of a stratum have in common."""
    values = np.random.default_rng(4).normal(50, 20, (3, 3, 5))
    policies, units, questions = values.shape
    cleared = values.copy()
    for p, u, q in product(range(policies), range(units), range(questions)) if strata else ():
        mates = [at for at in range(policies) if strata[at] == strata[p]]
        cleared[p, u, q] -= np.mean([values[at, u, q] for at in mates])
    sums, freedom = sums_of_squares(values, strata)
    for p in range(policies):
        of_unit = [np.mean(cleared[p, u]) - np.mean(cleared[p]) for u in range(units)]
        assert sums[p, 0] == pytest.approx(questions * sum(each**2 for each in of_unit))
        rest = 0.0
        for u, q in product(range(units), range(questions)):
            rest += (cleared[p, u, q] - np.mean(cleared[p, :, q]) - of_unit[u]) ** 2
        assert sums[p, 1] == pytest.approx(rest / (questions - 1))
    assert freedom.sum() == pytest.approx({None: 6, "aaa": 4, "aba": 2}[strata and "".join(strata)])


@pytest.mark.parametrize("common", [0.0, 5.0])
def test_mean_squares_are_right_on_average_whatever_moves_all_policies_of_a_draw(common):
    rng, found = np.random.default_rng(5), []
    for _ in range(600):
        values = np.stack([draw_world(rng, 3, 30) for _ in range(4)]) + rng.normal(0, common or 1e-9, (1, 3, 1))
        spread = pooled(*sums_of_squares(values, ["a"] * 4))
        found.append((spread.units, spread.rest))
    assert np.mean(found, axis=0) == pytest.approx([8.0**2 + 30 * 2.0**2, 8.0**2], rel=0.06)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(2, 6), min_size=2, max_size=4))
def test_bartlett_s_test_is_scipy_s(seed, sizes):
    rng = np.random.default_rng(seed)
    samples = [rng.normal(0, scale, size) for scale, size in zip((1, 2, 4, 1), sizes, strict=False)]
    groups = [Spread(sample.var(ddof=1), 0.0, len(sample) - 1) for sample in samples]
    assert bartlett(groups) == pytest.approx(scipy_bartlett(*samples).pvalue)


def test_variants_share_a_mean_square_unless_they_differ():
    rng = np.random.default_rng(6)
    values = rng.normal(0, 1, (12, 3, 40))
    variants = ["dpo"] * 6 + ["sft"] * 6
    alike = spreads(*sums_of_squares(values), variants)
    assert len(set(alike)) == 1 and alike[0].freedom == 24
    values[6:] += rng.normal(0, 5, (6, 3, 1))
    calm, moved = (spreads(*sums_of_squares(values), variants)[at] for at in (0, -1))
    assert calm.freedom == moved.freedom == 12 and moved.units > 20 * calm.units


def test_policies_without_any_spread_are_no_error():
    same = np.full((4, 2, 10), 100.0)
    assert {each.units for each in spreads(*sums_of_squares(same), ["dpo", "dpo", "sft", "sft"])} == {0.0}
    draws = resampled_means([same[:, None]], [Trained("a", "dpo")] * 4, np.random.default_rng(0), 50)
    assert (draws == 100).all()


# Resampling


def drawn(values, kinds=None, replicates=4000, seed=0):
    """For intervals. values: suites of (policies, draws, seeds, questions)."""
    kinds = kinds or [Trained("a", "dpo")] * len(values[0])
    return resampled_means(values, kinds, np.random.default_rng(seed), replicates)[:replicates]


def test_resampled_questions_are_the_same_for_all_policies():
    answers = np.random.default_rng(0).normal(size=(1, 1, 1, 40))
    draws = drawn([np.concatenate([answers, answers + 5])], replicates=200)
    assert np.allclose(draws[:, 1] - draws[:, 0], 5)
    assert draws[:, 0].std() == pytest.approx(standard_error(answers[0, 0]), rel=0.2)


def test_few_seeds_widen_intervals_as_student_s_t_does():
    """Where questions do not vary, the mean of two seeds has the t interval with the study's degrees of freedom.

    Without the chi-squared law of the mean square it would have a normal one, less than half as wide here.
    """
    values = np.array([[47.0, 53.0], [46.0, 54.0]])[:, None, :, None] + np.zeros((2, 1, 2, 30))
    mean_square = (3.0**2 * 2 + 4.0**2 * 2) / 2
    draws = drawn([values], replicates=40_000)
    for tail in (0.975, 0.9, 0.75):
        reach = t.ppf(tail, 2) * np.sqrt(mean_square / 2)
        assert np.quantile(draws, [1 - tail, tail]) == pytest.approx([50 - reach, 50 + reach], abs=0.06 * reach)
    assert np.quantile(draws[:, 0, 0], 0.975) - 50 > 1.8 * norm.ppf(0.975) * np.sqrt(mean_square / 2)


def test_repetitions_have_the_estimated_variance():
    values = np.array([[47.0, 53.0], [46.0, 54.0]])[:, None, :, None] + np.zeros((2, 1, 2, 30))
    kinds = [Trained("a", "dpo")] * 2
    drawn, repeated = np.split(resampled_means([values], kinds, np.random.default_rng(0), 20_000), 2)
    assert repeated.std() == pytest.approx(np.sqrt((18 + 32) / 2 / 2), rel=0.03)
    estimate = Estimate.of(np.concatenate([[50.0], drawn[:, 0, 0], repeated[:, 0, 0]]))
    assert estimate.errors.std() == pytest.approx(repeated.std(), rel=0.03) and estimate.value == 50
    assert np.quantile(drawn, 0.975) > np.quantile(repeated, 0.975) + 5


def test_contrasts_of_draws_are_paired_t_intervals_and_differences_to_the_untrained_are_not():
    """Two policies on three draws that move both alike; questions do not vary."""
    rng = np.random.default_rng(1)
    common, own = np.array([-6.0, 1.0, 5.0]), rng.normal(0, 1, (2, 3))
    values = (50 + common + own)[:, :, None, None] + np.zeros((2, 3, 2, 30))
    untrained = np.full((1, 3, 2, 30), 40.0)
    draws = drawn([np.concatenate([values, untrained])], [*[Trained("a", "dpo")] * 2, None], 40_000)[..., 0]
    difference = own[0] - own[1]
    reach = t.ppf(0.975, 2) * difference.std(ddof=1) / np.sqrt(3)
    assert np.ptp(np.quantile(draws[:, 0] - draws[:, 1], [0.025, 0.975])) / 2 == pytest.approx(reach, rel=0.05)
    level = (common + own.mean(axis=0)).std(ddof=1) / np.sqrt(3)
    wide = np.ptp(np.quantile(draws[:, 0] - draws[:, 2], [0.025, 0.975])) / 2
    assert wide > 0.9 * t.ppf(0.975, 2) * level > 3 * reach
    assert (draws[:, 2] == 40).all()


def test_draws_of_other_prompts_move_other_policies():
    """Policies of two strata share no draw: their difference has both common terms."""
    values = 50 + np.array([[-3.0, 0.0, 3.0], [-3.1, 0.0, 3.2]])[:, :, None, None] + np.zeros((2, 3, 1, 20))
    one, two = (drawn([values], [Trained("a", "dpo"), Trained(over, "dpo")])[..., 0] for over in "ab")
    reach = t.ppf(0.975, 2) * np.array([3.0, 0.1]) / np.sqrt(3)  # of one common term, and of what is left of both
    assert np.quantile(one[:, 0] - one[:, 1], 0.975) < 3 * reach[1]
    assert np.quantile(two[:, 0] - two[:, 1], 0.975) > reach[0]


def test_the_bootstrap_spreads_as_far_as_the_standard_error_and_a_little_more():
    rng = np.random.default_rng(2)
    values = np.stack([draw_world(rng, 4, 80) for _ in range(6)])[:, None]
    spread = drawn([values]).std(axis=0).mean()
    exact = np.sqrt(2.0**2 / 4 + 6.0**2 / 80 + 8.0**2 / 320)
    assert 0.85 * exact < spread < 1.35 * exact


def test_a_seed_that_is_good_on_one_suite_stays_good_on_another():
    rng = np.random.default_rng(3)
    luck = rng.normal(0, 10, (7, 1, 3, 1))
    suites = [luck + rng.normal(0, 1, (7, 1, 3, 50)) for _ in range(2)]
    draws = drawn(suites, replicates=2000)
    assert np.corrcoef(draws[:, 0, 0], draws[:, 0, 1])[0, 1] > 0.9


def test_draws_are_repeatable_whatever_the_block(monkeypatch):
    values = np.random.default_rng(0).normal(size=(3, 2, 2, 30))
    first = drawn([values], replicates=100)
    assert np.array_equal(first, drawn([values], replicates=100))
    monkeypatch.setattr(resampling, "_BLOCK", 90)
    assert np.allclose(first, drawn([values], replicates=100))


# Judging


def normal(value, error, replicates=20_000, seed=0):
    drawn = np.random.default_rng(seed).normal(value, error, replicates)
    return Estimate(value, drawn, drawn)


@pytest.mark.parametrize(
    ("value", "verdict"), [(2.1, "holds"), (1.8, "undecided"), (-1.8, "undecided"), (-2.1, "fails")]
)
def test_a_part_is_judged_by_its_own_interval(value, verdict):
    judged = positive(normal(value, 1.0))
    assert judged.verdict == verdict and (judged.p < 0.05) == (verdict != "undecided")
    assert (judged.low, judged.high) == pytest.approx((value - 1.96, value + 1.96), abs=0.05)
    assert judged.smallest == pytest.approx(norm.ppf(0.975) + norm.ppf(0.8), abs=0.05)
    assert judged.p == pytest.approx(2 * norm.sf(abs(value)), abs=0.006)


def parts_at(*values):
    return [normal(value, 1.0, seed=seed) for seed, value in enumerate(values)]


def test_a_whole_holds_if_its_parts_do_and_fails_if_one_does_with_all_counted():
    assert all_positive(parts_at(2.1, 3.0, 5.0)).verdict == "holds"
    assert all_positive(parts_at(1.8, 3.0, 5.0)).verdict == "undecided"
    assert positive(parts_at(-2.2)[0]).verdict == "fails"
    assert all_positive(parts_at(-2.2, 3.0, 5.0)).verdict == "undecided"
    assert all_positive(parts_at(-2.7, 3.0, 5.0)).verdict == "fails"
    judged = all_positive(parts_at(1.0, 0.5, 2.0))
    assert (judged.value, judged.low) == (0.5, pytest.approx(0.5 - 1.96, abs=0.06))
    assert judged.high == pytest.approx(0.5 + norm.ppf(1 - 0.025 / 3), abs=0.1) and judged.p is None


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.5, "holds"), (-0.5, "holds"), (0.9, "undecided"), (1.2, "undecided"), (-1.6, "fails")]
)
def test_equivalence_is_inside_or_wholly_beyond(value, verdict):
    part = normal(value, 0.2)
    judged = negligible(part, fixed(1.0, part))
    assert judged.verdict == verdict and (judged.p < 0.05) == (verdict != "undecided")
    assert judged.smallest == pytest.approx(0.2 * (norm.ppf(0.975) + norm.ppf(0.9)), abs=0.02)


def test_a_measured_margin_has_its_own_chance():
    part = normal(0.9, 0.2)
    known, measured = fixed(1.5, part), normal(1.5, 0.4, seed=1)
    assert negligible(part, known).verdict == "holds"
    assert negligible(part, measured).verdict == "undecided"
    together = Estimate(1.5, 1.5 + 2 * part.errors, 1.5 + 2 * part.errors)  # larger wherever the part is
    assert negligible(part, together).verdict == "holds"


def test_all_are_negligible_if_each_is_and_not_if_one_is_beyond_with_all_counted():
    def judged(*values):
        parts = [normal(value, 0.2, seed=seed) for seed, value in enumerate(values)]
        return all_negligible(parts, [fixed(1.0, part) for part in parts])

    assert judged(0.5, -0.5, 0.0).verdict == "holds"
    assert judged(0.5, -0.8, 0.0).verdict == "undecided"
    assert judged(0.0, 1.42, 0.0).verdict == "undecided" and judged(1.42).verdict == "fails"
    assert judged(0.0, 1.6, 0.0).verdict == judged(0.0, -1.6, 0.0).verdict == "fails"
    shares = judged(0.1, -0.6)
    assert (shares.value, shares.high) == (0.6, pytest.approx(0.6 + 0.2 * 1.96, abs=0.02))
    assert shares.low == pytest.approx(0.6 - 0.2 * norm.ppf(1 - 0.0125), abs=0.03)


def contrast_by_hand(first, second):
    """The definition: every vector of signs by itself."""
    mean = np.mean([each.drawn for each in first], axis=0)
    value = np.mean([each.value for each in first])
    lows, ends = [], []
    for signs in product((1, -1), repeat=len(second)):
        draws = mean - np.mean([s * each.drawn for s, each in zip(signs, second, strict=True)], axis=0)
        lows.append(np.quantile(draws, 0.025))
        at = value - np.mean([s * each.value for s, each in zip(signs, second, strict=True)])
        ends.append((at, draws.std(), (draws - at) / draws.std()))
    critical = np.quantile(np.max([each[2] for each in ends], axis=0), 0.975)
    return min(lows), min(at + critical * error for at, error, _ in ends)


@pytest.mark.parametrize("parts", [1, 3, 9])
def test_the_contrast_is_the_least_of_all_signs(parts):
    first = [normal(2.0, 0.5, 1000, seed) for seed in range(parts)]
    second = [normal(value, 0.5, 1000, 20 + seed) for seed, value in enumerate(np.linspace(-1, 0.6, parts))]
    judged = exceed(first, second)
    assert judged.value == pytest.approx(2.0 - np.abs(np.linspace(-1, 0.6, parts)).mean())
    assert (judged.low, judged.high) == pytest.approx(contrast_by_hand(first, second))
    assert (judged.p < 0.05) == (judged.verdict != "undecided")


def test_the_contrast_does_not_hold_where_better_chosen_responses_harm():
    harm, still = [normal(-6.0, 0.5, seed=seed) for seed in range(3)], [normal(0.2, 0.5, seed=9) for _ in range(3)]
    assert exceed(harm, still).verdict == "fails"
    assert exceed([normal(6.0, 0.5)] * 3, still).verdict == "holds"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_benjamini_and_hochberg_s_p_values_decide_as_their_step_does(p_values):
    """Of m sorted p-values, the largest k with p(k) <= k q / m, and all below it, are decided."""
    adjusted, m = benjamini_hochberg(p_values), len(p_values)
    for q in (0.01, 0.05, 0.3):
        within = [k for k, p in enumerate(sorted(p_values), start=1) if p <= k * q / m]
        assert (adjusted <= q * (1 + 1e-12)).sum() == (max(within) if within else 0)


def test_variances_of_few_units_follow_their_chi_squared_law():
    """Four policies with two seeds: the mean square is drawn as itself times 4 / chi-squared with 4 degrees."""
    of_runs = np.array([[40.0, 60.0], [50.0, 50.0], [43.0, 57.0], [45.0, 55.0]])
    values = of_runs[:, None, :, None] + np.zeros((4, 1, 2, 9))
    mean_square = ((values[:, 0, :, 0] - 50) ** 2).sum() / 4
    draws = drawn([values], replicates=40_000)[:, :, 0]
    expected = mean_square / 2 * 4 / chi2.rvs(4, size=400_000, random_state=1)
    squares = ((draws - 50) ** 2).sum(axis=1) / 4
    normals = np.random.default_rng(0).chisquare(4, 400_000) / 4
    assert np.quantile(squares, [0.25, 0.5, 0.9]) == pytest.approx(
        np.quantile(expected * normals, [0.25, 0.5, 0.9]), rel=0.06
    )
