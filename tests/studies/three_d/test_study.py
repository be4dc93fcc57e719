"""The room: what it makes without a policy of the world, what it refuses, and all of it in miniature."""

import copy
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.errors import InputError
from scripts.lib.objectives import OBJECTIVES
from scripts.lib.world.skills import read, skill_of
from scripts.sources.world import rows
from scripts.studies.theorems import read_theory
from scripts.workflow.configuration import checked, defaults, rooms
from scripts.workflow.needs import Studies
from scripts.workflow.planning import Planning
from studies.three_d.figures.grid import READINGS
from studies.three_d.toy.setting import REJECTED, SCENARIOS
from tests.configurations import merged
from tests.workflow.house import House

FILES = defaults(Path(), {"studies": ["three_d"]})[::-1]
TABLES = {
    f"results/tables/three_d/{name}.csv" for name in ("toy", "toy_findings", "toy_curves", "toy_matrices", "theory")
}


def configured(experiments=None, **toy):
    """experiments: changes of them; None: without."""
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["three_d"]}
    raw["three_d"]["toy"] |= toy
    raw["three_d"]["experiments"] = None if experiments is None else raw["three_d"]["experiments"] | experiments
    return checked(raw, FILES)


def test_runs_are_those_of_the_tables_and_share_what_they_can() -> None:
    atlas = configured({"forms": None, "reward_models": None})
    studies = Studies(atlas, rooms(atlas))
    needs, spec = studies.of("three_d"), atlas.three_d.experiments
    kinds = 4 + len(spec.regularised) + len(spec.beta_sweep) - 1  # Flex-DPO with 0.08 is in both
    assert len(needs.runs) == kinds * len(spec.seeds)
    assert needs.sampled == needs.watched == ["stories.candidates@medium"]
    assert needs.references == [
        f"results/logprobs/medium/stories.{family}.parquet" for family in ("solution", "weaker", "candidates@medium")
    ]
    assert len(needs.pairs) == 4 and needs.prompt_sets == ["stories"] and needs.on_the_world
    room = studies.rooms["three_d"]
    tables = {"table1", "table7", "table8", "table9", "beta_sweep"}
    assert tables < set(room.tables) and "2 seeds" in room.lead
    assert {room.table(name) for name in tables} < set(room.section.reads)
    assert set(room.claims.reads) > {*needs.training, *room.evaluations()}


def test_reward_models_and_forms_have_runs_curves_and_tables_of_their_own() -> None:
    atlas = configured({})
    studies = Studies(atlas, rooms(atlas))
    needs, room, spec = studies.of("three_d"), studies.rooms["three_d"], atlas.three_d.experiments
    online = [run for run in needs.runs if atlas.training.variant(run.variant).online]
    assert {run.variant for run in online} == {spec.forms.ppo, *spec.forms.others.values()}
    assert len(online) == len(spec.forms.seeds or spec.seeds) * 3 and {run.start for run in online} == {"writer"}
    assert needs.learned_scorers == ["form_model"]
    assert {"table2", "rm_vs_dpo", "rm_vs_dpo_curves"} < set(room.tables)
    curves = [path for path in room.tables["rm_vs_dpo"].reads if path.startswith("results/reward_models/")]
    assert len(curves) == 2 * 2 * len(spec.reward_models.seeds) and set(curves) < set(room.claims.reads)
    assert {"figure5", "figure8", "over_optimisation"} < set(room.figures)
    assert room.table("rm_vs_dpo_curves") not in room.section.reads and room.table("table2") in room.section.reads


def test_a_table_and_figure_less_without_a_sweep() -> None:
    atlas = configured({"beta_sweep": []})
    room = rooms(atlas)["three_d"]
    assert "beta_sweep" not in room.tables and "figure4" not in room.figures and "figure6" in room.figures


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "slic"}, "slic trains by slic"),
        ({"beta_sweep": ["ipo"]}, "ipo sets no beta_rejected of flex_dpo"),
        (
            {"test_sets": [{"name": "x", "full_marks": "true_reward", "right": "stories_45"}]},
            "measures no share of answers",
        ),
        ({"test_sets": [{"name": "x", "full_marks": "gsm8k", "right": "stories_45"}]}, "measures no share of answers"),
    ],
)
def test_experiments_that_cannot_be_are_refused(changes, message) -> None:
    with pytest.raises(InputError, match=message):
        configured(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weaker": "wekaer"}, "wekaer is no generator of prompt set stories"),
        ({"samples": "ability"}, "ability answers ultrafeedback, not stories"),
        ({"chosen": True}, "pairs.scenario_2"),  # on and off need quotes in YAML
    ],
)
def test_pairs_that_are_no_scenario_are_refused(changes, message) -> None:
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["three_d"]}
    raw["pairs"]["scenario_2"] |= changes
    with pytest.raises(InputError, match=message):
        checked(raw, FILES)


def test_a_source_of_one_skill_asks_for_nothing_else() -> None:
    source = configured({}).sources["stories"].model_copy(update={"prompts": 50})
    asked = [row.text("prompt") for row in rows(source)]
    assert len(set(asked)) == 50 and {skill_of(read(each)) for each in asked} == {"arithmetic"}


def test_the_toy_and_the_theory_need_nothing_of_the_world() -> None:
    atlas = configured()
    studies = Studies(atlas, rooms(atlas))
    assert Planning(studies.all).jobs() == [] and not studies.of("three_d").runs
    targets = set(studies.targets("three_d"))
    assert targets >= {*TABLES, "results/sections/three_d.html", "results/figures/three_d/figure1.svg"}
    room = studies.rooms["three_d"]
    assert {path for step in room.figures.values() for path in step.reads} <= TABLES
    assert "36 settings, 5 seeds, 500 epochs" in room.lead


def test_the_toy_is_run_under_every_objective_and_reading() -> None:
    toy = configured().three_d.toy
    assert set(toy.objectives) == set(OBJECTIVES)
    assert toy.rejected == list(REJECTED) == list(READINGS) and list(SCENARIOS) == [1, 2, 3, 4]


def test_mistakes_are_refused() -> None:
    with pytest.raises(InputError, match="dop is no objective"):
        configured(objectives=["dpo", "dop"])
    with pytest.raises(InputError, match="seeds"):
        configured(seeds=[0])
    with pytest.raises(InputError, match="names 16 twice"):
        configured(widths=[16, 16])
    with pytest.raises(InputError, match="rejected"):
        configured(rejected=["any"])


@pytest.mark.slow
def test_all_of_it_in_miniature(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    house.turn_on("three_d")
    house.configure("three_d", "toy", {"seeds": [0, 1], "epochs": 20, "widths": [32], "objectives": ["dpo", "sft"]})
    few = {"regularised": ["flex_dpo", "slic"], "beta_sweep": ["flex_dpo_03", "flex_dpo"]}
    house.configure("three_d", "experiments", few)
    house.configure("three_d", "experiments", "reward_models", {"seeds": [0, 1]})
    house.configure("sources", "stories", {"prompts": 80})
    house.configure("training", "batch_pairs", 2)
    house.configure("training", "epochs", 4)  # enough steps to be watched at
    # A policy that solves some of the stories.
    house.configure("sources", "world_demonstrations", {"prompts": 3000, "skills": ["arithmetic"]})
    house.configure("policies", "medium", {"hidden_size": 48, "layers": 2, "heads": 4, "epochs": 3, "batch_size": 16})
    house.configure("sources", "writing", {"prompts": 60})
    house.configure("sources", "world_demonstrations_writing", {"prompts": 200})
    small = {"hidden_size": 16, "layers": 1, "heads": 2, "epochs": 1}
    house.configure("policies", "writer", small)
    house.configure("scorers", "form_model", small)
    for suite in ("stories_5", "lists_5", "verses_true", "slogans_true"):
        house.configure("evaluation", "suites", suite, {"size": 12})
    house.snakemake()
    assert house.planned() == {}
    tables = house.folder / "results/tables/three_d"
    assert len(pd.read_csv(tables / "table1.csv")) == 5 and len(pd.read_csv(tables / "table7.csv")) == 4 + 2
    assert pd.read_csv(tables / "table7.csv")["watched_change"].notna().all()
    assert set(pd.read_csv(tables / "beta_sweep.csv")["beta_rejected"]) == {0.03, 0.08, 0.1}
    found = pd.read_csv(house.folder / "results/claims/three_d.csv")
    assert {"rejected_fastest", "dispersion", "mildest", "best", "flex_dpo", "beta_peak"} < set(found["claim"])
    pairs = [pd.read_parquet(house.folder / f"results/pairs/scenario_{at}@medium.parquet") for at in (1, 2, 3, 4)]
    assert len({tuple(each["prompt_id"]) for each in pairs}) == 1
    table = pd.read_csv(house.folder / "results/tables/three_d/toy.csv")
    assert len(table) == 2 * 3 * 6 * 4
    assert read_theory(house.folder / "results/tables/three_d/theory.csv")
    assert {"rm_steadier", "dpo_overfits", "ppo_beats_dpo"} < set(found["claim"])
    table2 = pd.read_csv(tables / "table2.csv").set_index("setting")
    assert table2["kl"].notna().tolist() == [False, True, False, True, True]
    assert len(pd.read_csv(tables / "rm_vs_dpo.csv")) == 4
    page = (house.folder / "results/report.html").read_text()
    assert "The toy model, before and after DPO" in page and "Lemma 1" in page
    assert "Table 7: log-probs per token before" in page and "What training does to likelihoods" in page
    house.configure("three_d", "toy", "epochs", 30)
    planned = house.planned()
    assert "three_d_toy" in planned and not {"three_d_theory", "train", "scenario"} & set(planned)
