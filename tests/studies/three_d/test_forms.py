"""Table 2 and its claim, from records whose numbers are known."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.lib.lineage import Run, is_run
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import write_table
from scripts.report import style
from scripts.studies.files import read_published
from studies.three_d import layout, rewards
from studies.three_d.config import Forms
from studies.three_d.figures import over_optimisation
from studies.three_d.tables import table2
from tests.evaluations_data import put
from tests.studies.three_d.data import PUBLISHED, SPEC

FORMS = Forms(
    seeds=[0, 1, 4],  # one more than the experiments
    policy={"policy": "writer"},
    pairs="own",
    dpo="dpo",
    ppo="ppo",
    others={"PPO loose": "loose"},
    verses={"row_number": "rows", "words_per_row": "words", "rhythm": "rhyme", "title": "title"},
    slogans={"word_count": "length", "content": "content"},
    by_rules=["verses", "slogans"],
    by_model=["verses_model", "slogans_model"],
)
WITH = SPEC.model_copy(update={"forms": FORMS})
LEVELS = {"": 50.0, "ppo": 80.0, "dpo": 70.0, "loose": 60.0}
KL = {"ppo": 5.0, "loose": 20.0}


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    spread = np.random.default_rng(0).normal(0, 2, 40)
    suites = [*FORMS.verses.values(), *FORMS.slogans.values(), *FORMS.by_rules, *FORMS.by_model]
    for run in layout.policies_of(layout.forms(WITH)):
        variant = Run.parse(run).variant if is_run(run) else ""
        for suite in suites:
            moved = 100.0 if suite.endswith("model") and variant == "loose" else 0.0
            put(folder, run, suite, (LEVELS[variant] + moved + spread - spread.mean()).tolist())
        if is_run(run):
            rows = pd.DataFrame({name: 0.0 for name in TRAINING.required}, index=range(20)).assign(step=range(20))
            rows["kl"] = np.linspace(0, KL[variant], 20) if variant in KL else None
            write_table(rows, folder / f"{run}.parquet", TRAINING)
    return folder


def test_rows_and_columns_are_the_papers(records, monkeypatch, tmp_path) -> None:
    folders = ["--evaluations", str(records), "--training", str(records), "--published", str(PUBLISHED)]
    out = tmp_path / "table2.csv"
    monkeypatch.setattr(sys, "argv", ["step", "--spec", WITH.model_dump_json(), *folders, "--out", str(out)])
    table2.main()
    table = pd.read_csv(out).set_index("setting")
    assert list(table.index) == ["Base", "PPO", "DPO", "PPO loose"]
    assert [name.removesuffix("_published") for name in table if name.endswith("_published")] == list(layout.FORM_PARTS)
    assert "tone_pattern" not in table and table.loc["DPO", "tone_pattern_published"] == 0.75
    assert (table.loc["PPO", "title"], table.loc["PPO", "title_published"]) == pytest.approx((0.8, 1.0))
    assert table.loc["PPO loose", ["by_rules", "by_model"]].tolist() == pytest.approx([0.6, 1.6])
    assert np.isnan(table.loc["DPO", "kl"]) and table.loc["PPO", "kl"] == pytest.approx(4.6, abs=0.01)
    assert table.loc["Base", "n_seeds"] == 1 and table.loc["PPO", "n_seeds"] == 3
    with style.drawing():
        assert len(over_optimisation.figure(out).axes) == 2


def test_ppo_beats_dpo_where_it_does(records) -> None:
    published = read_published(PUBLISHED / "table2.csv", ["setting"])
    found = {each.claim: each for each in rewards.forms(WITH, records, published)}
    assert set(found) == {"ppo_beats_dpo", "ppo_beats_dpo.verses", "ppo_beats_dpo.slogans"}
    assert {(each.verdict, each.n_seeds) for each in found.values()} == {("holds", 3)}
    assert found["ppo_beats_dpo.verses"].measured == pytest.approx(10.0)
    assert found["ppo_beats_dpo.verses"].published == pytest.approx(7.0)
    assert found["ppo_beats_dpo.slogans"].published == pytest.approx(5.0)
    other = WITH.model_copy(update={"forms": FORMS.model_copy(update={"ppo": "loose", "others": {}})})
    assert {each.verdict for each in rewards.forms(other, records, published)} == {"fails"}
