"""Remotes that disappear midway, restores that are killed, and caches and remotes with damaged files."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.support import flip, started, truncate
from tests.workflow.house import ROOT
from tests.workflow.test_remotes import free_port, wait_for
from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow

NEVER = 10**9


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The toy workflow, run and recorded, with a folder as its remote. Shared by the module: do not change it."""
    return Checkout.recorded(tmp_path_factory.mktemp("recorded"))


def remote_of(house: Checkout) -> Path:
    return house.folder.parent / "remote"


def objects(folder: Path) -> list[Path]:
    """The files of a cache or remote, the largest first, without folder listings."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".dir"]
    return sorted(found, key=lambda path: -path.stat().st_size)


def equal(house: Checkout, recorded: Checkout) -> bool:
    return house.results() == recorded.results() and house.planned() == {} and house.altered_in_cache() == []


@contextmanager
def serving(folder: Path, port: int, answers: int) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "tests.faults.http_store", str(folder), str(port), str(answers)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_remote_that_dies_in_a_push_or_a_pull_gives_all_when_it_is_back(recorded: Checkout, tmp_path: Path) -> None:
    house, store, port = recorded.clone(tmp_path / "house"), tmp_path / "store", free_port()
    house.versioning("restore")
    store.mkdir()
    house.dvc("remote", "add", "--default", "http", f"http://127.0.0.1:{port}")
    house.dvc("remote", "modify", "http", "method", "PUT")
    house.commit("an HTTP remote")
    with serving(store, port, 14) as server:
        assert house.dvc("push", check=False).returncode != 0
        assert server.wait(10), "it never died"
    assert 0 < len(objects(store)) < len(recorded.results()) + 1
    with serving(store, port, NEVER):
        house.dvc("push")
    later = house.clone(tmp_path / "later")
    for answers in (1, 4, 7):
        with serving(store, port, answers) as server:
            done = later.versioning("restore", check=False)
            assert done.returncode == 1 and "dvc pull: ended with status" in done.stderr
            assert server.wait(10), "it never died"
        assert all(content == recorded.results()[name] for name, content in later.results().items())
    with serving(store, port, NEVER):
        later.versioning("restore")
    assert equal(later, recorded)


def test_a_restore_that_is_killed_can_be_called_again(recorded: Checkout, tmp_path: Path) -> None:
    house = recorded.clone(tmp_path / "clone")
    kills = 0
    for seconds in (0.5, 1, 1.5, 2, 3, 4):
        process = started(["python", "-m", "scripts.versioning", "restore"], house.folder, PYTHONPATH="")
        time.sleep(seconds)
        kills += process.poll() is None
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.wait()
        assert all(content == recorded.results()[name] for name, content in house.results().items())
    assert kills >= 3
    house.versioning("restore")
    assert equal(house, recorded)


@pytest.mark.parametrize("damage", [flip, truncate])
def test_a_damaged_file_of_the_cache_is_not_restored(recorded: Checkout, tmp_path: Path, damage) -> None:
    house = recorded.clone(tmp_path / "clone")
    house.versioning("restore")
    cache = house.folder / ".dvc/cache/files/md5"
    listing = next(cache.rglob("*.dir"))
    for path in (*objects(cache)[:3], listing):
        path.chmod(0o644)
        damage(path)
        path.chmod(0o444)
    shutil.rmtree(house.folder / "results")
    (house.folder / "provenance.json").unlink()
    house.versioning("restore")
    assert equal(house, recorded)


@pytest.mark.parametrize("damage", [flip, truncate])
def test_a_damaged_file_of_the_remote_is_named_and_not_restored(recorded: Checkout, tmp_path: Path, damage) -> None:
    remote = tmp_path / "remote"
    shutil.copytree(remote_of(recorded), remote)
    bad = next(path for path in objects(remote) if path.read_bytes().startswith(b"claim,"))
    whole = bad.read_bytes()
    bad.chmod(0o644)
    damage(bad)
    house = recorded.clone(tmp_path / "clone")
    house.dvc("remote", "add", "--local", "--default", "mine", str(remote))
    done = house.versioning("restore", check=False)
    assert done.returncode == 1
    assert f"results/claims.csv (files/md5/{bad.parent.name}/{bad.name}): no undamaged copy" in done.stderr
    assert "results/claims.csv" not in house.results() and house.altered_in_cache() == []
    bad.write_bytes(whole)
    house.versioning("restore")
    assert equal(house, recorded)


def test_a_damaged_result_is_named_by_restore(recorded: Checkout, tmp_path: Path) -> None:
    house = recorded.clone(tmp_path / "clone")
    house.versioning("restore")
    flip(house.folder / "results/claims.csv")
    done = house.versioning("restore", check=False)
    said = done.stdout + done.stderr
    assert (done.returncode == 0 and "damaged" in said) or "results/claims.csv" in said
    (house.folder / "results/claims.csv").unlink(missing_ok=True)
    house.versioning("restore")
    assert equal(house, recorded)
