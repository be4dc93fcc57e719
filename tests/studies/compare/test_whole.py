"""The documented configuration on a user's own files, from nothing to the table: pairs, a model folder, a benchmark."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.configurations import DEFAULT, merged
from tests.workflow.house import House

TINY = [
    "training={objective: sft, learning_rate: 0.01, batch_pairs: 8, epochs: 4, precision: float32}",
    "compare={seeds: [0, 1]}",
    "evaluation={suites: {gsm8k: {shots: 0, precision: float32}}}",
]
"""What a model of two layers needs to learn something within a minute."""


@pytest.fixture
def house(own_files, configuration, tmp_path) -> House:
    """A checkout with a user's files in it."""
    house = House.build(tmp_path / "house")
    shutil.copytree(own_files, house.folder, dirs_exist_ok=True)
    (house.folder / "miniature.yaml").write_text(configuration)
    return house


def test_nothing_of_the_didactic_world_is_run(house) -> None:
    """The DAG of that configuration: the jobs of two datasets, and no name of config.yaml in any file."""
    done = house.snakemake("--dry-run", "--quiet", "host", "--", "compare")
    told = done.stdout + done.stderr
    files = " ".join(re.findall(r"^ *(?:input|output): (.*)$", told, re.MULTILINE))
    assert "results/tables/compare/comparison.csv" in files and "mine.jsonl" in files
    world = merged(*DEFAULT)
    sections = ("sources", "prompt_sets", "scorers", "rankers", "pairs", "policies", "samples")
    suites = set(world["evaluation"]["suites"]) - {"gsm8k"}
    for name in {name for section in sections for name in world[section]} | suites:
        assert not re.search(rf"[/. ]{name}[/. ]", files), name
    rules = Counter(re.findall(r"^ *rule (\w+):$", told, re.MULTILINE))
    jobs = {"load": 2, "curate": 2, "labelled": 2, "given": 1, "logprobs": 2, "train": 6, "harness": 7}
    assert {rule: rules[rule] for rule in jobs} == jobs


def test_a_drop_list_is_of_the_dataset_that_it_names_whichever_the_page_is_of(house) -> None:
    house.configure("pairs", "kept", {"kind": "without", "base": "mine", "drop": "results/preflight/mine/drop.parquet"})
    house.configure("preflight", {"pairs": "theirs"})
    house.configure("studies", ["compare", "preflight"])
    done = house.snakemake("--dry-run", "--", "results/pairs/kept.parquet")
    told = done.stdout + done.stderr
    assert "results/preflight/mine/text.parquet" in told
    assert "results/preflight/theirs/" not in told


@pytest.mark.parametrize(
    ("old", "new", "target", "told"),
    [
        ("path: mine.jsonl", "path: mine.json", "results/data/mine/card.json", "mine.json: no such file or folder"),
        ("model: my-model}", "model: my_model}", "results/policies/my-model/policy.json", "my_model: neither a folder"),
        ("gsm8k/test.jsonl", "gsm8k/tests.jsonl", "results/suites/gsm8k/prompts.parquet", "tests.jsonl: not readable"),
    ],
)
@pytest.mark.slow
def test_a_file_that_is_not_there_is_told_by_the_first_step_that_reads_it(house, old, new, target, told) -> None:
    """Before anything is trained: all three are read first."""
    house.edit("miniature.yaml", old, new)
    done = house.snakemake("--", target, check=False)
    assert done.returncode and f"error: {told}" in re.sub(r"gsm8k/(?=tests)", "", done.stdout + done.stderr)


@pytest.mark.slow
def test_the_better_of_two_datasets_is_found(house) -> None:
    """Mine prefers the benchmark's answer, theirs another one. One more dataset trains its own runs alone."""
    house.snakemake("--config", *TINY)
    tables = house.folder / "results/tables/compare"
    means = pd.read_csv(tables / "results.csv").set_index("name")
    assert list(means.index) == ["untrained my-model", "mine", "theirs"]
    (row,) = pd.read_csv(tables / "comparison.csv").to_dict("records")
    assert (row["name"], row["baseline"], row["suite"], row["n_seeds"]) == ("mine", "theirs", "gsm8k", 2)
    assert row["verdict"] == "better" and row["p_adjusted"] < 0.05 and row["ci_low"] > 0
    assert row["difference"] == pytest.approx(means.loc["mine", "gsm8k"] - means.loc["theirs", "gsm8k"], abs=1e-3)
    for kind in ("svg", "png"):
        assert (house.folder / f"results/figures/compare/forest.{kind}").stat().st_size > 1000
    for page in ("sections/compare.html", "report.html"):
        assert "<li>mine beats theirs on GSM8K by" in (house.folder / "results" / page).read_text()
    assert house.planned("--config", *TINY) == {}

    add_dataset(house.folder)
    assert {
        rule: count
        for rule, count in house.planned("--config", *TINY, "--", "compare").items()
        if rule in ("load", "labelled", "logprobs", "train", "harness", "given")
    } == {"load": 1, "labelled": 1, "logprobs": 1, "train": 2, "harness": 2}


def add_dataset(folder: Path) -> None:
    shutil.copy(folder / "theirs.jsonl", folder / "more.jsonl")
    file = folder / "miniature.yaml"
    text = file.read_text()
    for old, new in (
        ("sources:\n", "sources:\n  more: {kind: pairs, path: more.jsonl}\n"),
        ("prompt_sets: {", "prompt_sets: {more: {sources: [more], unseen_by: [gsm8k]}, "),
        ("pairs:\n", "pairs:\n  more: {kind: labelled, prompt_set: more}\n"),
        ("datasets: [mine, ", "datasets: [more, mine, "),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
