"""The room: what it measures, what it refuses, and its tables on the didactic world in miniature."""

import copy
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.errors import InputError
from scripts.report.page import suites
from scripts.workflow.configuration import checked, defaults, rooms
from scripts.workflow.needs import Studies
from scripts.workflow.planning import Planning
from tests.configurations import merged
from tests.workflow.house import House

FILES = defaults(Path(), {"studies": ["alignment_stages"]})[::-1]


def configured(**changes):
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["alignment_stages"]}
    raw["alignment_stages"] |= changes.pop("alignment_stages", {})
    for section, entries in changes.items():
        for name, entry in entries.items():
            raw[section][name] |= entry
    return checked(raw, FILES)


def test_every_policy_is_measured_by_the_boundary() -> None:
    room = rooms(configured())["alignment_stages"]
    assert room.measured == [(policy, "stage") for policy in ("weak", "medium", "strong")]
    assert room.tables["boundary"].reads == [f"results/evaluations/{policy}/stage.json" for policy, _ in room.measured]
    assert "weak, medium, strong against stages_off_policy, compared by pair_ranker" in room.lead


def test_the_plan_counts_its_samples_and_the_page_says_how_it_is_measured() -> None:
    atlas = configured()
    studies = Studies(atlas, rooms(atlas))
    jobs = Planning(studies.all).jobs()
    assert [job["out"] for job in jobs if job["kind"] == "sample"] == [
        f"results/samples/{policy}/ultrafeedback.stages_own@{policy}.parquet" for policy in ("weak", "medium", "strong")
    ]
    assert studies.boundaries == rooms(atlas)["alignment_stages"].evaluations()
    (row,) = suites(atlas, ["stage"])
    assert (row["metric"], row["asked by"], row["task"]) == (
        "boundary_score",
        "ranker pair_ranker",
        "stages_off_policy",
    )


def test_a_suite_that_cannot_tell_is_refused() -> None:
    with pytest.raises(InputError, match="gsm8k is a suite of kind harness"):
        configured(alignment_stages={"boundary": "gsm8k"})
    with pytest.raises(InputError, match="stages_own, are those of weak alone"):
        configured(samples={"stages_own": {"policy": "weak"}})
    with pytest.raises(InputError, match="answers open_assistant, the pairs are of ultrafeedback"):
        configured(samples={"stages_own": {"prompt_set": "open_assistant"}})
    with pytest.raises(InputError, match="compares two samples a prompt, stages_own has one"):
        configured(samples={"stages_own": {"samples": 1}})
    with pytest.raises(InputError, match="stages_off_policy is sampled from every start"):
        configured(pairs={"stages_off_policy": {"prompt_set": None, "samples": "stages_own"}})


@pytest.mark.slow
def test_tables_and_section_in_miniature(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    house.turn_on("alignment_stages")
    house.configure("samples", {"stages_own": {"max_new_tokens": 8}})
    house.snakemake("--", "alignment_stages", "boundary")
    assert house.planned("--", "alignment_stages", "boundary") == {}
    table = pd.read_csv(house.folder / "results/tables/alignment_stages/boundary.csv")
    assert table["policy"].tolist() == ["weak", "medium", "strong"]
    assert ((table["v_on"] + table["v_off"]) == 4 * table["n_prompts"]).all() and (table["n_prompts"] > 20).all()
    both = pd.read_csv(house.folder / "results/boundary.csv")
    pd.testing.assert_frame_equal(table, both)
    assert (house.folder / "results/tables/alignment_stages/theory.csv").exists()
    assert "stages_off_policy" in (house.folder / "results/sections/alignment_stages.html").read_text()
