"""Tables 1 and 5 of "What Matters in Data for DPO?", and the layout behind them."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scripts.lib.config.pairs import TierPairs
from scripts.lib.config.training import TrainingSpec
from scripts.lib.ids import seed_of
from scripts.lib.names import PairsName
from scripts.studies.files import read_published, read_runs
from scripts.studies.statistics.components import standard_error
from studies.what_matters import layout
from studies.what_matters.tables import measured, table1, table5
from tests.evaluations_data import put
from tests.studies.what_matters.data import PUBLISHED, STUDY, SUITES, TIERS, tier_pairs


@pytest.fixture
def results(tmp_path):
    """Evaluations of the study: 30 questions per suite, a run's answers drawn from its name."""
    for policy in ["base", *(run for name in tier_pairs() for run in layout.runs(STUDY, name))]:
        for suite in SUITES:
            rng = np.random.default_rng(seed_of(policy, suite))
            put(tmp_path, policy, suite, (100.0 * rng.integers(0, 2, 30)).tolist())
    return tmp_path


def test_table1_has_the_papers_rows_in_its_order(results):
    published = read_published(f"{PUBLISHED}/table1.csv", table1.KEY)
    table = [measured.cells(row, SUITES, 1, results, published) for row in layout.table1(STUDY, tier_pairs())]
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
    assert row["gsm8k_se"] == pytest.approx(standard_error(answers))


def test_a_row_of_several_draws_has_the_standard_error_over_draws(tmp_path):
    study = STUDY.model_copy(update={"draws": 3})
    row = layout.table1(study, tier_pairs())[1]
    assert [run.split(".")[1] for run in row.runs] == [f"oa_best_worst+{draw}of3" for draw in (1, 1, 2, 2, 3, 3)]
    assert (row.pairs, row.stratum) == ("oa_best_worst", "oa")
    rng = np.random.default_rng(0)
    for run in row.runs:
        put(tmp_path, run, "gsm8k", rng.normal(50, 10, 30).tolist())
    found = measured.cells(row, ["gsm8k"], 3, tmp_path, {})
    answers = read_runs(tmp_path, row.runs, "gsm8k").reshape(3, 2, 30)
    assert (found["n_seeds"], found["n_draws"]) == (2, 3)
    assert found["gsm8k_se"] == pytest.approx(standard_error(answers.mean(axis=1)))


def test_the_error_of_a_gain_pairs_the_questions(results):
    baseline, row, *_ = layout.table1(STUDY, tier_pairs())
    cells = measured.cells(row, SUITES, 1, results, {}, baseline)
    ours, start = (read_runs(results, each.runs, "gsm8k") for each in (row, baseline))
    assert cells["gsm8k_gain_se"] == pytest.approx(standard_error(ours - start))
    assert measured.cells(baseline, SUITES, 1, results, {}, baseline)["gsm8k_gain_se"] is None
    assert "gsm8k_gain_se" not in measured.cells(row, SUITES, 1, results, {})


def test_pairs_in_neither_group_and_data_the_paper_has_not_are_rows_too(results):
    pairs = tier_pairs(["oa"]) | {
        "x": TierPairs(kind="tiers", prompt_set="oa", scorer="rm", chosen="high", rejected="low")
    }
    study = STUDY.model_copy(
        update={"datasets": [STUDY.datasets[0].model_copy(update={"name": "Mine"})], "benchmarks": ["mmlu"]}
    )
    for run in layout.runs(study, "x"):
        put(results, run, "mmlu", [0.0, 100.0] * 15)
    last = measured.cells(layout.table1(study, pairs)[-1], ["mmlu"], 1, results, {})
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
    ("pairs", "place", "message"),
    [
        (tier_pairs(["oa"]), ("datasets", 1), "no tiers pairs over the prompt set uf"),
        (
            tier_pairs() | {"again": tier_pairs()["uf_best_low"]},
            ("", "pairs", "again"),
            "the same as pairs.uf_best_low",
        ),
        (tier_pairs(), None, None),
    ],
)
def test_impossible_studies_are_refused(pairs, place, message):
    atlas = SimpleNamespace(pairs=pairs, training=TrainingSpec())
    found = [(at, problem) for at, problem, _ in STUDY.problems(atlas)]
    assert [at for at, _ in found] == ([place] if place else [])
    assert not message or message in found[0][1]


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


def test_the_step_from_its_command_line(results, tmp_path, monkeypatch):
    out = tmp_path / "table1.csv"
    pairs = json.dumps({name: entry.model_dump() for name, entry in tier_pairs().items()})
    arguments = ["--spec", STUDY.model_dump_json(), "--pairs", pairs, "--evaluations", str(results)]
    monkeypatch.setattr("sys.argv", ["x", *arguments, "--published", f"{PUBLISHED}/table1.csv", "--out", str(out)])
    table1.main()
    table = pd.read_csv(out)
    of_one = ["gsm8k", "gsm8k_se", "gsm8k_gain_se", "gsm8k_published"]
    assert list(table)[:9] == ["dataset", "chosen", "rejected", "n_seeds", "n_draws", *of_one]
    assert table["gsm8k_gain_se"].isna().tolist() == [True, *[False] * 16]
    assert len(table) == 17
