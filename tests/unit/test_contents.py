"""Digests of local files: by content alone, kept between calls, and read again only when a file has changed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.workflow import contents
from scripts.workflow.contents import MEMORY, Contents

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set/more").mkdir(parents=True)
    (tmp_path / "set/a.jsonl").write_text("first")
    (tmp_path / "set/more/b.jsonl").write_text("second")
    return tmp_path


def digest(root: Path, *paths: str | None) -> str:
    return Contents(root).at(*paths)


def test_a_digest_is_of_contents_alone(folder: Path) -> None:
    before = digest(folder, "set")
    os.utime("set/a.jsonl", (1, 1))
    assert digest(folder, "set") == digest(folder, f"{folder}/set/../set") == before
    shutil.copytree("set", "clone")
    assert digest(folder, "clone") == before
    (folder / "clone/a.jsonl").write_text("third")
    assert digest(folder, "clone") != before
    assert digest(folder, "set/a.jsonl") != digest(folder, "set/more/b.jsonl")
    assert digest(folder, "set/a.jsonl", "set/more/b.jsonl") == before


def test_what_is_not_there_has_none(folder: Path) -> None:
    os.symlink("nowhere", "set/more/broken.jsonl")
    os.mkdir("empty")
    assert digest(folder, None) == digest(folder, "owner/name") == digest(folder, "empty") == digest(folder) == ""
    assert digest(folder, "set/more") == digest(folder, "set/more/b.jsonl", None)


@pytest.mark.parametrize("how", ["mv", "cp -p", "same time and size"])
def test_an_older_file_in_place_of_another_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(contents, "SETTLED", -1.0)  # as if the files had long been there
    before, seen = digest(folder, "set"), os.stat("set/a.jsonl").st_mtime_ns
    (folder / "old").write_text("other")
    when = seen if how == "same time and size" else 1_000_000_000
    os.utime("old", ns=(when, when))
    if how == "mv":
        os.replace("old", "set/a.jsonl")
    else:
        shutil.copy2("old", "set/a.jsonl")
    assert digest(folder, "set") != before
    assert os.stat("set/a.jsonl").st_mtime_ns <= seen


def test_a_file_is_read_once_and_again_when_it_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SETTLED", -1.0)
    read: list[str] = []
    real = contents.hashlib.file_digest
    monkeypatch.setattr(contents.hashlib, "file_digest", lambda file, name: read.append(file.name) or real(file, name))
    before = digest(folder, "set")
    assert len(read) == 2 and (folder / MEMORY).exists()
    assert digest(folder, "set") == before and len(read) == 2
    os.utime("set/a.jsonl", (5, 5))
    assert digest(folder, "set") == before and len(read) == 3


def test_a_digest_is_kept_only_once_a_file_has_settled(folder: Path) -> None:
    digest(folder, "set")
    assert not (folder / MEMORY).exists()


@pytest.mark.parametrize("damage", ["", "{"])
def test_without_its_memory_files_are_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr(contents, "SETTLED", -1.0)
    before = digest(folder, "set")
    (folder / MEMORY).write_text(damage)
    assert digest(folder, "set") == before


SNAKEFILE = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from scripts.workflow.contents import Contents
from scripts.workflow.files import local_files
contents = Contents(Path.cwd())
rule all:
    input: "out/a", "out/b"
rule read:
    input: lambda w: local_files(f"{{w.n}}.jsonl")
    output: "out/{{n}}"
    params: contents=lambda w: contents.at(f"{{w.n}}.jsonl")
    shell: "cat {{input}} > {{output}}; echo {{wildcards.n}} >> ran"
"""


@pytest.mark.slow
def test_snakemake_reruns_what_reads_a_replaced_file_and_nothing_for_a_touch(folder: Path) -> None:
    (folder / "Snakefile").write_text(SNAKEFILE.format(root=str(ROOT)))
    (folder / "old").write_text("old")
    os.utime("old", (1_000_000_000, 1_000_000_000))
    for name in "ab":
        (folder / f"{name}.jsonl").write_text("new")

    def ran() -> list[str]:
        (folder / "ran").write_text("")
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "--max-checksum-file-size", "1000000"]
        subprocess.run([*command, "--rerun-triggers", "mtime", "params", "input"], check=True, capture_output=True)
        return sorted((folder / "ran").read_text().split())

    assert ran() == ["a", "b"] and ran() == []
    os.utime("a.jsonl")
    assert ran() == []
    os.replace("old", "b.jsonl")
    assert ran() == ["b"] and (folder / "out/b").read_text() == "old"
    shutil.copy2("b.jsonl", "a.jsonl")
    assert ran() == ["a"] and ran() == []


LOCAL = re.compile(r"local_files\(|judging_files\(|files\.ranker\(|ranking_model\(|comparing_model\(")
RULES = [
    rule
    for file in sorted(ROOT.glob("rules/*.smk"))
    for rule in re.split(r"^ *rule\b", file.read_text(), flags=re.MULTILINE)[1:]
    if LOCAL.search(rule)
]


def test_every_rule_that_reads_local_files_runs_again_for_other_contents() -> None:
    assert len(RULES) >= 12
    assert [rule.split(":")[0] for rule in RULES if "contents.at(" not in rule] == []
