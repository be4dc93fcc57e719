"""Runs that start from runs, in miniature: what two paths share trains once, and a new suite asks what is new."""

import re
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib import lineage
from tests.workflow.house import House
from tests.workflow.toy_house import Checkout

ROOM = "studies/iterations/didactic.yaml"
ALL = ["--configfile", "miniature.yaml", "--", "iterations"]
SECOND = 4
"""Runs of a second iteration by one policy and one objective: off-off, off-on, on-off and on-on."""


def small(folder: Path) -> House:
    """One policy and one objective: six trainings behind four paths."""
    house = House.build(folder, "iterations")
    house.configure("iterations", {"policies": ["weak"], "variants": ["dpo"], "suites": ["gsm8k"]})
    house.configure("prompt_sets", "open_assistant", "generators", [])  # one family
    return house


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> House:
    house = small(tmp_path_factory.mktemp("trained") / "house")
    house.snakemake("--", "iterations")
    return house


@pytest.fixture
def twin(trained: House, tmp_path: Path) -> House:
    return trained.twin(tmp_path / "house")


def test_two_policies_two_objectives_and_four_paths_train_24_times(tmp_path: Path) -> None:
    planned = House.build(tmp_path / "house", "iterations").planned("--", "iterations")
    assert planned["train"] == 24 and planned["harness"] == planned["judge"] == 16
    assert planned["sample_prompt_set"] == 2 * 10  # each start, for pairs and to watch: two policies, eight runs
    assert planned["ranked"] == 2 + 2 + 8  # off-policy pairs once, on-policy pairs for each start of them


def test_two_iterations_run_to_their_table(trained: House) -> None:
    assert trained.planned("--", "iterations") == {}
    table = pd.read_csv(trained.folder / "results/tables/iterations/iterations.csv")
    assert len(table) == SECOND
    for name in set(table["run"]):
        first, second = lineage.lineage_of(name)
        assert (trained.folder / f"results/training/{name}.parquet").exists()
        assert (trained.folder / f"results/policies/{first.name}/policy.json").exists()
        assert second.start == first.name
    pairs = {path.stem for path in (trained.folder / "results/pairs").glob("*.parquet")}
    starts = {lineage.lineage_of(name)[-1].start for name in set(table["run"])}
    assert {"off_1", "off_2", "on_1@weak"} | {f"on_2@{start}" for start in starts} <= pairs


def test_what_is_shared_counts_the_samples_that_runs_would_draw_alone(trained: House) -> None:
    """Three starts are sampled once; four of the six runs pair samples, two of them those of one start each."""
    table = pd.read_csv(trained.folder / "results/tables/iterations/sharing.csv").set_index("quantity")
    samples = table.loc["sampled responses, for pairs"]
    assert samples["shared"] == samples["separate"] > 0


def test_the_reference_is_the_start_s_own(trained: House) -> None:
    """A second iteration's first step has the loss of a policy that equals its reference: ln 2."""
    for path in sorted((trained.folder / "results/training").glob("*.parquet")):
        assert pd.read_parquet(path)["loss"].iloc[0] == pytest.approx(0.6931471805599453, abs=1e-6), path.name


def test_on_policy_pairs_hold_the_start_s_own_samples(trained: House) -> None:
    results = trained.folder / "results"
    for path in sorted((results / "pairs").glob("on_*@*.parquet")):
        start = lineage.start_in(path.stem)
        samples = pd.read_parquet(results / f"samples/{start}/open_assistant.own@{start}.responses.parquet")
        pairs = pd.read_parquet(path)
        assert set(pairs["chosen_id"]) | set(pairs["rejected_id"]) <= set(samples["response_id"])
        assert set(samples["family"]) == {f"open_assistant.own@{start}"}


def test_one_more_suite_asks_that_suite_alone(twin: House) -> None:
    twin.configure("iterations", "suites", ["gsm8k", "mmlu"])
    planned = twin.planned("--", "iterations")
    assert planned == {"harness_2": SECOND, "table": 1, "section": 1, "iterations": 1}
    said = twin.snakemake("--dry-run", "--", "iterations").stdout
    asked = re.findall(r"output: (results/evaluations/\S+)$", said, re.MULTILINE)
    assert len(asked) == SECOND and all(path.endswith("/mmlu.json") for path in asked)
    before = twin.results()
    twin.snakemake("--", "iterations")
    assert twin.planned("--", "iterations") == {}
    after = twin.results()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"tables/iterations/iterations.csv", "sections/iterations.html"}


def test_suites_have_the_same_answers_asked_together_and_apart(twin: House, trained: House, tmp_path: Path) -> None:
    run = next(iter(sorted(path.name for path in (trained.folder / "results/evaluations").iterdir())))
    gsm8k, mmlu = (f"results/evaluations/{run}/{suite}.json" for suite in ("gsm8k", "mmlu"))
    together = trained.twin(tmp_path / "together")
    for house in (twin, together):
        house.configure("iterations", "suites", ["gsm8k", "mmlu"])
    together.snakemake("--cleanup-metadata", gsm8k)
    (together.folder / gsm8k).unlink()
    for house in (twin, together):
        house.snakemake("--", mmlu)
    for path in (gsm8k, mmlu):
        assert (twin.folder / path).read_bytes() == (together.folder / path).read_bytes()


def test_another_study_asks_nothing_again(twin: House) -> None:
    """Its policies are its own, and its suites are asked of them alone."""
    done = twin.planned("--", "iterations")
    twin.configure("studies", ["iterations", "what_matters"])
    twin.configure("what_matters", {"seeds": [0]})
    assert done == twin.planned("--", "iterations") == {}
    said = twin.snakemake("--dry-run", "--", "what_matters").stdout
    outputs = re.findall(r"output: (results/(?:evaluations|training|samples)/\S+?)[,\n]", said)
    assert outputs and not [path for path in outputs if "/weak." in path]


def test_a_changed_first_iteration_reruns_what_starts_from_it(twin: House) -> None:
    twin.configure("pairs", "off_1", {"seed": 5})
    planned = twin.planned("--", "iterations")
    assert planned["train"] == 3  # off_1, and what goes on from it
    assert planned["harness"] == 2 and planned["sample_prompt_set"] == 2  # for pairs, and to watch


def test_a_lineage_too_long_for_a_file_is_refused_before_any_job(tmp_path: Path) -> None:
    house = small(tmp_path / "house")
    long = "x" * 60
    house.configure("pairs", f"{long}_1", {"kind": "ranked", "samples": "own", "ranker": "pair_ranker"})
    house.configure("training", "variants", {long: {}})
    house.configure("iterations", {"policies": ["weak"], "variants": [long], "off_policy": [f"{long}_1", f"{long}_1"]})
    done = house.snakemake("--dry-run", "--", "iterations", check=False)
    said = done.stdout + done.stderr
    assert done.returncode and "file systems take 255" in said and "remedy: shorten the names" in said
    assert re.search(r"(didactic|miniature)\.yaml:\d+: the lineage", said)


@pytest.mark.slow
def test_lineages_are_recorded_and_restored(twin: House, tmp_path: Path) -> None:
    house = Checkout(twin.folder)
    house("git", "init", "--quiet", "--initial-branch", "main")
    house.commit("start")
    house.versioning("record", *ALL)
    house.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    house.dvc("push")
    house.commit("recorded")
    later = house.clone(tmp_path / "later")
    assert "has nothing to do" in later.versioning("restore").stdout
    assert later.planned(*ALL) == {} and later.results() == house.results()
