"""A path means the same to the reader, to Snakemake's inputs and to record, however it is spelt."""

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.sources.load import load
from scripts.sources.rows import files_of
from scripts.versioning.commands import _unversioned
from scripts.workflow.files import each_below_its_own, local_files
from tests.sources_data import lines, spec_of

ROOT = Path(__file__).resolve().parents[2]
ROW = {"prompt": "Q", "response": "A", "generator": "g"}
ODD = [
    "a b",
    "it's",
    'a "b"',
    "$HOME",
    "{}",
    "a;b&c",
    "x[1]",
    "wh?t*",
    "ünï",
    unicodedata.normalize("NFD", "ünï"),
    "100%",
    "#1",
]


def watched(path: str) -> list[str]:
    return [os.path.realpath(file) for file in local_files(path)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory and HOME: data/d.jsonl, and a link to the folder."""
    (tmp_path / "data").mkdir()
    lines(tmp_path / "data/d.jsonl", [ROW])
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "short").symlink_to("far/away")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("spelt", "as_input"),
    [
        ("data/d.jsonl", "data/d.jsonl"),
        ("./data/d.jsonl", "data/d.jsonl"),
        ("data//d.jsonl", "data/d.jsonl"),
        ("data/../data/d.jsonl", "data/d.jsonl"),
        ("~/data/d.jsonl", "data/d.jsonl"),
        ("{home}/data/./d.jsonl", "data/d.jsonl"),
        ("link/d.jsonl", "link/d.jsonl"),
        ("short/../../data/d.jsonl", "data/d.jsonl"),  # after a link, .. is the target's parent
        ("~/data", "data/d.jsonl"),
        ("link", "link/d.jsonl"),
    ],
)
def test_every_spelling_of_a_path_is_read_and_watched_as_one_file(home: Path, spelt: str, as_input: str) -> None:
    spec = spec_of("responses", spelt.replace("{home}", str(home)))
    assert [os.path.realpath(file) for file in files_of(spec)] == [str(home / "data/d.jsonl")]
    assert local_files(spec.path) == [as_input]
    assert load("src", spec)[1]["responses"] == 1


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_read_and_watched(home: Path, name: str) -> None:
    path = lines(home / f"{name}.jsonl", [ROW])
    assert load("src", spec_of("responses", path))[1]["responses"] == 1
    assert local_files(str(path)) == [path.name]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12), st.booleans())
def test_any_name_is_read_and_watched_alike_or_refused(tmp_path: Path, name: str, in_folder: bool) -> None:
    folder = tmp_path / "names"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        path = folder / f"x{name}" / "train.jsonl" if in_folder else folder / f"x{name}.jsonl"
        path.parent.mkdir(parents=True)
        lines(path, [ROW])
    except OSError:  # too long in bytes
        return
    spec = spec_of("responses", path.parent if in_folder else path)
    try:
        read = [os.path.realpath(file) for file in files_of(spec)]
        assert load("src", spec)[1]["responses"] == 1
        assert watched(spec.path) == read == [os.path.realpath(path)]
    except InputError as error:
        assert any(mark in path.as_posix() for mark in ("::", "\n", "{", "*", "?", "[")), error


def test_what_a_folder_is_read_from_is_watched_also_behind_links(home: Path) -> None:
    (home / "set").mkdir()
    (home / "set/train.jsonl").symlink_to("../data/d.jsonl")
    (home / "set/more").symlink_to("../far")
    (home / "set/round").symlink_to(".")
    (home / "set/.cache").mkdir()
    lines(home / "set/.cache/old.jsonl", [ROW])
    lines(home / "far/away/train-1.jsonl", [ROW])
    read = {os.path.realpath(file) for file in files_of(spec_of("responses", home / "set"))}
    assert read <= set(watched("set")) == {str(home / "data/d.jsonl"), str(home / "far/away/train-1.jsonl")}


def test_what_is_not_there_is_no_input_and_braces_are_refused(home: Path) -> None:
    assert local_files(None) == local_files("owner/name") == local_files("none.jsonl") == []
    for name in ("{source}.jsonl", "a{0}.jsonl"):
        lines(home / name, [ROW])
    with pytest.raises(InputError, match=r"wildcard\n  remedy: rename it"):
        local_files("{source}.jsonl")
    with pytest.raises(InputError, match="wildcard"):
        local_files(".")


def test_record_knows_a_versioned_file_by_any_path_and_no_link_for_its_target(home: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=home, check=True, capture_output=True)

    (home / "repo/ünï code").mkdir(parents=True)
    tracked = lines(home / "repo/ünï code/in.jsonl", [ROW])
    (home / "repo/out.jsonl").symlink_to(home / "data/d.jsonl")
    git("init", "--quiet", "repo")
    git("-C", "repo", "add", "--all")
    known = ["ünï code/in.jsonl", str(tracked), "ünï code/../ünï code/in.jsonl", "./ünï code/in.jsonl"]
    unknown = ["out.jsonl", str(home / "data/d.jsonl"), "new.jsonl"]
    assert _unversioned(home / "repo", [*known, *unknown]) == sorted(unknown)


SNAKEFILE = """
import sys
sys.path.insert(0, {root!r})
from scripts.workflow.files import each_below_its_own, local_files
PATHS = {paths!r}
rule all:
    input: expand("out/{{n}}", n=range(len(PATHS)))
rule read:
    input: lambda w: local_files(PATHS[int(w.n)])
    output: "out/{{n}}"
    params: path=lambda w: PATHS[int(w.n)]
    shell: "cat {{params.path:q}} > {{output}}"
"""


@pytest.mark.slow
def test_snakemake_sees_an_edit_behind_every_spelling(home: Path) -> None:
    odd = [str(lines(home / f"{name}.jsonl", [ROW])) for name in ODD]
    paths = [
        spec_of("responses", each).path
        for each in ("~/data/d.jsonl", "./link/d.jsonl", "short/../../data/d.jsonl", *odd)
    ]
    (home / "Snakefile").write_text(SNAKEFILE.format(root=str(ROOT), paths=paths))
    for text in ("first", "second"):
        for path in [home / "data/d.jsonl", *map(Path, odd)]:
            path.write_text(text)
        subprocess.run([sys.executable, "-m", "snakemake", "--cores", "1", "--quiet"], check=True, capture_output=True)
        assert [(home / f"out/{at}").read_text() for at in range(len(paths))] == [text] * len(paths)


def test_names_below_their_own_folders_alone():
    pattern = re.compile(
        rf"results/(?P<folder>[^/]+)/(?P<name>{each_below_its_own({'one': ['a', 'ab'], 'two': ['b']})})\.csv"
    )
    found = {
        f"{folder}/{name}": bool(pattern.fullmatch(f"results/{folder}/{name}.csv"))
        for folder in ("one", "two", "a")
        for name in ("a", "ab", "b", "")
    }
    assert {path for path, matched in found.items() if matched} == {"one/a", "one/ab", "two/b"}
    assert not re.fullmatch(each_below_its_own({}), "")
