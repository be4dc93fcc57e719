"""Code shared by studies: statistics, reading evaluations and published tables, and CSV cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.studies import statistics
from scripts.studies.files import read_published, read_runs
from scripts.studies.statistics import interval, resampled_means, slope_weights
from tests.evaluations_data import put


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=5))
def test_slope_weights_are_those_of_a_fitted_line(means):
    levels = np.arange(len(means)) * 1.0 + 1
    assert statistics.slope_weights(levels) @ means == pytest.approx(np.polyfit(levels, means, 1)[0], abs=1e-6)


def test_with_one_seed_the_standard_error_is_that_over_questions():
    values = np.random.default_rng(0).normal(size=(1, 50))
    assert statistics.standard_error(values) == pytest.approx(values.std(ddof=1) / np.sqrt(50))


def draw_world(rng, seeds, questions, spread=(2.0, 6.0, 8.0)):
    """(seeds, questions) from the model: standard deviations of seed, question and rest."""
    of_seed, of_question, rest = spread
    return (
        rng.normal(0, of_seed, (seeds, 1))
        + rng.normal(0, of_question, (1, questions))
        + rng.normal(0, rest, (seeds, questions))
    )


def test_the_standard_error_covers_seeds_and_questions():
    """The mean of se^2 over worlds is the variance of the grand mean; neither of its terms alone would be."""
    rng = np.random.default_rng(1)
    squares = np.mean([statistics.standard_error(draw_world(rng, 3, 60)) ** 2 for _ in range(1500)])
    true = 2.0**2 / 3 + 6.0**2 / 60 + 8.0**2 / 180
    assert squares == pytest.approx(true, rel=0.08)
    assert true > 1.25 * (2.0**2 / 3 + 8.0**2 / 180)


def test_resampled_questions_are_the_same_for_all_policies():
    answers = np.random.default_rng(0).normal(size=(1, 1, 40))
    draws = statistics.resampled_means([np.concatenate([answers, answers + 5])], np.random.default_rng(1), 200)
    assert np.allclose(draws[:, 1] - draws[:, 0], 5)
    assert draws[:, 0].std() == pytest.approx(statistics.standard_error(answers[0]), rel=0.2)


def test_the_bootstrap_spreads_as_far_as_the_standard_error_and_a_little_more():
    rng = np.random.default_rng(2)
    values = np.stack([draw_world(rng, 4, 80) for _ in range(6)])
    spread = statistics.resampled_means([values], np.random.default_rng(0), 4000).std(axis=0).mean()
    exact = np.sqrt(2.0**2 / 4 + 6.0**2 / 80 + 8.0**2 / 320)
    assert 0.85 * exact < spread < 1.35 * exact


def test_a_seed_that_is_good_on_one_suite_stays_good_on_another():
    rng = np.random.default_rng(3)
    luck = rng.normal(0, 10, (7, 3, 1))
    suites = [luck + rng.normal(0, 1, (7, 3, 50)) for _ in range(2)]
    draws = statistics.resampled_means(suites, np.random.default_rng(0), 2000)
    assert np.corrcoef(draws[:, 0, 0], draws[:, 0, 1])[0, 1] > 0.9


def test_draws_are_repeatable_whatever_the_block(monkeypatch):
    values = np.random.default_rng(0).normal(size=(3, 2, 30))
    first = statistics.resampled_means([values], np.random.default_rng(5), 100)
    assert np.array_equal(first, statistics.resampled_means([values], np.random.default_rng(5), 100))
    monkeypatch.setattr(statistics, "_BLOCK", 90)
    assert np.allclose(first, statistics.resampled_means([values], np.random.default_rng(5), 100))


def test_evaluations_are_read_run_by_run_and_those_that_do_not_fit_are_refused(tmp_path):
    for policy in ("base", "other"):
        put(tmp_path, policy, "gsm8k", [0.0, 100.0, 0.0])
    assert read_runs(tmp_path, ["base", "other"], "gsm8k").tolist() == [[0.0, 100.0, 0.0]] * 2
    with pytest.raises(InputError, match=r"nobody/gsm8k\.json"):
        read_runs(tmp_path, ["nobody"], "gsm8k")
    put(tmp_path, "short", "gsm8k", [0.0, 100.0])
    with pytest.raises(InputError, match="2 questions, while base answered 3"):
        read_runs(tmp_path, ["base", "short"], "gsm8k")
    (tmp_path / "renamed").mkdir()
    (tmp_path / "base" / "gsm8k.json").rename(tmp_path / "renamed" / "gsm8k.json")
    with pytest.raises(InputError, match="holds gsm8k of base"):
        read_runs(tmp_path, ["renamed"], "gsm8k")


KEY = ("dataset", "chosen", "rejected")


def test_published_files_with_mistakes_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# from somewhere\ndataset,chosen,rejected,a\nx,best,low,1\nx,best,low,2\n")
    with pytest.raises(InputError, match="a second row"):
        read_published(path, KEY)
    path.write_text("dataset,chosen,rejected,a\nx,best,low,one\n")
    with pytest.raises(InputError, match="could not convert"):
        read_published(path, KEY)
    path.write_text("dataset,chosen,a\n")
    with pytest.raises(InputError, match="no column rejected"):
        read_published(path, KEY)


def test_csv_cells(tmp_path):
    write_csv([{"a": -0.00001, "b": None, "c": np.float64(76.8), "d": 3}], ["a", "b", "c", "d"], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d\n0.0,,76.8,3\n"


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "seed_spread"), [(2, 3.0), (3, 3.0), (5, 0.0), (2, 0.0)])
def test_intervals_cover_the_true_slope(seeds, seed_spread):
    """Over 1500 worlds, the 95 % interval of a slope over four of seven policies holds the true one about as often."""
    rng = np.random.default_rng(11)
    weights, covered = slope_weights(range(4)), 0
    for _ in range(1500):
        level = 50 + 2.0 * np.arange(7).reshape(7, 1, 1)
        answers = (
            level
            + rng.normal(0, 10, (1, 1, 100))
            + rng.normal(0, 12, (7, 1, 100))
            + rng.normal(0, seed_spread, (7, seeds, 1))
            + rng.normal(0, 15, (7, seeds, 100))
        )
        draws = resampled_means([answers], rng, 600)
        low, high = interval(draws[:, :4, 0] @ weights)
        covered += low <= 2.0 <= high
    assert 0.93 <= covered / 1500 <= 0.98
