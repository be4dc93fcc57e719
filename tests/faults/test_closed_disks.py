"""Read-only results: reported in one sentence, left unchanged, and continued once writable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.errors import InputError
from tests.faults.support import contents, remount, small_disk
from tests.faults.writers import ADDED, REPLACED
from tests.workflow.house import ROOT
from tests.workflow.test_record_restore import open_to_all
from tests.workflow.toy_house import OTHER, Checkout, acting_as, can_switch

WRITE = """
import sys
from pathlib import Path
from scripts.lib import cli
from tests.faults.writers import ADDED, REPLACED
cli.run(lambda: (REPLACED | ADDED)[sys.argv[1]](Path(sys.argv[2]), "new"))
"""


@pytest.mark.parametrize("kind", [*REPLACED, *ADDED])
def test_a_file_system_that_is_read_only_is_told(tmp_path: Path, kind: str) -> None:
    write = (REPLACED | ADDED)[kind]
    with small_disk(tmp_path / "disk", "20m") as disk:
        write(disk / "folder", "old")
        before = contents(disk)
        remount(disk, "ro")
        with pytest.raises(InputError, match=r"may not be written .*\n  remedy: let its folder be written"):
            write(disk / "folder", "new")
        assert contents(disk) == before
        remount(disk, "rw")
        write(disk / "folder", "new")
        assert contents(disk) != before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "policy", "verdicts"])
def test_a_folder_of_another_user_is_told_by_the_step(tmp_path: Path, kind: str) -> None:
    if not can_switch():
        pytest.skip("only root can act as an ordinary user too")
    (REPLACED | ADDED)[kind](tmp_path / "folder", "old")
    before = contents(tmp_path)
    open_to_all(tmp_path)
    command = [*acting_as(OTHER), sys.executable, "-B", "-c", WRITE, kind, str(tmp_path / "folder")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "HOME": "/tmp"})
    assert done.returncode == 1 and "may not be written (Permission denied)\n  remedy: " in done.stderr
    assert "Traceback" not in done.stderr and contents(tmp_path) == before


@pytest.mark.slow
def test_a_workflow_with_read_only_results_goes_on_when_they_are_writable(tmp_path: Path) -> None:
    if not can_switch():
        pytest.skip("only root can act as an ordinary user too")
    open_to_all(tmp_path)
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    before = house.results()
    subprocess.run(["chown", "--recursive", OTHER, tmp_path], check=True)
    mine = Checkout(house.folder, OTHER)
    mine.edit("params.yaml", "beta: 0.1", "beta: 0.3")
    subprocess.run(["chmod", "--recursive", "a-w", house.folder / "results"], check=True)
    done = mine.snakemake(check=False)
    assert done.returncode == 1 and "write-protected" in (done.stdout + done.stderr).lower()
    assert mine.results() == before
    subprocess.run(["chmod", "--recursive", "u+w", house.folder / "results"], check=True)
    mine.snakemake()
    fresh = Checkout.build(tmp_path / "fresh")
    fresh.edit("params.yaml", "beta: 0.1", "beta: 0.3")
    fresh.snakemake()
    assert mine.results() == fresh.results() and mine.planned() == {}
