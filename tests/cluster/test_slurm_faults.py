"""Faults on a real SLURM: whatever is killed, the results are those of an undisturbed run on one machine."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.cluster.slurm import Slurm, until
from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow

TARGET = "results/tables/what_matters/table1.csv"
PROFILE = """executor: prefatlas
jobs: 20
retries: 2
latency-wait: 15
prefatlas-status-command: squeue
prefatlas-init-seconds-before-status-checks: 2
prefatlas-logdir: logs/slurm
default-resources: {mem_mb: 500, runtime: 10}
set-resources: {model: {gpu: 1}}
"""
SLOW = (
    "mkdir -p marks gpus && echo start >>marks/{wildcards.name} "
    "&& echo ${{CUDA_VISIBLE_DEVICES:-}} >gpus/{wildcards.name} "
    "&& until [ -e go ]; do sleep 0.5; done && echo end >>marks/{wildcards.name} && "
)
"""A model job leaves a mark at its start and at its end, and waits until the test lets it continue."""
LIMIT = 400
"""The most seconds that a call may take."""


def prepared(folder: Path) -> Checkout:
    """The toy workflow, whose two models run until the test lets them finish."""
    house = Checkout.build(folder)
    (folder / "profiles/slurm/config.yaml").write_text(PROFILE)
    house.edit("Snakefile", '"python -m scripts.toy.model', f'"{SLOW}python -m scripts.toy.model')
    return house


def marks(house: Checkout) -> dict[str, list[str]]:
    """Model -> the marks of its jobs, in order."""
    return {path.name: path.read_text().split() for path in sorted((house.folder / "marks").glob("*"))}


ONCE = {"first": ["start", "end"], "second": ["start", "end"]}


def let_go(house: Checkout) -> None:
    (house.folder / "go").touch()


def half_way(house: Checkout) -> bool:
    return all(marks(house).get(name) for name in ONCE)


def finished(house: Checkout) -> bool:
    return marks(house) == ONCE and all((house.folder / f"results/policies/{name}/model.bin").exists() for name in ONCE)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    house = prepared(tmp_path_factory.mktemp("undisturbed") / "house")
    let_go(house)
    house.snakemake(TARGET)
    return house.results()


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """As undisturbed, with another beta."""
    house = prepared(tmp_path_factory.mktemp("changed") / "house")
    let_go(house)
    house.edit("params.yaml", "beta: 0.1", "beta: 0.2")
    house.snakemake(TARGET)
    return house.results()


class Call:
    """One `snakemake --profile profiles/slurm`, in the background."""

    begun: ClassVar[list["Call"]] = []

    def __init__(self, house: Checkout) -> None:
        self.log = house.folder / f"call{len(list(house.folder.glob('call*')))}.txt"
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", TARGET]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(command, cwd=house.folder, stdout=out, stderr=out, start_new_session=True)
        self.begun.append(self)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def says(self, words: str) -> int:
        """How often the words occur in its log."""
        return self.log.read_text().count(words)

    def ends(self) -> str:
        """Its output, once it has ended successfully."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            status = "nothing: it still waited"
        text = self.log.read_text()
        assert status == 0, f"{status}\n{text[-6000:]}"
        return text


def killed_half_way(house: Checkout) -> None:
    """A call that is killed while both models are being made on the cluster; its lock is removed."""
    call = Call(house)
    until(lambda: half_way(house), LIMIT, "both models to be begun")
    call.kill()
    house.snakemake("--unlock")


@pytest.fixture
def house(slurm: Slurm, tmp_path: Path) -> Iterator[Checkout]:
    slurm.resume()
    yield prepared(tmp_path / "house")
    for call in Call.begun:
        if call.process.poll() is None:
            call.kill()
    Call.begun.clear()
    slurm.repair()


def test_without_accounts(slurm: Slurm, house: Checkout) -> None:
    """SLURM's own executor would wait silently for an answer that sacct can never give."""
    house.edit("profiles/slurm/config.yaml", "prefatlas-status-command: squeue\n", "")
    call = Call(house)
    assert call.process.wait(LIMIT) == 1
    assert call.says("remedy: --prefatlas-status-command squeue")


def test_job_arrays_are_refused(slurm: Slurm, house: Checkout) -> None:
    """Their tasks after the first would run the first one's job."""
    with open(house.folder / "profiles/slurm/config.yaml", "a") as file:
        file.write("prefatlas-array-jobs: all\n")
    call = Call(house)
    assert call.process.wait(LIMIT) == 1
    assert call.says("remedy: remove it; jobs share queue entries by the profile's groups")
    assert not slurm.jobs("pending", "running")


def test_cancelled_job(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    call = Call(house)
    until(lambda: half_way(house), LIMIT, "both models to be begun")
    queue = slurm("squeue", "--noheader", "--format=%i %k", "--states=running")
    cancelled = re.search(r"^(\d+) rule_model_wildcards_first$", queue, re.MULTILINE)[1]
    slurm("scancel", cancelled)
    until(lambda: cancelled in slurm.jobs("cancelled"), LIMIT, "its end")
    let_go(house)
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE | {"first": ["start", "start", "end"]}


def test_killed_node_daemon(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    call = Call(house)
    until(lambda: half_way(house), LIMIT, "both models to be begun")
    slurm.kill("slurmd")
    let_go(house)
    until(lambda: marks(house) == ONCE, LIMIT, "the models to be made without it")
    slurm.start_node()
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE
    gpus = {path.name: path.read_text().strip() for path in (house.folder / "gpus").iterdir()}
    assert sorted(gpus.values()) == ["0", "1"], "each job has a GPU of its own"


def test_killed_controller(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    call = Call(house)
    until(lambda: half_way(house), LIMIT, "both models to be begun")
    slurm.save()
    slurm.kill("slurmctld")
    let_go(house)
    until(lambda: finished(house), LIMIT, "the models to be made without it")
    slurm.start_controller()
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE


def test_a_queue_that_stands_still_says_why(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    slurm.drain("disk check")
    let_go(house)
    call = Call(house)
    until(lambda: call.says("disk check"), LIMIT, "a message about the node")
    assert call.says("an administrator runs: scontrol update nodename=")
    slurm.resume()
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE


def test_controller_that_is_down_at_submission(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    """Jobs to be submitted wait, and none of them fails."""
    house.edit("Snakefile", 'configfile: "config.yaml"', 'configfile: "config.yaml"\nlocalrules: numbers')
    wait = "touch here && until [ -e down ]; do sleep 0.5; done && "
    house.edit("Snakefile", '"python -m scripts.toy.numbers', f'"{wait}python -m scripts.toy.numbers')
    let_go(house)
    call = Call(house)
    until((house.folder / "here").exists, LIMIT, "the first jobs, which run here")
    slurm.kill("slurmctld")
    (house.folder / "down").touch()
    until(lambda: call.says("waiting to submit jobs"), LIMIT, "a message about it")
    slurm.start_controller()
    assert "sbatch failed" not in call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE


def test_killed_snakemake(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    """The next call waits for the surviving jobs, and starts none in parallel."""
    killed_half_way(house)
    call = Call(house)
    until(lambda: call.says("of an earlier call: waiting for that one") == 2, LIMIT, "both jobs to be taken over")
    let_go(house)
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE
    assert house.planned("--", TARGET) == {}


def test_killed_snakemake_with_groups(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    """Of jobs submitted together, the first have finished unobserved and the last is still running."""
    with open(house.folder / "profiles/slurm/config.yaml", "a") as file:
        file.write("groups: {numbers: chain, model: chain}\n")
    killed_half_way(house)
    call = Call(house)
    until(lambda: call.says("of an earlier call: waiting for that one") == 2, LIMIT, "both jobs to be taken over")
    let_go(house)
    call.ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE
    assert house.planned("--", TARGET) == {}
    house.edit("params.yaml", "{first: 1, second: 2}", "{first: 1, second: 3}")
    assert house.planned("--", TARGET) == {"numbers": 1, "model": 1, "table": 1}


def test_killed_snakemake_found_late(slurm: Slurm, house: Checkout, undisturbed: dict[str, bytes]) -> None:
    """What jobs finished unobserved is kept, and how it was made is recorded: a changed parameter is noticed later."""
    killed_half_way(house)
    let_go(house)
    until(lambda: not slurm.jobs("pending", "running", "completing"), LIMIT, "the models to be made")
    Call(house).ends()
    assert house.results() == undisturbed
    assert marks(house) == ONCE
    assert house.planned("--", TARGET) == {}
    house.edit("params.yaml", "beta: 0.1", "beta: 0.2")
    assert house.planned("--", TARGET) == {"model": 2, "table": 1}


def test_killed_snakemake_and_changed_parameter(slurm: Slurm, house: Checkout, changed: dict[str, bytes]) -> None:
    """A surviving job that makes something else is cancelled before its files are made again."""
    killed_half_way(house)
    house.edit("params.yaml", "beta: 0.1", "beta: 0.2")
    call = Call(house)
    until(lambda: marks(house) == {name: ["start", "start"] for name in ONCE}, LIMIT, "both models to be started again")
    assert call.says("of an earlier call: it is out of date") == 2
    let_go(house)
    call.ends()
    assert house.results() == changed
    assert marks(house) == {name: ["start", "start", "end"] for name in ONCE}


def test_killed_snakemake_found_late_and_changed(slurm: Slurm, house: Checkout, changed: dict[str, bytes]) -> None:
    """Files finished unobserved with another parameter are never taken for current ones: two calls make them again."""
    killed_half_way(house)
    let_go(house)
    until(lambda: not slurm.jobs("pending", "running", "completing"), LIMIT, "the models to be made")
    house.edit("params.yaml", "beta: 0.1", "beta: 0.2")
    first = Call(house)
    assert first.process.wait(LIMIT) == 1
    assert first.says("since they were submitted")
    Call(house).ends()
    assert house.results() == changed
