"""The tables and claims of runs, from records whose numbers are known."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.lib.claims import read_claims
from scripts.lib.errors import InputError
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import write_table
from scripts.report import style
from studies.three_d import claims
from studies.three_d.figures import dynamics as drawn_dynamics
from studies.three_d.figures import figure4, figure6
from studies.three_d.layout import SCENARIOS, regularised, scenario, scenarios
from studies.three_d.measured import Steps
from studies.three_d.tables import answers, dynamics, table7
from studies.three_d.tables.table7 import pull
from tests.studies.three_d.data import BETAS, CHANGES, PUBLISHED, SPEC, STEPS, record_all, training_table


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    return record_all(tmp_path_factory.mktemp("records"))


def run(step, monkeypatch, out: Path, *more: object, spec=SPEC) -> pd.DataFrame:
    flags = ["--spec", spec.model_dump_json(), *map(str, more), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["step", *flags])
    step.main()
    return pd.read_csv(out)


def of_answers(monkeypatch, records: Path, out: Path, table: str) -> pd.DataFrame:
    betas = ["--betas", json.dumps(BETAS)] if table == "beta_sweep" else []
    more = ["--table", table, *betas, "--evaluations", records, "--published", PUBLISHED]
    return run(answers, monkeypatch, out / f"{table}.csv", *more)


def judge(monkeypatch, records: Path, out: Path, spec=SPEC) -> dict:
    folders = ["--evaluations", records, "--training", records, "--published", PUBLISHED]
    run(claims, monkeypatch, out / "claims.csv", "--beta", 0.1, "--betas", json.dumps(BETAS), *folders, spec=spec)
    return {row.claim: row for row in read_claims(out / "claims.csv").itertuples()}


def test_rows_are_the_papers() -> None:
    assert [row.setting for row in scenarios(SPEC)] == ["basemodel", *SCENARIOS]
    assert [row.setting for row in regularised(SPEC)] == ["basemodel", "dpo", "flex_dpo", "ipo"]
    assert scenario(SPEC, SPEC.policies[0], "Scenario 2").runs == ("base.s2.dpo.s0", "base.s2.dpo.s1")
    assert regularised(SPEC)[1].runs == scenario(SPEC, SPEC.policies[0], "Scenario 1").runs


def test_answers_stand_beside_the_papers(monkeypatch, records, tmp_path) -> None:
    table8 = of_answers(monkeypatch, records, tmp_path, "table8").set_index(["setting", "test_set"])
    row = table8.loc["Scenario 1", "MATH*"]
    assert (row["five_points"], row["four_or_five"]) == pytest.approx((60.0, 65.0))
    assert (row["five_points_published"], row["four_or_five_published"], row["n_seeds"]) == (29.9, 37.5, 2)
    assert table8.loc[("basemodel", "SuperCLUE"), "five_points"] == pytest.approx(10.0)
    table1 = of_answers(monkeypatch, records, tmp_path, "table1").set_index("setting")
    assert table1.loc["Scenario 3", "five_points"] == pytest.approx(25.0)  # both sets have as many questions
    assert table1.loc["Scenario 3", "five_points_published"] == 44.473
    table9 = of_answers(monkeypatch, records, tmp_path, "table9").set_index(["setting", "test_set"])
    assert table9.loc[("flex_dpo", "MATH*"), "five_points"] == pytest.approx(72.0)
    assert table9.loc[("ipo", "SuperCLUE"), "five_points_published"] == 80.5
    sweep = of_answers(monkeypatch, records, tmp_path, "beta_sweep")
    assert sweep["beta_rejected"].drop_duplicates().tolist() == list(BETAS.values())
    assert len(sweep) == 8 and sweep["five_points_published"].isna().all()


def test_the_papers_table_1_follows_from_its_table_8() -> None:
    """Weighted by numbers of questions; for Baichuan2-13B by those of the other set."""
    table1, table8 = (pd.read_csv(PUBLISHED / f"{name}.csv", comment="#") for name in ("table1", "table8"))
    whole = table8.set_index(["model", "setting", "test_set"])["five_points"]
    for row in table1.itertuples():
        weights = {"MATH*": 2000, "SuperCLUE": 1072}
        if row.model == "Baichuan2-13B":
            weights = {"MATH*": 1072, "SuperCLUE": 2000}
        mean = sum(weight * whole[row.model, row.setting, name] for name, weight in weights.items()) / 3072
        assert row.five_points == pytest.approx(mean, abs=0.05)


def test_log_probs_before_and_after(monkeypatch, records, tmp_path) -> None:
    table = run(
        table7, monkeypatch, tmp_path / "table7.csv", "--beta", 0.1, "--training", records, "--published", PUBLISHED
    )
    rows = table.set_index("setting")
    assert list(rows.index) == [*SCENARIOS, "flex_dpo", "ipo"]
    row = rows.loc["Scenario 2"]
    assert (row["chosen_before"], row["rejected_before"]) == pytest.approx((-1.0, -2.0), abs=1e-3)
    assert (row["chosen_change"], row["rejected_change"]) == pytest.approx((0.3, -1.0), abs=1e-3)
    assert row["rejected_after"] == pytest.approx(-3.0, abs=1e-3)
    assert row["watched_change"] == pytest.approx(0.05, abs=2e-3)
    assert (row["chosen_before_published"], row["rejected_after_published"]) == (-1.4314, -0.4254)
    assert rows.loc["ipo", ["chosen_pull", "rejected_pull"]].isna().all()  # it is of DPO's gradient


def test_the_pull_is_that_of_the_closed_form_over_that_at_the_start(records) -> None:
    """sigmoid(-m) / sigmoid(0), and the likelihood's own change."""
    steps, row = Steps(SPEC, records), scenario(SPEC, SPEC.policies[0], "Scenario 4")
    table = training_table(row.runs[0])
    change = {side: table[f"{side}_change"].to_numpy() for side in ("chosen", "rejected")}
    weight = np.log(2) - np.log1p(np.exp(change["chosen"] - change["rejected"]))
    for side in change:
        assert pull(steps, row, side, 0.1)[0, 0] == pytest.approx(weight - 10 * change[side])


def test_every_step_is_in_the_dynamics(monkeypatch, records, tmp_path) -> None:
    path = tmp_path / "dynamics.csv"
    table = run(dynamics, monkeypatch, path, "--training", records)
    assert len(table) == (4 + 2) * 2 * STEPS and table["watched"].notna().sum() == 12 * 5
    assert table.loc[table["step"] == 0, "watched"].eq(0).all()
    of_answers(monkeypatch, records, tmp_path, "beta_sweep")
    with style.drawing():
        texts = [each.get_text() for each in drawn_dynamics.figure(path).axes[0].texts]
        assert texts == [] and len(figure6.figure(path).axes) == 4
        assert len(figure4.figure(tmp_path / "beta_sweep.csv").axes) == 2


def test_true_claims_hold(monkeypatch, records, tmp_path) -> None:
    found = judge(monkeypatch, records, tmp_path)
    expected = {
        "rejected_first",
        "rejected_fastest",
        "chosen_gradient_vanishes",
        "rejected_gradient_grows",
        "dispersion",
    }
    assert {name for name in found if "." not in name} == expected | {"mildest", "best", "flex_dpo", "beta_peak"}
    assert {row.verdict for row in found.values()} == {"holds"}
    fastest = found["rejected_fastest.scenario_4"]
    assert fastest.measured == pytest.approx(1.2, abs=0.01) and fastest.published == pytest.approx(0.0218, abs=1e-4)
    assert found["rejected_fastest"].published == pytest.approx(0.0729 - 0.1580, abs=1e-4)
    assert found["mildest.scenario_3"].measured == pytest.approx(0.4, abs=0.01)
    assert found["best.set_1"].measured == pytest.approx(20.0) and found["best.set_1"].published == pytest.approx(0.7)
    assert found["flex_dpo.set_2"].published == pytest.approx(1.0)
    assert found["beta_peak.set_1"].measured == pytest.approx(10.0)


def test_false_claims_fail(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(
        "tests.studies.three_d.data.CHANGES", {name: (-0.9, -0.5 + at / 10, -0.3) for at, name in enumerate(CHANGES)}
    )
    monkeypatch.setattr(
        "tests.studies.three_d.data.LEVELS", {"base": 20.0, "s1": 30.0, "s2": 40.0, "s3": 40.0, "s4": 40.0}
    )
    monkeypatch.setattr(
        "tests.studies.three_d.data.MORE", {"flex_low": 10.0, "flex_mid": -8.0, "flex_dpo": -12.0, "ipo": 0.0}
    )
    found = judge(monkeypatch, record_all(tmp_path), tmp_path)
    failing = {"rejected_first", "rejected_fastest", "chosen_gradient_vanishes", "dispersion", "mildest", "best"}
    assert {name for name, row in found.items() if row.verdict == "fails" and "." not in name} >= failing | {
        "flex_dpo",
        "beta_peak",
    }


def test_one_seed_decides_nothing(monkeypatch, records, tmp_path) -> None:
    found = judge(monkeypatch, records, tmp_path, SPEC.model_copy(update={"seeds": [0]}))
    assert {row.verdict for row in found.values()} == {"undecided"}


def test_a_run_too_short_to_have_ends_is_refused(monkeypatch, tmp_path) -> None:
    short = training_table("base.s1.dpo.s0").iloc[:9]
    for seed in SPEC.seeds:
        write_table(short, tmp_path / f"base.s1.dpo.s{seed}.parquet", TRAINING)
    with pytest.raises(InputError, match="9 steps are too few"):
        Steps(SPEC, tmp_path).of(scenario(SPEC, SPEC.policies[0], "Scenario 1"), "loss")


def test_runs_that_are_watched_at_other_steps_are_all_read(tmp_path) -> None:
    """Draws of a dataset have their own numbers of tokens, by which they are watched."""
    row = scenario(SPEC, SPEC.policies[0], "Scenario 1")
    for run, every in zip(row.runs, (8, 7), strict=True):
        table = training_table(run)
        column = [-1 + 0.01 * step if step % every == 0 else None for step in range(STEPS)]
        write_table(table.assign(watched_token_logp=column), tmp_path / f"{run}.parquet", TRAINING)
    assert Steps(SPEC, tmp_path).watched(row)[0] == pytest.approx(np.array([[0.24, 0.32], [0.28, 0.35]]))


def test_runs_that_are_not_watched_have_no_change(tmp_path) -> None:
    row = scenario(SPEC, SPEC.policies[0], "Scenario 1")
    for run in row.runs:
        write_table(training_table(run).drop(columns="watched_token_logp"), tmp_path / f"{run}.parquet", TRAINING)
    assert Steps(SPEC, tmp_path).watched(row).size == 0
