"""Table 1, Table 5 and the statistics under them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.pairs import TierPairs
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.names import PairsName
from scripts.lib.results import evaluation, write_evaluation
from scripts.studies import statistics
from scripts.studies.files import read_published, read_runs
from studies.what_matters import layout
from studies.what_matters.config import Config
from studies.what_matters.tables import measured, table1, table5

PUBLISHED = "studies/what_matters/published"
SUITES = ["gsm8k", "mmlu"]
STUDY = Config(
    policy="base",
    seeds=[0, 1],
    datasets=[{"prompt_set": "oa", "name": "Open Assistant 2"}, {"prompt_set": "uf", "name": "UltraFeedback"}],
    benchmarks=SUITES,
)
TIERS = ["worst", "low", "medium", "high", "best"]
SEVEN = [("best", rejected) for rejected in TIERS[:4]] + [(chosen, "worst") for chosen in TIERS[1:4]]


def tier_pairs(prompt_sets=("oa", "uf"), tiers=SEVEN, scorer="rm"):
    return {
        f"{name}_{chosen}_{rejected}": TierPairs(
            kind="tiers", prompt_set=name, scorer=scorer, chosen=chosen, rejected=rejected
        )
        for name in prompt_sets
        for chosen, rejected in tiers
    }


def put(folder, policy, suite, values):
    write_evaluation(evaluation(policy, suite, "acc", values, {}, {}), folder / policy / f"{suite}.json")


@pytest.fixture
def results(tmp_path):
    """Evaluations of the study: 30 questions a suite, a run's answers drawn from its name."""
    for policy in ["base", *(run for name in tier_pairs() for run in layout.runs(STUDY, name))]:
        for suite in SUITES:
            rng = np.random.default_rng(seed_of(policy, suite))
            put(tmp_path, policy, suite, (100.0 * rng.integers(0, 2, 30)).tolist())
    return tmp_path


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
    """The mean of se^2 over worlds is the variance of the grand mean; neither half alone would be."""
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


def test_table1_has_the_papers_rows_in_its_order(results):
    published = read_published(f"{PUBLISHED}/table1.csv", table1.KEY)
    table = [measured.cells(row, SUITES, results, published) for row in layout.table1(STUDY, tier_pairs())]
    assert len(table) == 17
    assert [(row["chosen"], row["rejected"]) for row in table[1:9]] == [
        *(("best", tier) for tier in ("worst", "low", "medium", "high")),
        *((tier, "worst") for tier in ("low", "medium", "high", "best")),
    ]
    assert [row["dataset"] for row in table[::4]][1:] == [
        "Open Assistant 2 (Fixed Best)",
        "Open Assistant 2 (Fixed Worst)",
        "UltraFeedback (Fixed Best)",
        "UltraFeedback (Fixed Worst)",
    ]
    baseline, row = table[0], table[1]
    assert (baseline["dataset"], baseline["n_seeds"], baseline["gsm8k_published"]) == ("SFT baseline", 1, 76.8)
    assert (row["n_seeds"], row["gsm8k_published"], row["mmlu_published"]) == (2, 78.4, 62.8)
    answers = read_runs(results, ["base.oa_best_worst.dpo.s0", "base.oa_best_worst.dpo.s1"], "gsm8k")
    assert row["gsm8k"] == pytest.approx(answers.mean())
    assert row["gsm8k_se"] == pytest.approx(statistics.standard_error(answers))


def test_pairs_in_neither_group_and_data_the_paper_has_not_are_rows_too(results):
    pairs = tier_pairs(["oa"]) | {
        "x": TierPairs(kind="tiers", prompt_set="oa", scorer="rm", chosen="high", rejected="low")
    }
    study = STUDY.model_copy(
        update={"datasets": [STUDY.datasets[0].model_copy(update={"name": "Mine"})], "benchmarks": ["mmlu"]}
    )
    for run in layout.runs(study, "x"):
        put(results, run, "mmlu", [0.0, 100.0] * 15)
    last = measured.cells(layout.table1(study, pairs)[-1], ["mmlu"], results, {})
    assert (last["dataset"], last["chosen"], last["mmlu"], last["mmlu_published"]) == (
        "Mine (Other)",
        "high",
        50.0,
        None,
    )


def test_a_prompt_set_tiered_by_two_scorers_is_two_datasets():
    second = {f"o_{name}": pairs for name, pairs in tier_pairs(["oa"], scorer="oracle").items()}
    study = STUDY.model_copy(update={"datasets": STUDY.datasets[:1]})
    found = layout.tier_datasets(study, tier_pairs(["oa"]) | second)
    assert [(each.name, each.slug, each.published) for each in found] == [
        ("Open Assistant 2 by rm", "oa-rm", "Open Assistant 2"),
        ("Open Assistant 2 by oracle", "oa-oracle", "Open Assistant 2"),
    ]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (tier_pairs(["oa"]), r"datasets\[1\]: no tiers pairs over the prompt set uf"),
        (tier_pairs() | {"again": tier_pairs()["uf_best_low"]}, "again: is the same as pairs.uf_best_low"),
    ],
)
def test_impossible_studies_are_refused(pairs, message):
    with pytest.raises(InputError, match=message):
        layout.table1(STUDY, pairs)


def test_evaluations_that_do_not_fit_are_refused(results):
    with pytest.raises(InputError, match=r"nobody/gsm8k\.json"):
        read_runs(results, ["nobody"], "gsm8k")
    put(results, "short", "gsm8k", [0.0, 100.0])
    with pytest.raises(InputError, match="2 questions, while base answered 30"):
        read_runs(results, ["base", "short"], "gsm8k")
    (results / "renamed").mkdir()
    (results / "base" / "gsm8k.json").rename(results / "renamed" / "gsm8k.json")
    with pytest.raises(InputError, match="holds gsm8k of base"):
        read_runs(results, ["renamed"], "gsm8k")


def test_table5_is_what_numpy_says_and_keeps_the_papers_misprint():
    published = read_published(f"{PUBLISHED}/table5.csv", table5.KEY)
    scores = np.array([3.0, 1.0, 2.0, 10.0])
    pairs = pd.DataFrame({"chosen_score": scores, "rejected_score": scores - 5})
    name = PairsName(dataset="UltraFeedback", chosen="best", rejected="worst")
    chosen, rejected = table5.statistics(pairs, name, published)
    assert (chosen["mean"], chosen["min"], chosen["25%"], chosen["median"], chosen["max"]) == (
        4.0,
        1.0,
        1.75,
        2.5,
        10.0,
    )
    assert chosen["std"] == pytest.approx(np.sqrt(50 / 3))
    assert (chosen["25%_published"], rejected["median_published"]) == (4.19, -8.56)
    assert rejected["mean"] == -1.0


def test_published_tables_are_whole_and_agree_with_themselves():
    first = read_published(f"{PUBLISHED}/table1.csv", table1.KEY)
    assert len(first) == 15
    assert all(len(numbers) == 5 for numbers in first.values())
    fifth = read_published(f"{PUBLISHED}/table5.csv", table5.KEY)
    assert len(fifth) == 44
    of_tier = {}
    for (dataset, chosen, rejected, mixed, side), numbers in fifth.items():
        tier = chosen if side == "chosen" else rejected
        assert of_tier.setdefault((dataset, mixed, tier if tier in TIERS else (tier, side)), numbers) == numbers


def test_published_files_with_mistakes_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# from somewhere\ndataset,chosen,rejected,a\nx,best,low,1\nx,best,low,2\n")
    with pytest.raises(InputError, match="a second row"):
        read_published(path, table1.KEY)
    path.write_text("dataset,chosen,rejected,a\nx,best,low,one\n")
    with pytest.raises(InputError, match="could not convert"):
        read_published(path, table1.KEY)
    path.write_text("dataset,chosen,a\n")
    with pytest.raises(InputError, match="no column rejected"):
        read_published(path, table1.KEY)


def test_csv_cells(tmp_path):
    write_csv([{"a": -0.00001, "b": None, "c": np.float64(76.8), "d": 3}], ["a", "b", "c", "d"], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d\n0.0,,76.8,3\n"


def test_the_step_from_its_command_line(results, tmp_path, monkeypatch):
    out = tmp_path / "table1.csv"
    pairs = json.dumps({name: entry.model_dump() for name, entry in tier_pairs().items()})
    arguments = ["--spec", STUDY.model_dump_json(), "--pairs", pairs, "--evaluations", str(results)]
    monkeypatch.setattr("sys.argv", ["x", *arguments, "--published", f"{PUBLISHED}/table1.csv", "--out", str(out)])
    table1.main()
    table = pd.read_csv(out)
    assert list(table)[:7] == ["dataset", "chosen", "rejected", "n_seeds", "gsm8k", "gsm8k_se", "gsm8k_published"]
    assert len(table) == 17
