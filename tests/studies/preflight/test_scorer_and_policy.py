"""The scorer's and the policy's measures against brute force, and planted faults that only their finding sees."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.preflight.advice import what_if
from studies.preflight.intervals import mean, share
from studies.preflight.policy import coverage, likelihood, stage
from studies.preflight.scorer import labels, measure, quality

score = st.integers(-3, 3).map(float)


def sides(chosen: list[float], rejected: list[float]) -> pd.DataFrame:
    """One pair per prompt with these scores and texts of equal length."""
    rows = pd.DataFrame({"chosen_score": chosen, "rejected_score": rejected}, dtype=float)
    rows["pair"] = range(len(rows))
    rows["prompt_id"] = [f"p{at}" for at in rows["pair"]]
    for side in ("chosen", "rejected"):
        rows[f"{side}_id"] = [f"{prompt}.{side}" for prompt in rows["prompt_id"]]
        rows[f"{side}_family"], rows[f"{side}_text"] = side, "text"
    return rows.assign(source="all", scorer_gap=rows["chosen_score"] - rows["rejected_score"])


def scored_of(rows: pd.DataFrame) -> pd.DataFrame:
    """(prompt_id, response_id, score) of both sides."""
    parts = [
        rows[["prompt_id", f"{side}_id", f"{side}_score"]].set_axis(["prompt_id", "response_id", "score"], axis=1)
        for side in ("chosen", "rejected")
    ]
    return pd.concat(parts, ignore_index=True)


# intervals


def test_an_interval_over_prompts_covers_and_one_over_pairs_would_not() -> None:
    """Prompts of ten equal pairs: the interval must be that of the prompts' means."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        of_prompt = rng.normal(size=30)
        found = mean(pd.Series(np.repeat(of_prompt, 10)), pd.Series(np.repeat(np.arange(30), 10)))
        covered += found.low <= 0 <= found.high
    assert 0.91 <= covered / 300 <= 0.985


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1))
def test_a_share_lies_in_its_interval_and_counts_what_is_known(rows: list[tuple[int, bool]]) -> None:
    prompts, hits = (pd.Series(list(each)) for each in zip(*rows, strict=True))
    found = share(pd.concat([hits.astype(float), pd.Series([np.nan])]), pd.concat([prompts, pd.Series([9])]))
    assert found.n == len(rows) and found.value == pytest.approx(hits.mean())
    if prompts.nunique() > 1:
        assert 0 <= found.low <= found.value + 1e-9 and found.value - 1e-9 <= found.high <= 1
    else:
        assert np.isnan(found.low) and found.numbers("share")["ci_low"] is None


# the scorer


@given(st.lists(st.tuples(st.integers(0, 2), score), min_size=1, max_size=12))
def test_a_tier_is_four_times_the_share_of_the_others_that_are_beaten(responses: list[tuple[int, float]]) -> None:
    scored = pd.DataFrame(responses, columns=["prompt_id", "score"])
    scored["response_id"] = [f"r{at}" for at in range(len(scored))]
    tiers = quality.ranks_of(scored["response_id"], scored)
    assert quality.tier_names(pd.Series([0.0, 0.5, 3.4, 4.0])).tolist() == ["worst", "low", "high", "best"]
    for at, (prompt, own) in enumerate(responses):
        others = [value for of, value in responses if of == prompt]
        others.remove(own)
        beaten = sum(1.0 if own > other else 0.5 if own == other else 0.0 for other in others)
        if len(others) < 2:
            assert np.isnan(tiers[at]) and quality.tier_names(tiers)[at] is None
        else:
            assert tiers[at] == pytest.approx(4 * beaten / len(others))


@given(st.lists(st.tuples(score, score), min_size=1))
def test_a_label_is_reversed_where_the_rejected_scores_higher(scores: list[tuple[float, float]]) -> None:
    gaps = pd.Series([chosen - rejected for chosen, rejected in scores])
    found, at = labels.is_reversed(gaps), labels.quarters(gaps)
    for gap, is_reversed, quarter in zip(gaps, found, at, strict=True):
        assert np.isnan(is_reversed) == np.isnan(quarter) == (gap == 0)
        if gap:
            assert is_reversed == (gap < 0) and quarter in range(4)
    assert labels.wrong(gaps).between(0, 1).all()
    assert (labels.wrong(gaps)[gaps >= 0] == 0).all()


def test_wrong_labels_are_counted_where_the_scorer_is_sure_and_told_from_its_own_mistakes() -> None:
    """True gaps of 0.5 to 4, a scorer with noise of 0.5, 20 % of the labels flipped."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.5, 4, 4000)
    flipped = rng.random(4000) < 0.2
    gaps = pd.Series(np.where(flipped, -1, 1) * (true + rng.normal(0, 0.5, 4000)))
    rows = sides(gaps.tolist(), [0.0] * 4000)
    noise = labels.wrong_labels(rows)
    assert noise.level == "bad" and noise.ci_low <= 0.2 <= noise.ci_high
    doubted = labels.wrong(gaps) > labels.MORE_LIKELY_THAN_NOT
    assert flipped[doubted].mean() > 0.9 and doubted[flipped].mean() > 0.9
    assert labels.wrong_labels(sides(np.abs(gaps).tolist(), [0.0] * 4000)).level == "good"


def test_a_scorer_that_errs_where_it_is_surest_condemns_nobody() -> None:
    """Right labels, and a scorer whose mistakes grow rarer up to its widest gaps."""
    rng = np.random.default_rng(4)
    gaps = rng.normal(0.6, 1.0, 4000)
    rows = sides(gaps.tolist(), [0.0] * 4000)
    surest, is_settled = labels.noise_of(rows)
    assert surest.low > labels.NOISE.warn and not is_settled
    findings, table = measure.measured(rows, scored_of(rows))
    assert next(each.level for each in findings if each.name == "wrong_labels") == "warn"
    assert all(not reasons for reasons in table["drop"])


def test_labels_and_a_scorer_that_are_opposed_condemn_nobody() -> None:
    rows = sides([0.0] * 50, [float(at % 7 + 1) for at in range(50)])
    findings, table = measure.measured(rows, scored_of(rows))
    levels = {each.name: each.level for each in findings}
    assert levels["gap"] == "bad" and levels["wrong_labels"] == "warn"
    assert all(not reasons for reasons in table["drop"])


def test_a_scorer_that_goes_by_length_is_seen() -> None:
    rng = np.random.default_rng(2)
    longer = rng.integers(-40, 40, 500)
    rows = sides(rng.normal(size=500).tolist(), [0.0] * 500)
    rows["chosen_text"] = ["x" * (50 + each) for each in longer]
    rows["rejected_text"] = "x" * 50
    assert labels.by_length(rows).level == "good"
    by_length = rows.assign(scorer_gap=longer + rng.normal(size=500))
    found = labels.by_length(by_length)
    assert found.level == "bad" and found.ci_low < found.value < found.ci_high
    gaps, by = by_length["scorer_gap"], longer.astype(float)
    assert found.value == pytest.approx(1 - ((gaps - by * (gaps @ by) / (by @ by)) ** 2).sum() / (gaps**2).sum())


def test_equal_scores_saturate() -> None:
    rows = sides([1.0] * 40 + [2.0] * 60, [1.0] * 100)
    assert quality.saturation(rows, scored_of(rows)).value == pytest.approx(0.4)
    assert quality.saturation(rows, scored_of(rows)).level == "warn"


# the policy


def samples_of(own: list[list[float]]) -> tuple[pd.DataFrame, pd.Series]:
    """SAMPLES and scores by response id of each prompt's samples."""
    rows = [(f"p{at}", f"p{at}.own{number}", number, "text") for at, of in enumerate(own) for number in range(len(of))]
    scores = {f"p{at}.own{number}": value for at, of in enumerate(own) for number, value in enumerate(of)}
    return pd.DataFrame(rows, columns=["prompt_id", "response_id", "sample", "response"]), pd.Series(scores)


def both_scores(rows: pd.DataFrame, own: pd.Series) -> pd.Series:
    return pd.concat([own, *(rows.set_index(f"{side}_id")[f"{side}_score"] for side in ("chosen", "rejected"))])


prompts_drawn = st.lists(st.tuples(score, score, st.lists(score, min_size=3, max_size=3)), min_size=2, max_size=5)


@settings(deadline=None)
@given(prompts_drawn)
def test_coverage_headroom_and_boundary_are_those_by_hand(drawn: list[tuple[float, float, list[float]]]) -> None:
    chosen, rejected, own = (list(each) for each in zip(*drawn, strict=True))
    rows = sides(chosen, rejected)
    samples, scores = samples_of(own)
    with_own = rows.merge(coverage.own_scores(samples, scores), on="prompt_id", how="left")
    assert coverage.coverage(with_own).value == pytest.approx(np.mean([c > max(of) for c, _, of in drawn]))
    found = coverage.headroom(with_own, 2.0)
    assert found.value == pytest.approx(np.mean([(c - np.mean(of)) / 2 for c, _, of in drawn]))
    finding, counts = stage.boundary(rows, samples, both_scores(rows, scores))
    won = sum(mine > theirs for c, r, of in drawn for mine in of[:2] for theirs in (c, r))
    assert finding.value == pytest.approx(won / (4 * len(drawn))) and counts["won"].sum() == won


def test_a_policy_that_is_better_than_the_chosen_is_told_from_one_that_is_not() -> None:
    for chosen, level in ((0.0, "bad"), (2.0, "good")):
        rows = sides([chosen + at % 3 / 10 for at in range(40)], [-1.0] * 40)
        samples, scores = samples_of([[1.0, 0.9, 1.1]] * 40)
        with_own = rows.merge(coverage.own_scores(samples, scores), on="prompt_id")
        assert coverage.headroom(with_own, 1.0).level == level


@given(st.lists(st.floats(-5, -0.1), min_size=1, max_size=6), st.floats(-5, -0.1))
def test_a_rank_is_the_share_of_own_samples_that_are_less_likely(own: list[float], value: float) -> None:
    rows = sides([1.0], [0.0])
    samples, _ = samples_of([own])
    likelihoods = {f"p0.own{at}": (2 * each, 2) for at, each in enumerate(own)}
    likelihoods |= {"p0.chosen": (3 * value, 3)}
    found = likelihood.with_logprobs(rows, likelihoods)
    assert found["chosen_logp_token"][0] == pytest.approx(value) and np.isnan(found["rejected_logp"][0])
    ranks = likelihood.own_ranks(found, samples, likelihoods)
    expected = np.mean([1.0 if each < 3 * value / 3 else 0.5 if each == 3 * value / 3 else 0.0 for each in own])
    assert ranks["chosen_own_rank"][0] == pytest.approx(expected)
    assert np.isnan(ranks["rejected_own_rank"][0])


# what if


@settings(deadline=None, max_examples=30)
@given(score, score, st.lists(score, min_size=4, max_size=4), st.integers(0, 2))
def test_more_samples_are_the_mean_over_all_orders(chosen: float, rejected: float, own: list, more: int) -> None:
    orders = list(itertools.permutations(range(4)))
    found = what_if.with_more(np.array([chosen]), np.array([rejected]), np.array([own]), more, orders)[0]
    best, gap, won = [], [], []
    for order in orders:
        pool = [chosen, rejected, *(own[at] for at in order[2 : 2 + more])]
        top, low = (max(pool), min(pool)) if more else (chosen, rejected)
        best.append(top)
        gap.append(top - low)
        won.append(np.mean([own[at] > side for at in order[:2] for side in (top, low)]))
    assert found == pytest.approx([np.mean(best), np.mean(gap), np.mean(won)])


def test_the_drawn_orders_come_near_to_all_orders_and_repeat() -> None:
    rng = np.random.default_rng(3)
    own = rng.normal(size=(200, 5))
    rows = sides(rng.normal(1, 1, 200).tolist(), rng.normal(0, 1, 200).tolist())
    found = what_if.more_samples(rows, own)
    assert found == what_if.more_samples(rows, own)
    columns = rows["chosen_score"].to_numpy(), rows["rejected_score"].to_numpy(), own, 3
    every = what_if.with_more(*columns, list(itertools.permutations(range(5))))[:, 0].mean()
    assert found.gain == pytest.approx(every - rows["chosen_score"].mean(), abs=0.02)
    assert [row["what"] for row in found.table] == ["as it is", "1 more sample", "2 more samples", "3 more samples"]


def test_a_stronger_generator_is_named_and_a_cleaner_scorer_lifts_the_chosen() -> None:
    rows = sides([1.0, 0.0] * 30, [0.0, 1.0] * 30).assign(label_wrong=[0.0, 0.75] * 30)
    scored = pd.DataFrame(
        [(prompt, family, value) for prompt in rows["prompt_id"] for family, value in (("weak", 0.5), ("strong", 2.0))],
        columns=["prompt_id", "family", "score"],
    )
    found = what_if.stronger_generator(rows, scored, None)
    assert found.sentence.startswith("strong ") and found.gain == pytest.approx(1.5)
    assert found.table[0]["boundary score"] == "not known"
    assert what_if.cleaner_scorer(rows, None).gain == pytest.approx(0.375)
    assert what_if.stronger_generator(rows, scored[scored["family"] == "weak"], None) is None
