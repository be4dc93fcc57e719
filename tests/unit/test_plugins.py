"""Snakemake's plug-ins: installed, found from any folder, and not required by a clone without them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.workflow.house import ROOT
from tests.workflow.toy_house import Checkout

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
WITHOUT = """
import sys
from pathlib import Path
sys.path[:] = [each for each in sys.path if not Path(each, "snakemake_logger_plugin_prefatlas").exists()]
from snakemake import cli
cli.main(sys.argv[1:])
"""
"""`snakemake` in an environment without the plug-ins."""


def installed(folder: Path, *arguments: str) -> Path:
    """A separate installation of the plug-ins: this environment's own must stay unchanged."""
    shutil.copytree(ROOT / "plugins", folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--ignore-installed", "--prefix", folder / "there", *arguments]
    subprocess.run([*command, folder / "plugins"], check=True)
    return folder / "there"


def test_an_editable_installation_is_a_folder_of_the_path(tmp_path: Path) -> None:
    """Snakemake searches for packages in the folders of sys.path, and does not see those from import hooks."""
    [path] = installed(tmp_path, "--editable").rglob("*.pth")
    assert path.read_text().split() == [str(tmp_path / "plugins")]


def test_an_installation_by_copy_has_every_plugin(tmp_path: Path) -> None:
    wanted = {path.name for path in (ROOT / "plugins").glob("snakemake_*")}
    assert {path.name for path in installed(tmp_path).rglob("snakemake_*")} == wanted


def test_plain_snakemake_knows_them_in_any_folder(tmp_path: Path) -> None:
    executors = ["--executor", "prefatlas", "--executor", "prefatlas-kubernetes"]
    command = [SNAKEMAKE, "--logger", "prefatlas", *executors, "--version"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).returncode == 0


def test_make_installs_them_anew_when_what_they_are_made_of_changes() -> None:
    for target in (".venv/run", ".venv/test"):
        command = ["make", "--dry-run", "--what-if", "plugins/pyproject.toml", target]
        assert "--editable plugins" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


def ran(house: Checkout, *command: str | Path) -> str:
    done = subprocess.run(
        [*command, "--cores", "1", "results/claims.csv"], cwd=house.folder, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{SNAKEMAKE.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_plain_call_shows_progress(tmp_path: Path) -> None:
    said = ran(Checkout.build(tmp_path / "house"), SNAKEMAKE)
    assert "6 jobs to do" in said and "[6/6] targets     claims" in said


def test_a_clone_without_them_works_and_is_told(tmp_path: Path) -> None:
    said = ran(Checkout.build(tmp_path / "house"), sys.executable, "-c", WITHOUT)
    assert "remedy: make .venv/run" in said and "6 of 6 steps (100%) done" in said
