"""Overhead: building the DAG of a large study, and versioning a thousand artifacts.

Seconds are CPU time, which does not depend on other users of the machine; everything here runs on one core at a time,
so that on an idle machine the elapsed time is the same.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.workflow.house import House
from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Cost:
    """seconds: CPU time of a process and its children. gigabytes: the largest of them at its peak."""

    seconds: float
    gigabytes: float
    text: str


def cost_of(command: list[str], folder: Path) -> Cost:
    with open(folder / "said.txt", "w+") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    assert process.returncode == 0, text[-3000:]
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6, text)


def test_a_thousand_artifacts(tmp_path: Path) -> None:
    house = Checkout.build(tmp_path / "house")
    house.edit("params.yaml", "bulk: 0", "bulk: 50")
    house.snakemake("--quiet", "all")
    record, status = (
        cost_of([sys.executable, "-m", "scripts.versioning", name], house.folder) for name in ("record", "status")
    )
    print(f"record {record.seconds:.1f} s, status {status.seconds:.1f} s")
    assert "1010 artifacts" in record.text and record.seconds < 10
    assert "results/ is as recorded" in status.text and status.seconds < 3


def test_the_dag_of_the_paper(tmp_path: Path) -> None:
    """The paper's own study with enough seeds for at least 150 runs, and more suites to evaluate them on.

    With three seeds and five suites it has 84 runs and 405 jobs.
    """
    house = House.build(tmp_path / "house")
    suite = {"kind": "win_rate", "data": "owner/questions/asked.json", "judge": {"kind": "scorer", "scorer": "skywork"}}
    more = {f"asked_{at}": suite for at in range(10)}
    paper = yaml.safe_load((house.folder / "studies/what_matters/paper.yaml").read_text())
    study = {"seeds": list(range(6)), "benchmarks": [*paper["evaluation"]["suites"], *more]}
    large = {"evaluation": {"suites": more}, "what_matters": study}
    (house.folder / "large.yaml").write_text(yaml.safe_dump(large))
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "host"]
    cost = cost_of([*command, "--configfile", "studies/what_matters/paper.yaml", "large.yaml"], house.folder)
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", cost.text, re.MULTILINE)}
    runs = jobs["train"] + jobs["train_online"]
    print(f"{jobs['total']} jobs, {runs} runs: {cost.seconds:.1f} s, {cost.gigabytes:.2f} GB")
    assert runs >= 150 and jobs["total"] >= 3000
    assert cost.seconds < 15 and cost.gigabytes < 1
