"""Tables 2 to 4: their rows, and their claims in simulated worlds."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.lib.config.pairs import CounterfactualPairs, GapPairs, MixturePairs
from scripts.lib.errors import InputError
from scripts.lib.lineage import Run
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import write_table
from studies.what_matters import contrast_claims, layout
from studies.what_matters.answers import Inputs, read_means
from studies.what_matters.config import ChosenOnly, Config, Gaps, OnPolicy, OnPolicyTable
from studies.what_matters.tables import table2, table3, table4
from tests.evaluations_data import put
from tests.studies.what_matters.data import PUBLISHED, tier_pairs
from tests.studies.what_matters.data import STUDY as TIERS_ONLY

BENCHMARKS = ["lc_ae2", "gsm8k", "mmlu"]
QUALITIES = ("lg_hq", "lg_lq", "sg_hq", "sg_lq")
STUDY = Config(
    policy="base",
    seeds=[0, 1],
    datasets=TIERS_ONLY.datasets,
    benchmarks=BENCHMARKS,
    table2=ChosenOnly(continual_sft="sft", online_dpo="online"),
    table3=Gaps(**{name: name for name in (*QUALITIES, "lg_hq_inverse", "sg_hq_inverse")}),
    table4=OnPolicyTable(
        high=OnPolicy(base="uf_best_low", mixtures=["high10", "high20"]),
        low=OnPolicy(base="uf_medium_worst", mixtures=["low10", "low20"]),
    ),
)
SPECS = (
    tier_pairs()
    | {n: GapPairs(kind="gap", prompt_set="uf", scorer="rm", mean_chosen=0, mean_gap=1) for n in QUALITIES}
    | {
        "lg_hq_inverse": CounterfactualPairs(kind="counterfactual", chosen_of="lg_hq", rejected_of="sg_hq"),
        "sg_hq_inverse": CounterfactualPairs(kind="counterfactual", chosen_of="sg_hq", rejected_of="sg_lq"),
    }
    | {
        f"{half}{percent}": MixturePairs(kind="mixture", base=base, samples="s", ratio=percent / 100)
        for half, base in (("high", "uf_best_low"), ("low", "uf_medium_worst"))
        for percent in (10, 20)
    }
)


def plant(folder: Path, level_of, questions: int = 400, spread: float = 0.3) -> None:
    """Evaluations of every run in the tables: ``level_of(run)``, some training noise, varied questions."""
    draw = np.random.default_rng(0)
    for suite in BENCHMARKS:
        hard = draw.normal(0, 10, questions)
        for name in layout.runs_of(["table1", "table2", "table3", "table4"], STUDY, SPECS):
            run = Run("base", "", "", 0) if name == "base" else Run.parse(name)
            put(
                folder,
                name,
                suite,
                (level_of(run) + draw.normal(0, spread) + hard + draw.normal(0, 4, questions)).tolist(),
            )


def judged(folder: Path) -> dict:
    return judged_by(STUDY, SPECS, folder)


def judged_by(study: Config, specs: dict, folder: Path) -> dict:
    inputs = Inputs(specs, folder, PUBLISHED)
    found = contrast_claims.judged(study, inputs, read_means(study, inputs))
    return {each.claim.claim: each.claim for each in found}


LEVELS = {"lg_hq": 60, "lg_lq": 48, "sg_hq": 56, "sg_lq": 44, "lg_hq_inverse": 59, "sg_hq_inverse": 57}
MIXED = {"uf_best_low": 50, "high10": 56, "high20": 56, "uf_medium_worst": 40, "low10": 41, "low20": 41}


def papers_world(run: Run) -> float:
    """Online DPO is SFT, quality gains most, on-policy samples need quality."""
    if run.variant in ("sft", "online"):
        return 55
    return (LEVELS | MIXED).get(run.pairs, 30)


def other_world(run: Run) -> float:
    """Online DPO beats SFT, the gap is what counts, on-policy samples help the bad base."""
    gaps = {"lg_hq": 60, "lg_lq": 59, "sg_hq": 45, "sg_lq": 44, "lg_hq_inverse": 45, "sg_hq_inverse": 62}
    mixed = {"uf_best_low": 50, "high10": 50, "high20": 50, "uf_medium_worst": 40, "low10": 46, "low20": 46}
    if run.variant in ("sft", "online"):
        return 70 if run.variant == "online" else 55
    return (gaps | mixed).get(run.pairs, 30)


def test_planted_worlds_get_their_verdicts(tmp_path: Path) -> None:
    names = ["online_is_sft.oa", "online_is_sft.uf", "quality_over_gap", "gap_over_counterfactual"]
    names.append("on_policy_needs_quality")
    for world, verdict in ((papers_world, "holds"), (other_world, "fails")):
        folder = tmp_path / world.__name__
        plant(folder, world)
        found = judged(folder)
        assert {name: found[name].verdict for name in names} == dict.fromkeys(names, verdict)
    assert judged(tmp_path / "papers_world")["quality_over_gap"].measured == pytest.approx(56 - 48, abs=1)


def test_an_online_policy_that_only_lacks_proof_of_sameness_is_undecided(tmp_path: Path) -> None:
    plant(tmp_path, papers_world, questions=12, spread=4)
    assert judged(tmp_path)["online_is_sft.oa"].verdict == "undecided"


def test_one_seed_gives_no_verdict(tmp_path: Path) -> None:
    plant(tmp_path, papers_world)
    found = judged_by(STUDY.model_copy(update={"seeds": [1]}), SPECS, tmp_path)
    assert {claim.verdict for claim in found.values()} == {"undecided"}


def test_published_statistics_are_those_of_the_papers_numbers_by_hand(tmp_path: Path) -> None:
    plant(tmp_path, papers_world, questions=20)
    found = judged(tmp_path)
    assert found["quality_over_gap"].published == pytest.approx((8.7 + 7.1) / 2 - (4.6 + 3.0) / 2)
    assert found["gap_over_counterfactual"].published == pytest.approx((4.6 + 3.0) / 2 - (1.4 + 0.8) / 2)
    assert found["on_policy_needs_quality.lc_ae2"].published == pytest.approx((4.9 + 4.7) / 2 - (1.9 + 1.6) / 2)
    assert found["on_policy_needs_quality.gsm8k"].published == pytest.approx((1.4 + 1.1) / 2 - (0.7 + 0.3) / 2)
    assert found["on_policy_needs_quality"].published == found["on_policy_needs_quality.gsm8k"].published
    # Online minus SFT on UltraFeedback: 1.8 of a quarter of 23.1; 0.2 and 0.4 of the least margin.
    assert found["online_is_sft.uf.lc_ae2"].published == pytest.approx(1.8)
    assert found["online_is_sft.uf"].published == pytest.approx(1.8 / (23.1 / 4))


def test_a_ratio_that_the_paper_has_not_is_left_out_of_its_statistic(tmp_path: Path) -> None:
    plant(tmp_path, papers_world, questions=20)
    high = OnPolicy(base="uf_best_low", mixtures=["high10", "low20"])
    specs = SPECS | {"low20": MixturePairs(kind="mixture", base="uf_best_low", samples="s", ratio=0.5)}
    study = STUDY.model_copy(update={"table4": OnPolicyTable(high=high, low=STUDY.table4.low)})
    found = judged_by(study, specs, tmp_path)
    assert found["on_policy_needs_quality.lc_ae2"].published == pytest.approx(4.9 - 1.9)


def write_pairs(folder: Path) -> list[Path]:
    paths = []
    for at, name in enumerate((*LEVELS, *MIXED)):
        table = pd.DataFrame({"prompt_id": ["p"], "chosen_id": ["c"], "rejected_id": ["r"], "origin": ["x"]})
        write_table(table.assign(chosen_score=float(at), rejected_score=-1.0), folder / f"{name}.parquet", PAIRS)
        paths.append(folder / f"{name}.parquet")
    return paths


def run_table(module, name: str, folder: Path, monkeypatch, *more: object) -> pd.DataFrame:
    specs = json.dumps({n: entry.model_dump() for n, entry in layout.specs_of(name, STUDY, SPECS).items()})
    arguments = ["--spec", STUDY.model_dump_json(), "--pairs", specs, "--evaluations", folder, "--published"]
    out = folder / f"{name}.csv"
    arguments += [PUBLISHED / f"{name}.csv", *more, "--out", out]
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
    module.main()
    return pd.read_csv(out)


def test_the_tables_are_the_papers_row_for_row(tmp_path: Path, monkeypatch) -> None:
    plant(tmp_path, papers_world)
    second = run_table(table2, "table2", tmp_path, monkeypatch)
    assert list(second)[:5] == ["dataset", "configuration", "n_seeds", "n_draws", "lc_ae2"]
    assert list(second["configuration"].fillna("")) == ["", *["Continual SFT", "Online DPO"] * 2]
    assert list(second["lc_ae2_published"]) == [12.7, 18.7, 19.0, 35.8, 37.6]

    pairs = ["--pairs-tables", *write_pairs(tmp_path)]
    third = run_table(table3, "table3", tmp_path, monkeypatch, *pairs)
    assert len(third) == 12 and list(third["gain_published"].dropna()) == pytest.approx([8.7, 7.1, 4.6, 3.0, 1.4, 0.8])
    names = "LG-HQ LG-LQ SG-HQ SG-LQ LG-HQ SG-HQ LG-LQ SG-LQ LG-HQ LG-HQ-inv SG-HQ-inv SG-HQ"
    assert list(third["configuration"]) == names.split()
    assert third["gain"][0] == pytest.approx(third["lc_ae2"][0] - third["lc_ae2"][1], abs=1e-3)
    assert 0 < third["gain_se"][0] < third["lc_ae2_se"][0]  # the same questions, so paired
    assert (third["mean_chosen"][0], third["mean_gap"][0], third["mean_chosen_published"][0]) == (0.0, 1.0, -2.98)
    assert third["mmlu_published"].notna().all()

    fourth = run_table(table4, "table4", tmp_path, monkeypatch, *pairs)
    assert list(fourth["quality"]) == ["high"] * 3 + ["low"] * 3 and list(fourth["on_policy"]) == [0, 10, 20] * 2
    assert list(fourth["lc_ae2_published"]) == [34.5, 39.4, 39.2, 25.8, 27.7, 27.4]
    assert fourth["mean_chosen"].nunique() == 2 and list(fourth["mean_chosen_published"][2:4]) == [-0.93, -4.18]


def test_pairs_that_are_not_given_are_named(tmp_path: Path, monkeypatch) -> None:
    plant(tmp_path, papers_world, questions=10)
    with pytest.raises(InputError, match=r"has no lg_hq\.parquet"):
        run_table(table3, "table3", tmp_path, monkeypatch, "--pairs-tables", tmp_path / "x.parquet")


def test_tables_share_runs() -> None:
    """Table 4's bases are Table 1's runs; Table 3's twelve rows are six datasets."""
    first, fourth = (set(layout.runs_of([name], STUDY, SPECS)) for name in ("table1", "table4"))
    assert len(fourth - first) == 2 * 4
    assert len(layout.runs_of(["table3"], STUDY, SPECS)) == 2 * 6
    assert set(layout.names(STUDY, SPECS)) == set(SPECS)
