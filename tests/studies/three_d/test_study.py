"""The room: what it makes without a policy of the world, what it refuses, and all of it in miniature."""

import copy
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.errors import InputError
from scripts.lib.objectives import OBJECTIVES
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


def configured(**toy):
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["three_d"]}
    raw["three_d"]["toy"] |= toy
    return checked(raw, FILES)


def test_it_needs_nothing_of_the_world() -> None:
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
    house.snakemake()
    assert house.planned() == {}
    table = pd.read_csv(house.folder / "results/tables/three_d/toy.csv")
    assert len(table) == 2 * 3 * 6 * 4
    assert read_theory(house.folder / "results/tables/three_d/theory.csv")
    page = (house.folder / "results/report.html").read_text()
    assert "The toy model, before and after DPO" in page and "Lemma 1" in page
    house.configure("three_d", "toy", "epochs", 30)
    planned = house.planned()
    assert "three_d_toy" in planned and "three_d_theory" not in planned
