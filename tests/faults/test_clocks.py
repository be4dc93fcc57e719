"""Clocks and file times that are wrong: what runs is decided by contents, and by nothing else."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow

EVERYTHING = {"numbers", "model", "table", "claims", "metrics", "picture", "all"}


def under(house: Checkout, clock: str, *command: str) -> str:
    """A command under another clock; what it says."""
    if not shutil.which("faketime"):
        pytest.skip("no faketime: apt-get install faketime")
    done = house("faketime", "-f", clock, *command)
    return done.stdout + done.stderr


def test_a_clock_that_jumps_back_reruns_nothing_and_hides_nothing(tmp_path: Path) -> None:
    undisturbed, house = (Checkout.build(tmp_path / name / "house") for name in ("undisturbed", "house"))
    undisturbed.snakemake()
    command = ("python", "-m", "snakemake", "--cores", "2")
    under(house, "+3d", *command, "--until", "model")
    house.snakemake()  # three days earlier
    assert house.results() == undisturbed.results() and house.planned() == {}
    house.edit("params.yaml", "second: 2", "second: 3")
    assert set(house.planned()) == EVERYTHING
    under(house, "-30d", *command)
    assert house.planned() == {}
    undisturbed.edit("params.yaml", "second: 2", "second: 3")
    undisturbed.snakemake()
    assert house.results() == undisturbed.results()
    house.versioning("record")
    assert house.planned() == {} and house.altered_in_cache() == []


def test_file_times_of_the_past_and_future_rerun_nothing_and_hide_nothing(tmp_path: Path) -> None:
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    before, draw = house.results(), random.Random(0)
    for _ in range(3):
        for path in (house.folder / "results").rglob("*"):
            when = time.time() + draw.uniform(-1e8, 1e8)
            os.utime(path, (when, when))
        assert house.planned() == {}
    published = house.folder / "scripts/toy/published.csv"
    os.utime(published, (2e9, 2e9))
    assert house.planned() == {}
    house.snakemake()
    assert house.results() == before
    house.edit("scripts/toy/published.csv", "first,1.5", "first,1.6")
    os.utime(published, (2e9, 2e9))
    assert set(house.planned()) == EVERYTHING - {"numbers", "model"}


def test_a_restore_under_a_clock_of_the_past_has_nothing_to_do(tmp_path: Path) -> None:
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    house.versioning("record")
    house.dvc("remote", "add", "--default", "folder", str(tmp_path / "remote"))
    house.dvc("push")
    house.commit("recorded")
    for name, clock in (("past", "-300d"), ("future", "+300d")):
        later = house.clone(tmp_path / name)
        said = under(later, clock, "python", "-m", "scripts.versioning", "restore")
        assert "has nothing to do" in said
        assert later.results() == house.results() and later.planned() == {} and later.altered_in_cache() == []
        later.edit("params.yaml", "second: 2", "second: 3")
        assert set(later.planned()) == EVERYTHING
