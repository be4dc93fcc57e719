"""Snakemake killed, asked to end, or started twice in one folder; its jobs end with it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.parent import SNAKEMAKE
from tests.faults.support import at_work, started, wait_until
from tests.workflow.house import ROOT, House
from tests.workflow.toy_house import Checkout

SNAKE = ["python", "-m", "snakemake", "--cores", "2"]
STEP = "from scripts.lib import cli; import sys, time; cli.run(lambda: (print('at work', flush=True), time.sleep(600)))"


def slow_toy(folder: Path, rule: str) -> Checkout:
    """The toy workflow, with a rule that writes half of its output in its first call and waits for the file ``go``."""
    house = Checkout.build(folder)
    half = "if [ ! -e ../called ]; then touch ../called; for file in {output}; do echo half > $file; done; "
    half += "while [ ! -e ../go ]; do sleep 0.2; done; fi; "
    text = (house.folder / "Snakefile").read_text()
    before, after = text.split(f"rule {rule}:", 1)
    after = after.replace('    shell:\n        "', f'    shell:\n        "{half}', 1)
    (house.folder / "Snakefile").write_text(f"{before}rule {rule}:{after}")
    return house


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    house = Checkout.build(tmp_path_factory.mktemp("undisturbed") / "house")
    house.snakemake()
    return house


def test_a_step_ends_when_its_snakemake_is_killed() -> None:
    snakemake = subprocess.Popen(["sleep", "600"])
    environment = {**os.environ, SNAKEMAKE: str(snakemake.pid), "PYTHONPATH": str(ROOT)}
    step = subprocess.Popen([sys.executable, "-c", STEP], env=environment, stdout=subprocess.PIPE)
    try:
        assert step.stdout.readline() == b"at work\n" and step.poll() is None
        snakemake.kill()
        snakemake.wait()
        assert step.wait(timeout=30) == -signal.SIGKILL
    finally:
        for process in (snakemake, step):
            process.kill()
        step.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["numbers", "model", "claims"])
def test_a_killed_snakemake_goes_on_to_the_same_results(tmp_path: Path, undisturbed: Checkout, rule: str) -> None:
    house = slow_toy(tmp_path / "house", rule)
    process = started(SNAKE, house.folder)
    wait_until((tmp_path / "called").exists, "the rule to start")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    refused = house.snakemake(check=False)
    assert refused.returncode == 1 and "--unlock" in refused.stdout + refused.stderr
    told = house.versioning("record", check=False)
    assert told.returncode == 1 and "remedy: " in told.stderr
    house.snakemake("--unlock")
    house.snakemake()
    assert house.results() == undisturbed.results() and house.planned() == {}


@pytest.mark.slow
def test_a_snakemake_that_is_asked_to_end_finishes_its_jobs_and_goes_on(tmp_path: Path, undisturbed: Checkout) -> None:
    house = slow_toy(tmp_path / "house", "model")
    process = started(SNAKE, house.folder)
    wait_until((tmp_path / "called").exists, "the rule to start")
    process.terminate()
    (tmp_path / "go").touch()
    assert process.wait(timeout=120) != 0
    assert "results/claims.csv" not in house.results()
    house.snakemake()
    assert house.results() == undisturbed.results() and house.planned() == {}


@pytest.mark.slow
def test_a_second_run_in_one_folder_is_refused_and_the_first_goes_on(tmp_path: Path, undisturbed: Checkout) -> None:
    house = slow_toy(tmp_path / "house", "model")
    process = started(SNAKE, house.folder)
    wait_until((tmp_path / "called").exists, "the rule to start")
    second = house.snakemake(check=False)
    assert second.returncode == 1 and "Directory cannot be locked" in second.stdout + second.stderr
    for command in ("record", "restore"):
        done = house.versioning(command, check=False)
        assert done.returncode == 1 and "remedy" in done.stderr, command
    (tmp_path / "go").touch()
    assert process.wait(timeout=300) == 0
    assert house.results() == undisturbed.results() and house.planned() == {}


@pytest.mark.slow
def test_the_real_rules_go_on_after_kill_9_in_a_training_run(tmp_path: Path) -> None:
    run = "medium.open_assistant_best_low.dpo.s0"
    arguments = ["--configfile", "miniature.yaml", "--", f"results/policies/{run}/policy.json"]
    (tmp_path / "undisturbed").mkdir()
    undisturbed = House.build(tmp_path / "undisturbed/house")
    undisturbed.configure("training", "epochs", 40)
    undisturbed.snakemake(*arguments[2:])
    house = undisturbed.twin(tmp_path / "house")
    shutil.rmtree(house.folder / "results/policies" / run)
    process = started([*SNAKE, *arguments], house.folder, PYTHONPATH="")
    wait_until(lambda: list(house.folder.glob("checkpoints/*/*.json")), "a checkpoint")
    process.kill()
    process.wait()
    wait_until(lambda: not at_work(house.folder), "the jobs to end with it", 30)
    assert not (house.folder / "results/policies" / run / "policy.json").exists()
    house.snakemake("--unlock")
    house.snakemake(*arguments[2:])
    assert "going on from checkpoint" in (house.folder / f"logs/training/{run}.log").read_text()
    assert house.results() == undisturbed.results()
    assert house.planned(*arguments[2:]) == {}
