"""Clocks that jump and wrong file times: only contents decide what runs."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow

EVERYTHING = {"numbers", "model", "table", "claims", "metrics", "picture", "all"}
DAY = 86_400


def made_under_a_clock(house: Checkout, ahead: float) -> None:
    """Give every file the time that it would have if the clock had been ahead; Snakemake's records too."""
    for path in house.folder.rglob("*"):
        when = path.lstat().st_mtime + ahead
        os.utime(path, (when, when), follow_symlinks=False)


@pytest.mark.parametrize("ahead", [3 * DAY, -3 * DAY], ids=["back", "forward"])
def test_a_clock_that_jumps_reruns_nothing_and_hides_nothing(tmp_path: Path, ahead: float) -> None:
    house, undisturbed = (Checkout.build(tmp_path / name / "house") for name in ("house", "undisturbed"))
    house.snakemake("--until", "model")
    made_under_a_clock(house, ahead)
    house.snakemake()
    house.versioning("record")
    undisturbed.snakemake()
    assert house.results() == undisturbed.results() and house.planned() == {}
    made_under_a_clock(house, ahead)
    house.edit("params.yaml", "second: 2", "second: 3")
    house.snakemake()
    undisturbed.edit("params.yaml", "second: 2", "second: 3")
    undisturbed.snakemake()
    assert house.results() == undisturbed.results() and house.planned() == {} and house.altered_in_cache() == []


def test_file_times_of_the_past_and_future_rerun_nothing_and_hide_nothing(tmp_path: Path) -> None:
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    draw = random.Random(0)
    for _ in range(3):
        for path in (house.folder / "results").rglob("*"):
            when = time.time() + draw.uniform(-1e8, 1e8)
            os.utime(path, (when, when))
        assert house.planned() == {}
    house.edit("scripts/toy/published.csv", "first,1.5", "first,1.6")
    os.utime(house.folder / "scripts/toy/published.csv", (2e9, 2e9))
    assert set(house.planned()) == EVERYTHING - {"numbers", "model"}
