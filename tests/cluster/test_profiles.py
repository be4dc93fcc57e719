"""The cluster profiles: they parse, name exactly the existing rules, and keep the queue short."""

import json
import re
import subprocess
import sys
from collections import Counter
from contextlib import chdir
from importlib.util import find_spec
from pathlib import Path

import pytest
import yte

from scripts.studies.register import STUDIES
from tests.workflow.house import ROOT, House, evaluated

LOCAL = {"all", "plan", "world", *STUDIES}
"""The Snakefile's localrules, and the studies' targets."""

COUNTER = """
import json, sys
import snakemake.api
from snakemake import cli, dag

stats, told = dag.DAG.stats, []

def telling(self):
    if not told:
        told.append(True)
        for job in self.get_jobs_or_groups():
            members = sorted(each.rule.name for each in (job.jobs if job.is_group() else [job]))
            print("ENTRY", json.dumps([members, job.resources.get("gpu", 0)]))
    return stats(self)

dag.DAG.stats = telling
cli.main(sys.argv[1:])
"""
"""`snakemake -n` that also prints which jobs would be submitted together."""


def profile(name: str) -> dict:
    """A profile as Snakemake reads it from the repository's folder."""
    with chdir(ROOT), open(f"profiles/{name}/config.yaml", encoding="utf-8") as file:
        return yte.process_yaml(file, require_use_yte=True)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every rule that may run on a cluster, except for the studies' own: most of them are short jobs on the CPU."""
    house = House.build(tmp_path_factory.mktemp("rules") / "house")
    shared = "[rule.name for rule in workflow.rules if not str(rule.snakefile).endswith('/rules.smk')]"
    return set(evaluated(house.folder, shared)) - LOCAL


def rules_of_studies() -> set[str]:
    files = (ROOT / "studies").glob("*/rules.smk")
    return {name for file in files for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)}


def entries(house: House, *arguments: str) -> list[tuple[Counter, int]]:
    """The queue entries of a dry run of the whole study: the rules in each entry, and its GPUs."""
    command = [sys.executable, "-c", COUNTER, "--dry-run", "--quiet", "rules", *arguments]
    done = subprocess.run(command, cwd=house.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    told = [json.loads(line.removeprefix("ENTRY")) for line in done.stdout.splitlines() if line.startswith("ENTRY")]
    return [(Counter(rules), gpus) for rules, gpus in told if not LOCAL & set(rules)]


def test_every_rule_has_its_resources(rules: set[str]) -> None:
    """A new rule needs a line of its own or joins a group of short jobs; a removed rule must leave the profile."""
    asked = profile("slurm")
    named = set(asked["set-resources"]) | set(asked["groups"])
    assert rules <= named <= rules | rules_of_studies()


def test_small_names_no_rule_that_is_gone(rules: set[str]) -> None:
    small = profile("small")
    assert set(small["set-resources"]) | set(small["groups"]) <= rules | rules_of_studies()


def test_small_groups_what_slurm_groups_and_more() -> None:
    small, slurm = profile("small"), profile("slurm")
    assert slurm["groups"].items() < small["groups"].items()
    assert set(small["group-components"]) == set(small["groups"].values())


def test_rules_that_hold_a_large_model_ask_for_a_gpu() -> None:
    asked = profile("slurm")["set-resources"]
    models = {"score", "rank", "ranked", "logprobs", "train", "train_online", "sample", "sample_prompt_set"}
    models |= {"supervise", "sample_shard", "harness", "boundary_score", "preflight_overlap", "three_d_reward_model"}
    assert {rule for rule, each in asked.items() if each.get("gpu")} == models | {"pretrain", "reward_model", "ranker"}


def test_a_group_asks_for_memory_that_nodes_have() -> None:
    """The jobs of a group may run in parallel, and then their needs add up."""
    asked = profile("slurm")
    most = Counter()
    for rule, group in asked["groups"].items():
        memory = asked["set-resources"].get(rule, {}).get("mem_mb", 0)
        most[group] = max(most[group], memory if isinstance(memory, int) else 0, asked["default-resources"]["mem_mb"])
    for group, count in asked["group-components"].items():
        if group != "sources":  # its largest rule, curate, is one job per prompt set
            assert most[group] * count <= 160_000


def test_kubernetes_is_asked_for_the_same_gpus() -> None:
    def gpus(name: str) -> dict[str, int]:
        return {rule: each["gpu"] for rule, each in profile(name)["set-resources"].items() if "gpu" in each}

    assert gpus("kubernetes") == gpus("slurm")


def test_no_default_setting_is_lost() -> None:
    """Snakemake itself lays profiles/default over every other profile: they must not have keys in common."""
    assert not profile("default").keys() & {key for name in ("slurm", "small", "kubernetes") for key in profile(name)}


@pytest.mark.skipif(not find_spec("snakemake_executor_plugin_slurm"), reason="no snakemake-executor-plugin-slurm")
def test_queue_of_150_runs(tmp_path: Path) -> None:
    """Three entries per run (its training, its harness, its win rates), and a few dozen for everything else."""
    house = House.build(tmp_path / "house")
    (house.folder / "seeds.yaml").write_text("what_matters: {seeds: [0, 1, 2, 3, 4, 5]}\n")
    queue = entries(house, "--profile", "profiles/slurm", "--configfile", "seeds.yaml")
    runs = sum(rules["train"] + rules["train_online"] for rules, _ in queue)
    jobs = sum(rules.total() for rules, _ in queue)
    assert runs >= 150 and jobs > 4 * runs
    assert len(queue) <= 3 * runs + 40
    assert all(gpus == 8 for rules, gpus in queue if rules["train"])
    assert all(gpus == 1 for rules, gpus in queue if rules["sample"])


@pytest.mark.skipif(not find_spec("snakemake_executor_plugin_slurm"), reason="no snakemake-executor-plugin-slurm")
@pytest.mark.slow
def test_queue_of_the_didactic_study(tmp_path: Path) -> None:
    """Tiny jobs are grouped: a sixth of an entry per run for each of training, harness and win rates."""
    queue = entries(House.build(tmp_path / "house"), "--profile", "profiles/slurm", "--profile", "profiles/small")
    runs = sum(rules["train"] + rules["train_online"] for rules, _ in queue)
    assert len(queue) <= runs / 2 + 40
    assert not any(gpus for _, gpus in queue)


@pytest.mark.skipif(not find_spec("snakemake_executor_plugin_slurm"), reason="no snakemake-executor-plugin-slurm")
@pytest.mark.parametrize("small", [[], ["--profile", "profiles/small"]], ids=["slurm", "small"])
def test_runs_that_start_from_runs_can_be_queued(tmp_path: Path, small: list[str]) -> None:
    """No queue entry waits for itself: 24 trainings, of which 16 start from 8 others."""
    house = House.build(tmp_path / "house", "iterations")
    profiles = ["--profile", "profiles/slurm", *small]
    queue = entries(house, *profiles, "--configfile", "miniature.yaml", "--", "iterations")
    assert sum(rules["train"] for rules, _ in queue) == 24
    assert max(rules["train"] for rules, _ in queue) == (4 if small else 1)  # off and on, by two objectives
