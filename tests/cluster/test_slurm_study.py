"""The study's own rules on a real SLURM, with the profiles that users get, compared with a run on one machine."""

from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm
from tests.workflow.house import House

pytestmark = pytest.mark.slow

RUN = "results/evaluations/medium.open_assistant_best_worst.dpo.s0"
TARGETS = [f"{RUN}/mmlu.json", f"{RUN}/lc_ae2.json"]
"""One run and its evaluations: sources, oracle scores, tiers, pairs, a base policy, log-probs, training, samples."""


def test_two_iterations(slurm: Slurm, tmp_path: Path) -> None:
    """Runs that start from runs, and what depends on their starts: the same files as on one machine."""
    here, house = (House.build(tmp_path / name, "iterations") for name in ("here", "house"))
    for each in (here, house):
        each.configure("iterations", {"policies": ["weak"], "variants": ["dpo"], "suites": ["gsm8k"]})
    here.snakemake("--", "iterations")
    profiles = ["--profile", "profiles/slurm", "--profile", "profiles/small"]
    house.snakemake(*profiles, "--prefatlas-status-command", "squeue", "--", "iterations")
    assert house.results() == here.results()
    assert house.planned("--", "iterations") == {}


def test_one_run_of_the_study(slurm: Slurm, tmp_path: Path) -> None:
    here = House.build(tmp_path / "here")
    here.snakemake("--", *TARGETS)
    house = House.build(tmp_path / "house")
    before = len(slurm.jobs())
    profiles = ["--profile", "profiles/slurm", "--profile", "profiles/small"]
    planned = sum(house.planned(*profiles, "--", *TARGETS).values())
    house.snakemake(*profiles, "--prefatlas-status-command", "squeue", "--", *TARGETS)
    assert house.results() == here.results()
    assert house.planned("--", *TARGETS) == {}
    assert 5 < len(slurm.jobs()) - before < planned
