"""SIGKILL at every file operation of a step and at random moments in between: the next call gives the same bytes."""

import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from scripts.lib import pieces
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.errors import InputError
from scripts.lib.models import check_files, read_policy
from scripts.lib.schemas import RESPONSES, SAMPLES, TRAINING
from scripts.lib.tables import read_table
from scripts.samples import sample
from scripts.training import train
from tests.faults.support import contents, killed_after, killed_at
from tests.faults.writers import ADDED, REPLACED
from tests.pairs_data import Data, spec_of

Work = Callable[[], None]


def temporary(name: str) -> bool:
    return any(part.startswith(".") and part.endswith(".tmp") for part in Path(name).parts)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """For equal bytes; and because a forked process lacks the threads that PyTorch had started, and waits for them."""
    torch.set_num_threads(1)
    monkeypatch.setenv("HF_DEACTIVATE_ASYNC_LOAD", "1")


@pytest.mark.parametrize("kind", [*REPLACED, *ADDED])
def test_a_writer_killed_at_every_operation_leaves_whole_files_alone(tmp_path: Path, kind: str) -> None:
    write = (REPLACED | ADDED)[kind]
    write(tmp_path / "old", "old")
    for folder in (tmp_path / "new", tmp_path / "killed"):
        write(folder, "old")
    operations = killed_at(lambda: write(tmp_path / "new", "new"), tmp_path / "new", None)
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    assert operations >= 2
    for operation in range(operations):
        assert killed_at(lambda: write(tmp_path / "killed", "new"), tmp_path / "killed", operation) is None
        for name, content in contents(tmp_path / "killed").items():
            # Only verdicts grow in place, line by line; a checkpoint without its card does not count.
            assert temporary(name) or content in (old.get(name), new.get(name)) or kind == "verdicts"
        write(tmp_path / "killed", "new")
        assert contents(tmp_path / "killed") == new
        write(tmp_path / "killed", "old")


@pytest.fixture
def training(tmp_path: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Work]:
    """A run of 15 steps with a checkpoint every second step, into a folder."""
    data = Data(tmp_path, tiny_policy)
    data.write()

    def into(folder: Path) -> Work:
        arguments = data.arguments("run", spec_of(epochs=5, checkpoint_every=2))
        for flag, name in (("--log", "run.parquet"), ("--out", "run"), ("--checkpoints", "checkpoints")):
            arguments[arguments.index(flag) + 1] = str(folder / name)

        def work() -> None:
            sys.argv = ["train", *arguments]
            train.main()

        return work

    monkeypatch.setattr(sys, "argv", [])
    return into


def nothing_half(folder: Path) -> None:
    """Files under their final names are complete."""
    for table, schema in (("run.parquet", TRAINING), ("samples.parquet", SAMPLES), ("responses.parquet", RESPONSES)):
        if (folder / table).exists():
            read_table(folder / table, schema)
    if (folder / "run/policy.json").exists():
        for weights in (True, False):
            check_files(read_policy(folder / "run/policy.json"), weights)


def snakemake_clears(folder: Path) -> None:
    """Delete the declared outputs, and nothing else, as Snakemake does before a job runs again."""
    for path in [folder / "run.parquet", *folder.glob("run/*"), *folder.glob("*s.parquet")]:
        if path.is_file() and not path.name.startswith("."):
            path.unlink()


@pytest.mark.slow
def test_a_training_job_killed_at_any_file_operation_goes_on_to_the_same_bytes(tmp_path, training) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    operations = killed_at(training(undisturbed), undisturbed, None)
    assert operations > 60  # seven checkpoints, the table, the policy
    for operation in range(3, operations, 11):
        assert killed_at(training(killed), killed, operation) is None
        nothing_half(killed)
        snakemake_clears(killed)
        assert killed_at(training(killed), killed, None)
        assert contents(killed) == contents(undisturbed), f"killed before operation {operation} of {operations}"
        snakemake_clears(killed)


@pytest.mark.slow
def test_a_training_job_killed_again_and_again_goes_on_to_the_same_bytes(tmp_path, training) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    begin = time.monotonic()
    killed_at(training(undisturbed), undisturbed, None)
    whole = time.monotonic() - begin
    draw, kills = random.Random(0), 0
    for _ in range(12):
        kills += killed_after(training(killed), draw.uniform(0.05, 0.7) * whole)
        nothing_half(killed)
        snakemake_clears(killed)
    assert kills >= 6
    killed_at(training(killed), killed, None)
    assert contents(killed) == contents(undisturbed)


@pytest.mark.slow
def test_a_training_job_with_a_full_disk_goes_on_to_the_same_bytes(tmp_path, training) -> None:
    from tests.faults.support import fill, small_disk

    undisturbed = tmp_path / "undisturbed"
    killed_at(training(undisturbed), undisturbed, None)
    with small_disk(tmp_path / "small", "4m") as disk:
        for room in (0, 40_960, 81_920, 122_880):
            ballast = fill(disk, room)
            with pytest.raises(InputError, match="the disk is full"):
                training(disk / "run")()
            nothing_half(disk / "run")
            ballast.unlink()
            snakemake_clears(disk / "run")
        training(disk / "run")()
        assert contents(disk / "run") == contents(undisturbed)


@pytest.fixture
def sampling(tmp_path: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Work]:
    """Every batch is stored; each contains a few of the prompts."""
    monkeypatch.setattr(pieces, "EVERY", 0.0)
    data = Data(tmp_path, tiny_policy)
    data.write()
    spec = SamplingSpec(samples=3, max_new_tokens=12, temperature=1.0, batch_tokens=256)

    def into(folder: Path) -> Work:
        arguments = ["--policy", tiny_policy / "policy.json", "--family", "mine", "--spec", spec.model_dump_json()]
        arguments += ["--prompts", tmp_path / "prompts.parquet", "--out", folder / "samples.parquet"]
        arguments += ["--responses", folder / "responses.parquet", "--checkpoints", folder / "checkpoints"]

        def work() -> None:
            sys.argv = ["sample", *map(str, arguments)]
            sample.main()

        return work

    return into


@pytest.mark.slow
def test_a_sampling_job_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path, sampling) -> None:
    undisturbed = tmp_path / "undisturbed"
    begin = time.monotonic()
    operations = killed_at(sampling(undisturbed), undisturbed, None)
    whole = time.monotonic() - begin
    draw = random.Random(0)
    kept = 0
    for operation in [*range(operations), None, None, None]:
        killed = tmp_path / f"killed{operation}"
        if operation is None:
            assert killed_after(sampling(killed), draw.uniform(0.05, 0.5) * whole)
        else:
            assert killed_at(sampling(killed), killed, operation) is None
        nothing_half(killed)
        snakemake_clears(killed)
        kept += any(killed.glob("checkpoints/*"))
        killed_at(sampling(killed), killed, None)
        assert contents(killed) == contents(undisturbed)
        shutil.rmtree(killed)
    assert kept > 5
