"""Table 1's claims: simulated worlds, the paper's own numbers, and the step that writes all claims."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from scripts.studies.theorems import Statement, within, write_theory
from studies.what_matters import claims as step
from studies.what_matters import layout, tier_claims
from studies.what_matters.answers import Inputs, read_means
from studies.what_matters.found import greatest_known, least_known
from studies.what_matters.tables import verdicts
from tests.evaluations_data import put
from tests.studies.what_matters.data import PUBLISHED, SEVEN, STUDY, TIERS, tier_pairs


def plant(folder, mean_of, study, questions=400, seed_spread=0.5, seed=0):
    """Evaluations of a world whose policies' means are known: ``mean_of(chosen rank, rejected rank)``, 0 is worst."""
    rng = np.random.default_rng(seed)
    for suite in study.benchmarks:
        hard = rng.normal(0, 10, questions)
        put(folder, "base", suite, (45 + hard + rng.normal(0, 8, questions)).tolist())
        shared = rng.normal(0, 2, study.draws) if study.draws > 1 else [0.0]
        for name, entry in tier_pairs().items():
            level = mean_of(TIERS.index(entry.chosen), TIERS.index(entry.rejected))
            for at, run in enumerate(layout.runs(study, name)):
                moved = level + shared[at // len(study.seeds)] + rng.normal(0, seed_spread)
                put(folder, run, suite, (moved + hard + rng.normal(0, 8, questions)).tolist())


def judged(folder, study):
    inputs = Inputs(tier_pairs(), folder, PUBLISHED)
    found = tier_claims.judged(study, inputs, read_means(study, inputs))
    return {each.claim.claim: each.claim for each in found}


WORLDS = {
    "the paper's": (lambda c, r: 50 + 6 * c, "holds", "holds", "holds"),
    "rejected alone matters": (lambda c, r: 50 - 6 * r, "undecided", "fails", "fails"),
    "chosen harms": (lambda c, r: 50 - 6 * c, "fails", "holds", "fails"),
    "both matter alike": (lambda c, r: 50 + 6 * c - 6 * r, "holds", "fails", "undecided"),
    "rejected matters half as much": (lambda c, r: 50 + 6 * c - 3 * r, "holds", "undecided", "holds"),
}


@pytest.mark.parametrize("world", WORLDS)
def test_planted_worlds_get_their_verdicts(tmp_path, world):
    mean_of, raises, no_trend, over = WORLDS[world]
    plant(tmp_path, mean_of, STUDY)
    found = judged(tmp_path, STUDY)
    assert found["chosen_raises.oa"].verdict == raises
    assert found["rejected_no_trend.oa"].verdict == no_trend
    assert found["chosen_over_rejected.oa"].verdict == over
    assert found["chosen_raises.uf.mmlu"].measured == pytest.approx(mean_of(2, 0) - mean_of(1, 0), abs=0.8)


def test_one_seed_gives_no_verdict(tmp_path):
    study = STUDY.model_copy(update={"seeds": [7]})
    plant(tmp_path, WORLDS["the paper's"][0], study)
    found = judged(tmp_path, study)
    assert {(claim.verdict, claim.n_seeds, claim.smallest) for claim in found.values()} == {("undecided", 1, None)}
    assert all("one run does not show training noise" in claim.finding for claim in found.values())


def test_several_draws_are_runs_of_their_own_and_decide_with_one_seed_each(tmp_path):
    study = STUDY.model_copy(update={"seeds": [7], "draws": 4})
    plant(tmp_path, WORLDS["the paper's"][0], study)
    assert (tmp_path / "base.uf_best_worst+2of4.dpo.s7").is_dir()
    found = judged(tmp_path, study)
    assert {(claim.n_seeds, claim.n_draws) for claim in found.values()} == {(1, 4)}
    assert found["chosen_raises.uf"].verdict == found["rejected_no_trend.uf"].verdict == "holds"
    assert not any("for this draw" in claim.finding for claim in found.values())


def test_findings_say_what_was_decided_and_for_what(tmp_path):
    plant(tmp_path, WORLDS["the paper's"][0], STUDY)
    found = judged(tmp_path, STUDY)
    raises, level = found["chosen_raises.uf.mmlu"], found["rejected_no_trend.uf.mmlu"]
    assert raises.finding.startswith("UltraFeedback: better chosen responses help on MMLU, for this draw: +")
    assert raises.finding.endswith(f"points a tier ({raises.ci_low:.2f} to {raises.ci_high:.2f}).")
    assert level.finding.startswith("UltraFeedback: better rejected responses change MMLU little, for this draw: ")
    assert 0 < raises.smallest < 2 and raises.kind == "finding"
    plant(tmp_path, lambda c, r: 50 + 0.1 * c, STUDY, questions=20)
    assert "too small to see here" in judged(tmp_path, STUDY)["chosen_raises.uf.mmlu"].finding


def test_all_policies_of_the_study_tell_how_far_seeds_are_apart(tmp_path):
    """A second dataset's seven policies with two seeds add as many degrees of freedom."""
    plant(tmp_path, WORLDS["the paper's"][0], STUDY, questions=2000, seed_spread=4)
    alone = STUDY.model_copy(update={"datasets": STUDY.datasets[1:], "benchmarks": ["mmlu"]})
    means = {
        name: [pd.read_json(tmp_path / run / "mmlu.json", typ="series")["value"] for run in layout.runs(STUDY, name)]
        for name in tier_pairs()
    }
    of_all, of_uf = (
        np.sqrt(np.mean([np.var(runs, ddof=1) for name, runs in means.items() if name.startswith(start)]))
        for start in ("", "uf")
    )
    both, one = (judged(tmp_path, each)["chosen_raises.uf.mmlu"] for each in (STUDY, alone))
    expected = of_all * t.ppf(0.975, 14) / (of_uf * t.ppf(0.975, 7))
    assert (both.ci_high - both.ci_low) / (one.ci_high - one.ci_low) == pytest.approx(expected, rel=0.05)


def test_too_few_questions_leave_a_claim_undecided(tmp_path):
    plant(tmp_path, lambda c, r: 50 + 0.5 * c, STUDY, questions=20)
    assert judged(tmp_path, STUDY)["chosen_raises.oa"].verdict == "undecided"


def test_slopes_are_brute_force_lines_through_the_tiers(tmp_path):
    plant(tmp_path, WORLDS["both matter alike"][0], STUDY, questions=50)
    found = judged(tmp_path, STUDY)
    means = {
        (chosen, rejected): np.mean(
            [
                pd.read_json(tmp_path / run / "mmlu.json", typ="series")["value"]
                for run in layout.runs(STUDY, f"uf_{chosen}_{rejected}")
            ]
        )
        for chosen, rejected in SEVEN
    }
    chosen = np.polyfit(range(4), [means[tier, "worst"] for tier in TIERS[1:]], 1)[0]
    rejected = np.polyfit(range(4), [means["best", tier] for tier in TIERS[:4]], 1)[0]
    assert found["chosen_raises.uf.mmlu"].measured == pytest.approx(chosen)
    assert found["rejected_no_trend.uf.mmlu"].measured == pytest.approx(rejected)


def test_published_statistics_are_those_of_the_papers_numbers_by_hand(tmp_path):
    plant(tmp_path, WORLDS["the paper's"][0], STUDY, questions=20)
    found = judged(tmp_path, STUDY)
    # UltraFeedback, Table 1. MMLU, low to best against worst: 61.4 62.1 63.7 64.8; GSM8K: 79.3 78.6 79.5 80.4.
    assert found["chosen_raises.uf.mmlu"].published == pytest.approx((3 * (64.8 - 61.4) + (63.7 - 62.1)) / 10)
    assert found["chosen_raises.uf.gsm8k"].published == pytest.approx(0.42)
    assert found["chosen_raises.uf"].published == pytest.approx(0.42)
    # Best against worst to high: MMLU 64.8 63.4 63.3 62.5, GSM8K 80.4 80.8 80.2 79.0.
    assert found["rejected_no_trend.uf.mmlu"].published == pytest.approx(-0.70)
    assert found["rejected_no_trend.uf.gsm8k"].published == pytest.approx(-0.48)
    # Margins: half of 1.18 and half of 0.42, but at least one point.
    assert found["rejected_no_trend.uf"].published == pytest.approx(0.70)
    assert found["chosen_over_rejected.uf"].published == pytest.approx((0.42 + 1.18) / 2 - (0.48 + 0.70) / 2)


def test_data_that_the_paper_has_not_has_no_published_statistic(tmp_path):
    study = STUDY.model_copy(update={"datasets": [STUDY.datasets[0].model_copy(update={"name": "Mine"})]})
    plant(tmp_path, WORLDS["the paper's"][0], study, questions=20)
    assert {claim.published for claim in judged(tmp_path, study).values()} == {None}


def test_a_dataset_without_four_tiers_a_side_makes_no_claims(tmp_path):
    inputs = Inputs(tier_pairs(tiers=[("best", "worst"), ("high", "worst")]), tmp_path, tmp_path)
    inputs.published.joinpath("table1.csv").write_text("dataset,chosen,rejected,mmlu\n")
    plant(tmp_path, WORLDS["the paper's"][0], STUDY, questions=20)
    assert tier_claims.judged(STUDY, inputs, read_means(STUDY, inputs)) == []


def test_a_suite_that_the_paper_has_not_leaves_the_published_whole_as_it_is(tmp_path):
    study = STUDY.model_copy(update={"benchmarks": [*STUDY.benchmarks, "true_reward"]})
    plant(tmp_path, WORLDS["the paper's"][0], study, questions=20)
    found = judged(tmp_path, study)
    assert found["chosen_raises.uf.true_reward"].published is None
    assert found["chosen_raises.uf"].published == pytest.approx(0.42)
    assert np.isnan(least_known(np.array([np.nan]))) and greatest_known(np.array([1.0, np.nan, 2.0])) == 2.0


def test_the_step_is_fast_repeatable_and_writes_the_columns(tmp_path, monkeypatch):
    plant(tmp_path, WORLDS["the paper's"][0], STUDY, questions=805)
    theory = tmp_path / "tables" / "theory.csv"
    theory.parent.mkdir()
    write_theory(Statement("Theorem 0: it is", "It is not.").rows(within(0.1, 0.0, "a distance", [0.5])), theory)
    texts = []
    for out in (tmp_path / "1.csv", tmp_path / "2.csv"):
        pairs = "{" + ",".join(f'"{name}":{entry.model_dump_json()}' for name, entry in tier_pairs().items()) + "}"
        arguments = ["--spec", STUDY.model_dump_json(), "--pairs", pairs, "--evaluations", str(tmp_path)]
        arguments += ["--published", str(PUBLISHED), "--out", str(out)]
        monkeypatch.setattr("sys.argv", ["x", *arguments, "--tables", str(tmp_path / "tables")])
        start = time.perf_counter()
        step.main()
        assert time.perf_counter() - start < 5
        texts.append(out.read_bytes())
    assert texts[0] == texts[1]
    table = pd.read_csv(tmp_path / "1.csv")
    assert len(table) == 2 * (1 + 2 + 1 + 2 + 1) + 1
    assert list(table.iloc[-1][["claim", "verdict"]]) == ["theory.theorem_0", "fails"]
    assert (table["ci_low"] <= table["measured"]).all() and table["finding"].notna().all()
    assert list(table["kind"]) == ["finding"] * 14 + ["theorem"]
    assert list(table["smallest"].isna()) == [False] * 14 + [True]

    monkeypatch.setattr("sys.argv", ["x", *arguments])
    verdicts.main()
    sure = pd.read_csv(tmp_path / "2.csv")
    wholes = [f"{name}.{data}" for name in ("chosen_raises", "rejected_no_trend") for data in ("oa", "uf")]
    parts = table[:-1][~table["claim"][:-1].isin(wholes)]
    assert list(sure) == list(verdicts.COLUMNS) and list(sure["claim"]) == list(parts["claim"])
    assert list(sure["verdict"]) == list(parts["verdict"]) and (sure["p"] <= sure["p_adjusted"]).all()
    assert ((sure["p"] < 0.05) == (sure["verdict"] != "undecided")).all()
