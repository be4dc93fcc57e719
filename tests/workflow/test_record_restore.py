"""Record and restore, by users, link types and remotes, on a workflow of a few seconds (tests/workflow/toy)."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.toy_house import OTHER, Checkout, can_switch

LINKS = ["copy", "hardlink", "symlink", "reflink"]
USERS = [None, OTHER]
ONE_QUICK = [
    pytest.param(link, user, marks=() if (link, user) == ("copy", None) else pytest.mark.slow)
    for link in LINKS
    for user in USERS
]
EVERYTHING = {"numbers", "model", "table", "claims", "metrics", "picture"}
Restored = Callable[..., Checkout]


def has_reflinks(folder: Path) -> bool:
    (folder / "probe").write_text("probe")
    command = ["cp", "--reflink=always", folder / "probe", folder / "copy"]
    return subprocess.run(command, capture_output=True).returncode == 0


def with_reflinks(folder: Path, request: pytest.FixtureRequest) -> Path:
    """The folder, or a new XFS in it if its file system has no reflinks; skips without root or mkfs.xfs."""
    if has_reflinks(folder):
        return folder
    if os.getuid() or not shutil.which("mkfs.xfs"):
        pytest.skip(f"no reflinks on the file system of {folder}: run as root after apt-get install xfsprogs")
    image, mounted = folder / "image", folder / "xfs"
    if not mounted.exists():
        with open(image, "wb") as file:
            file.truncate(512 << 20)
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
        mounted.mkdir()
        if subprocess.run(["mount", "-o", "loop", image, mounted], capture_output=True).returncode:
            mounted.rmdir()
            pytest.skip(f"no reflinks on the file system of {folder}, and no image can be mounted")
        request.addfinalizer(lambda: subprocess.run(["umount", "--lazy", mounted], check=True))
        assert has_reflinks(mounted)
    return mounted


def open_to_all(folder: Path) -> None:
    """Let an ordinary user reach pytest's folders, which only their owner can."""
    for each in [folder, *folder.parents]:
        if each.stat().st_uid == os.getuid() and each not in (Path("/"), Path("/tmp")):
            each.chmod(each.stat().st_mode | 0o755)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository whose toy was run, recorded and pushed to a folder. Shared by the session: do not change it."""
    folder = tmp_path_factory.mktemp("made")
    house = Checkout.recorded(folder)
    open_to_all(folder)
    return house


@pytest.fixture
def restored(made: Checkout, tmp_path: Path, request: pytest.FixtureRequest) -> Restored:
    """A fresh clone after the one command."""

    def clone(link: str = "", user: str | None = None, name: str = "clone", paths: tuple[str, ...] = ()) -> Checkout:
        if user and not can_switch():
            pytest.skip("only root can act as an ordinary user too")
        open_to_all(tmp_path)
        ground = with_reflinks(tmp_path, request) if link == "reflink" else tmp_path
        folder = ground / f"{name}-parent"
        folder.mkdir()
        if user:
            shutil.chown(folder, user)
        house = made.clone(folder / "house", user, link)
        house.versioning("restore", *paths)
        return house

    return clone


def changed(house: Checkout, made: Checkout) -> set[str]:
    before, after = made.results(), house.results()
    assert set(before) == set(after)
    return {path for path in before if before[path] != after[path]}


def test_every_output_of_every_job_is_stored(made: Checkout) -> None:
    plan = made.snakemake("--dry-run", "--forceall").stdout + made.snakemake("--dry-run", "--forceall").stderr
    outputs = {
        path
        for line in plan.splitlines()
        if line.strip().startswith("output: ")
        for path in line.strip().removeprefix("output: ").split(", ")
    }
    assert {"results/policies/first/model.bin", "results/data/second/numbers.txt"} < outputs and len(outputs) == 10
    listed = next(made.folder.glob(".dvc/cache/files/md5/*/*.dir"))
    stored = {f"results/{entry['relpath']}" for entry in json.loads(listed.read_text())}
    assert stored == outputs == set(made.results())


@pytest.mark.parametrize(("link", "user"), ONE_QUICK)
def test_a_restored_clone_has_nothing_to_do_and_reruns_what_changes(
    restored: Restored, made: Checkout, link: str, user: str | None
) -> None:
    house = restored(link, user)
    assert house.results() == made.results()
    assert house.planned() == {}
    house.edit("params.yaml", "second: 2", "second: 3")
    counts = {rule: 1 for rule in EVERYTHING} | {"all": 1}
    assert house.planned() == counts
    house.snakemake()
    assert changed(house, made) == {path for path in made.results() if "first" not in path and ".bin" not in path}
    assert house.planned() == {} and house.altered_in_cache() == []


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("link", LINKS)
def test_twenty_of_twenty_clones_have_nothing_to_do(restored: Restored, link: str, user: str | None) -> None:
    for attempt in range(20):
        house = restored(link, user, str(attempt))
        assert house.planned() == {} and house.altered_in_cache() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "rerun"),
    [
        ("params.yaml", "beta: 0.1", "beta: 0.3", EVERYTHING - {"numbers"}),
        ("Snakefile", "echo claim,measured;", "echo claim,measured ;", {"claims", "metrics", "picture"}),
        ("scripts/toy/table.py", ":.4f", ":.3f", {"table", "claims", "metrics", "picture"}),
        ("scripts/toy/table.py", "import argparse", "import argparse  # a remark", set()),
        ("scripts/toy/published.csv", "first,1.5", "first,1.6", {"table", "claims", "metrics", "picture"}),
    ],
    ids=["parameter", "rule", "step", "comment", "input"],
)
def test_a_change_reruns_what_it_feeds(restored: Restored, file: str, old: str, new: str, rerun: set[str]) -> None:
    house = restored("symlink")
    house.edit(file, old, new)
    assert set(house.planned()) - {"all"} == rerun
    house.snakemake()
    assert house.planned() == {} and house.altered_in_cache() == []
    house.versioning("record")
    assert house.planned() == {} and house.altered_in_cache() == []


@pytest.mark.slow
def test_an_input_that_changed_between_record_and_clone_is_seen(made: Checkout, tmp_path: Path) -> None:
    """The clone's file is older than the pulled results, so file times would hide it."""
    house = made.clone(tmp_path / "first")
    house.edit("scripts/toy/published.csv", "first,1.5", "first,1.6")
    house.commit("a changed input, not run")
    later = house.clone(tmp_path / "later")
    done = later.versioning("restore", check=False)
    assert done.returncode == 1
    assert "differs from what was recorded: scripts/toy/published.csv" in done.stdout
    assert "4 of 10 artifacts are not up to date" in done.stderr
    assert set(later.planned()) == {"table", "claims", "metrics", "picture", "all"}


def test_without_a_word_to_snakemake_pulled_results_are_refused(made: Checkout, tmp_path: Path) -> None:
    house = made.clone(tmp_path / "house")
    house.dvc("pull")
    done = house.snakemake("--dry-run", check=False)
    assert done.returncode == 1 and "python -m scripts.versioning restore" in done.stdout + done.stderr
    house.versioning("restore")
    assert house.planned() == {}


@pytest.mark.slow
def test_another_version_checked_out_by_dvc_is_refused_until_restored(restored: Restored, made: Checkout) -> None:
    house = restored()
    house.edit("params.yaml", "beta: 0.1", "beta: 0.3")
    house.snakemake()
    house.versioning("record")
    house.commit("beta 0.3")
    house("git", "checkout", "--quiet", "HEAD~1", "--", "dvc.lock", "recorded.json")
    house.dvc("checkout")  # the old results with the new configuration
    assert "scripts.versioning restore" in house.snakemake("--dry-run", check=False).stdout
    assert house.versioning("restore", check=False).returncode == 1
    assert set(house.planned()) == EVERYTHING - {"numbers"} | {"all"}


def test_a_part_is_called_a_part(restored: Restored, made: Checkout) -> None:
    house = restored(paths=("results/tables",))
    assert set(house.results()) == {"results/tables/what_matters/table1.csv"}
    house.dvc("pull", "results/tables", "provenance.json")  # after this, DVC alone would find nothing more to pull
    said = house.versioning("restore", "results/tables").stdout
    assert "1 of 10 artifacts are here" in said and "this is a part" in said and "nothing to do" not in said
    assert "4 in results/policies" in said
    assert "not here: 4 in results/policies" in house.versioning("status").stdout
    for command in ("record", "run"):
        done = house.versioning(command, check=False)
        assert done.returncode == 1 and "artifacts are not there" in done.stderr, command
    assert house.dvc("repro", check=False).returncode != 0
    assert "dvc.lock" not in house("git", "status", "--short").stdout
    house.versioning("restore")
    assert house.results() == made.results() and house.planned() == {} and house.altered_in_cache() == []


@pytest.mark.slow
def test_unrecorded_results_are_not_overwritten(restored: Restored) -> None:
    house = restored()
    house.edit("params.yaml", "beta: 0.1", "beta: 0.3")
    house.snakemake()
    mine = house.results()
    assert "changed since: 1 in results/tables" in house.versioning("status").stdout
    assert house.versioning("restore", check=False).returncode == 1
    assert house.results() == mine


@pytest.mark.slow
def test_record_refuses_what_is_not_whole(restored: Restored) -> None:
    house = restored()
    lock = (house.folder / "dvc.lock").read_bytes()

    def refuses(*words: str) -> None:
        done = house.versioning("record", check=False)
        assert done.returncode == 1 and all(word in done.stderr for word in words), done.stderr
        assert (house.folder / "dvc.lock").read_bytes() == lock

    stray = house.folder / "results/notes.txt"
    stray.write_text("mine")
    refuses("results/notes.txt", "no rule made them")
    stray.unlink()

    intermediate = house.folder / "results/data/first/numbers.txt"
    kept = intermediate.read_bytes()
    intermediate.unlink()
    assert house.planned() == {}  # Snakemake does not need it
    refuses("results/data/first/numbers.txt (rule numbers: missing)")
    intermediate.write_bytes(kept)

    house.edit("params.yaml", "first: 1", "first: 4")
    refuses("not up to date", "results/data/first/numbers.txt")
    house.edit("params.yaml", "first: 4", "first: 1")

    astray = 'rule astray:\n    output: "astray.txt"\n    shell: "echo > {output}"\n\n\n'
    house.edit("Snakefile", "rule bulk:", f"{astray}rule bulk:")
    house.edit("Snakefile", "\nrule numbers:", '        "astray.txt",\n\n\nrule numbers:')
    house.snakemake()
    refuses("astray.txt", "not under results/")


def test_record_refuses_a_half_made_artifact(restored: Restored) -> None:
    house = restored()
    code = (
        "from pathlib import Path; from snakemake.persistence.file import FilePersistence as P;"
        "P(path=Path('.snakemake').resolve())._mark_incomplete('results/claims.csv', None)"
    )
    house("python", "-c", code)
    done = house.versioning("record", check=False)
    assert done.returncode == 1 and "results/claims.csv" in done.stderr and "incomplete" in done.stderr


def test_equal_results_have_equal_provenance(made: Checkout, tmp_path: Path) -> None:
    house = made.clone(tmp_path / "house")
    house.snakemake()
    house.versioning("record")
    assert house("git", "status", "--short").stdout == ""


@pytest.mark.slow
def test_the_arguments_of_the_run_are_part_of_the_record(restored: Restored, tmp_path: Path) -> None:
    house = restored()
    data = tmp_path / "data.txt"
    data.write_text("1")
    house.snakemake("--config", f"data={data}")
    said = house.versioning("record", "--config", f"data={data}").stdout
    assert f"not versioned here: {data}" in said
    assert json.loads((house.folder / "recorded.json").read_text())["arguments"] == ["--config", f"data={data}"]
    house.dvc("remote", "add", "--force", "--default", "folder", str(tmp_path / "remote"))
    house.dvc("push")
    house.commit("with data")
    later = house.clone(tmp_path / "later")
    assert f"`snakemake -n --config data={data}` has nothing to do" in later.versioning("restore").stdout
    assert set(later.planned()) == EVERYTHING | {"all"}  # without the data, everything is different
    data.write_text("2")
    again = house.clone(tmp_path / "again")
    done = again.versioning("restore", check=False)
    assert done.returncode == 1 and f"differs from what was recorded: {data}" in done.stdout


@pytest.mark.slow
def test_another_snakemake_is_refused(restored: Restored) -> None:
    house = restored()
    house.edit("recorded.json", '"snakemake": "', '"snakemake": "8.')
    done = house.versioning("restore", check=False)
    assert done.returncode == 1 and "pip install snakemake==8." in done.stderr


@pytest.mark.slow
def test_a_user_without_a_name_can_restore(made: Checkout, tmp_path: Path) -> None:
    if not can_switch():
        pytest.skip("only root can act as another user")
    open_to_all(tmp_path)
    house = made.clone(tmp_path / "house")
    subprocess.run(["chown", "--recursive", "54321", str(tmp_path)], check=True)
    python = Checkout(house.folder)
    done = python(
        "setpriv", "--reuid=54321", "--clear-groups", "env", "-u", "USER", "-u", "LOGNAME", f"HOME={tmp_path}",
        "python", "-m", "scripts.versioning", "restore",
    )  # fmt: skip
    assert "complete" in done.stdout


@pytest.mark.slow
def test_dvc_does_what_its_users_expect(restored: Restored) -> None:
    house = restored()
    reproduced = house.dvc("repro").stdout
    assert "scripts.versioning run" in reproduced
    assert house("git", "status", "--short").stdout == ""

    house.dvc("exp", "run", "--name", "sharper", "--set-param", "training.beta=0.3")
    assert "beta: 0.3" in (house.folder / "params.yaml").read_text()
    assert house.planned() == {}
    params = json.loads(house.dvc("params", "diff", "--json").stdout)
    assert params["params.yaml"]["training.beta"] == {"old": 0.1, "new": 0.3, "diff": pytest.approx(0.2)}
    metrics = json.loads(house.dvc("metrics", "diff", "--json").stdout)
    assert set(metrics["results/metrics.json"]) == {"claims.first", "claims.second"}
    shown = house.dvc("exp", "show", "--csv").stdout
    assert "sharper" in shown and "training.beta" in shown and "claims.first" in shown
    house.dvc("plots", "show", "--out", "plots")
    page = (house.folder / "plots/index.html").read_text()
    assert "headline" in page
    shutil.rmtree(house.folder / "plots")

    house("git", "checkout", "--quiet", "--force", ".")
    house.versioning("restore")
    assert house.planned() == {}
    house.dvc("exp", "apply", "sharper")
    house.versioning("restore")
    assert house.planned() == {} and "beta: 0.3" in (house.folder / "params.yaml").read_text()
    assert house.altered_in_cache() == []


@pytest.mark.slow
def test_an_experiment_in_a_folder_of_its_own_reruns_what_it_changes(restored: Restored) -> None:
    house = restored()
    said = house.dvc("exp", "run", "--temp", "--name", "aside", "--set-param", "training.beta=0.3")
    text = said.stdout + said.stderr
    assert "targets     model" in text and "targets     numbers" not in text
    assert house("git", "status", "--short").stdout == "" and house.planned() == {}
    assert "aside" in house.dvc("exp", "show", "--csv").stdout
    assert house.altered_in_cache() == []
