"""Promise P5: a checkpoint is never incomplete, and never another run's."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from scripts.training.checkpoints import Checkpoints

DIGEST, OTHER = "a" * 64, "b" * 64


def state(step: int) -> dict:
    return {"weights": {"w": torch.full((100,), float(step))}, "rows": [{"step": at} for at in range(step)], "no": None}


def saved(folder: Path, *steps: int, digest: str = DIGEST) -> Checkpoints:
    checkpoints = Checkpoints(folder, digest)
    for step in steps:
        checkpoints.save(step, state(step))
    return checkpoints


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"*{suffix}"))


def test_what_is_saved_comes_back(tmp_path) -> None:
    back = saved(tmp_path, 10).newest()
    assert torch.equal(back["weights"]["w"], state(10)["weights"]["w"])
    assert back["rows"] == state(10)["rows"]


def test_the_newest_two_stay(tmp_path) -> None:
    checkpoints = saved(tmp_path, 10, 20, 30)
    assert len(checkpoints.newest()["rows"]) == 30
    assert len(files(tmp_path, "")) == 4


def test_no_folder_is_no_checkpoint(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path / "none", DIGEST)
    assert checkpoints.newest() is None
    checkpoints.delete()


def truncate(folder: Path) -> None:
    newest = files(folder, ".pt")[-1]
    os.truncate(newest, newest.stat().st_size // 2)


def flip_a_bit(folder: Path) -> None:
    newest = files(folder, ".pt")[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)


def lose_the_state(folder: Path) -> None:
    files(folder, ".pt")[-1].unlink()


def break_the_card(folder: Path) -> None:
    files(folder, ".json")[-1].write_text("{")


def empty_the_card(folder: Path) -> None:
    files(folder, ".json")[-1].write_text("[]")


DAMAGES = [truncate, flip_a_bit, lose_the_state, break_the_card, empty_the_card]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_broken_checkpoint_gives_way_to_the_one_before(tmp_path, caplog, damage) -> None:
    checkpoints = saved(tmp_path, 10, 20)
    damage(tmp_path)
    assert len(checkpoints.newest()["rows"]) == 10
    assert "00000020" in caplog.text and "deleted" in caplog.text
    damage(tmp_path)
    assert checkpoints.newest() is None


def test_a_write_that_was_killed_is_no_checkpoint(tmp_path) -> None:
    checkpoints = saved(tmp_path, 10)
    orphan = files(tmp_path, ".pt")[0]
    orphan.with_name(orphan.name.replace("00000010", "00000020")).write_bytes(orphan.read_bytes())
    assert len(checkpoints.newest()["rows"]) == 10


def test_another_runs_checkpoint_is_left_alone(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    saved(tmp_path, 30, digest=OTHER)
    checkpoints = Checkpoints(tmp_path, DIGEST)
    assert checkpoints.newest() is None
    assert "another run" in caplog.text
    checkpoints.save(10, state(10))
    assert len(checkpoints.newest()["rows"]) == 10
    assert len(Checkpoints(tmp_path, OTHER).newest()["rows"]) == 30


def test_no_code_is_run_on_reading(tmp_path) -> None:
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    checkpoints = Checkpoints(tmp_path, DIGEST)
    checkpoints.save(10, {"trap": Trap()})
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.newest()
    assert not (tmp_path / "sprung").exists()


def test_delete_takes_its_own_files_and_nothing_else(tmp_path) -> None:
    checkpoints = saved(tmp_path / "run", 10, 20)
    saved(tmp_path / "run", 10, digest=OTHER)
    half_written = tmp_path / "run" / f".{DIGEST[:16]}-00000030.pt.123.tmp"
    half_written.write_bytes(b"half")
    mine = tmp_path / "run" / "notes.json"
    mine.write_text(json.dumps("mine"))
    checkpoints.delete()
    assert list((tmp_path / "run").iterdir()) == [mine]
    mine.unlink()
    checkpoints.delete()
    assert not (tmp_path / "run").exists()
