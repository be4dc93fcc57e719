"""A full disk while each kind of artifact is written: reported in one sentence, nothing lost, and then completed."""

from pathlib import Path

import pytest

from scripts.evaluation.verdicts import Verdicts
from scripts.lib.errors import InputError
from scripts.training.checkpoints import Checkpoints
from tests.faults.support import contents, fill, remount, small_disk
from tests.faults.writers import ADDED, DIGEST, REPLACED
from tests.workflow.toy_house import Checkout

ROOM = [0, 20_480, 65_536]
"""Bytes left for the new artifact: none, and some."""
CARDS = {"policy": "policy.json", "classifier": "scorer.json"}


@pytest.mark.parametrize("kind", REPLACED)
def test_an_artifact_that_finds_no_room_leaves_the_old_one(tmp_path: Path, kind: str) -> None:
    write = REPLACED[kind]
    write(tmp_path / "roomy", "new")
    new = contents(tmp_path / "roomy")
    with small_disk(tmp_path / "small", "20m") as disk:
        folder = disk / "folder"
        write(folder, "old")
        old = contents(folder)
        for room in ROOM:
            ballast = fill(disk, room)
            with pytest.raises(InputError, match="the disk is full\n  remedy: free some space"):
                write(folder, "new")
            ballast.unlink()
            after = contents(folder)
            if kind in CARDS:  # the card is deleted first: no model is taken for complete
                assert CARDS[kind] not in after
                write(folder, "old")
            else:
                assert all(content in (old[name], new[name]) for name, content in after.items())
            assert set(contents(folder)) == set(old)
        write(folder, "new")
        assert contents(folder) == new


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "20m") as disk:
        folder = disk / "folder"
        ADDED["checkpoint"](folder, "old")
        for room in ROOM:
            ballast = fill(disk, room)
            with pytest.raises(InputError, match="the disk is full"):
                ADDED["checkpoint"](folder, "new")
            assert len(Checkpoints(folder, DIGEST).newest()["rows"]) == 10
            assert len(contents(folder)) == 2
            ballast.unlink()
        ADDED["checkpoint"](folder, "new")
        assert len(Checkpoints(folder, DIGEST).newest()["rows"]) == 20


def test_verdicts_that_find_no_room_are_kept_as_far_as_they_went(tmp_path: Path) -> None:
    ADDED["verdicts"](tmp_path / "roomy", "new")
    with small_disk(tmp_path / "small", "20m") as disk:
        folder = disk / "folder"
        ADDED["verdicts"](folder, "old")
        known = 10
        for room in ROOM[:2]:
            ballast = fill(disk, room)
            with pytest.raises(InputError, match="the disk is full"):
                ADDED["verdicts"](folder, "new")
            kept = Verdicts(folder, {"kind": "judge"}).read()
            assert known <= len(kept) < 300
            known = len(kept)
            ballast.unlink()
        assert known > 10
        ADDED["verdicts"](folder, "new")
        assert contents(folder) == contents(tmp_path / "roomy")


@pytest.mark.slow
def test_a_workflow_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The whole folder is on the disk: results, Snakemake's own records, its logs."""
    undisturbed = Checkout.build(tmp_path / "undisturbed/house")
    undisturbed.snakemake()
    with small_disk(tmp_path / "small", "60m") as disk:
        house = Checkout.build(disk / "house")
        failures = 0
        for room in (0, 24_576, 49_152, 81_920):
            ballast = fill(disk, room)
            done = house.snakemake(check=False)
            ballast.unlink()
            failures += done.returncode != 0
        assert failures >= 2
        house.snakemake("--unlock")
        house.snakemake()
        assert house.results() == undisturbed.results() and house.planned() == {}
        house.versioning("record")


@pytest.mark.slow
def test_a_record_on_a_full_disk_can_be_made_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "60m") as disk:
        house = Checkout.build(disk / "house")
        house.snakemake()
        before = house.results()
        failures = 0
        for room in (0, 8192, 40_960):
            ballast = fill(disk, room)
            failures += house.versioning("record", check=False).returncode != 0
            ballast.unlink()
        assert failures
        house.versioning("record")
        assert house.results() == before and house.planned() == {} and house.altered_in_cache() == []


@pytest.mark.slow
def test_a_remote_that_is_full_takes_the_rest_later(tmp_path: Path) -> None:
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    house.versioning("record")
    with small_disk(tmp_path / "small", "24k") as disk:
        house.dvc("remote", "add", "--default", "folder", str(disk / "remote"))
        house.commit("recorded")
        assert house.dvc("push", check=False).returncode != 0
        remount(disk, "size=20m")
        house.dvc("push")
        later = house.clone(tmp_path / "later")
        later.versioning("restore")
        assert later.results() == house.results() and later.planned() == {} and later.altered_in_cache() == []
