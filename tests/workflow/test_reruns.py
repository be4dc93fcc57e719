"""Promises P1 to P3 on the whole DAG in miniature: what is shared, what is restored, and what runs again."""

import json
import math
import os
import random
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest

from scripts.lib.claims import COLUMNS, VERDICTS
from scripts.lib.tables import THREADS
from tests.workflow.house import House

REPORTING = {"all", "report", "section", "configuration", "rulegraph", "metrics", "table", "sharing", "figure"}
REPORTING |= {"tier_scores", "pair_scores", "training_curves", "claims_of_study", "claims"}
PER_RUN = {"train", "sample", "harness", "judge", "reward"}


def test_everything_is_made_and_nothing_is_left_to_do(finished: House) -> None:
    made = finished.results()
    table = pd.read_csv(finished.folder / "results/tables/what_matters/table1.csv")
    benchmarks = ["gsm8k", "lc_ae2", "mmlu", "ifeval", "truthfulqa", "true_reward"]
    wanted = [f"{name}{suffix}" for name in benchmarks for suffix in ("", "_se", "_gain_se", "_published")]
    assert list(table.columns) == ["dataset", "chosen", "rejected", "n_seeds", "n_draws", *wanted]
    assert len(table) == 9
    ours = [name for name in wanted if not name.endswith(("_gain_se", "true_reward_published"))]
    assert table[ours].notna().all().all() and table["true_reward_published"].isna().all()
    gains = table[[f"{name}_gain_se" for name in benchmarks]]
    assert gains.iloc[0].isna().all() and gains.iloc[1:].notna().all().all()  # the baseline gains over nothing
    claims = pd.read_csv(finished.folder / "results/claims.csv")
    assert list(claims.columns) == COLUMNS and set(claims["verdict"]) <= set(VERDICTS)
    for name, rows in (("table2", 3), ("table3", 12), ("table4", 4), ("table5", 30)):
        assert len(pd.read_csv(finished.folder / f"results/tables/what_matters/{name}.csv")) == rows
    assert "report.html" in made
    assert finished.planned() == {}


def test_every_run_starts_as_its_reference(finished: House) -> None:
    """Log-ratios of 0 whatever the objective; so the loss of step 0 is log 2, but for SFT, which has no reference."""
    tables = sorted(finished.folder.glob("results/training/*.parquet"))
    assert len(tables) > 10
    for path in tables:
        first = pd.read_parquet(path).iloc[0]
        assert abs(first["chosen_reward"]) < 1e-6 and abs(first["rejected_reward"]) < 1e-6, path.name
        assert abs(first["loss"] - math.log(2)) < 1e-6 or ".sft." in path.name, path.name


def test_each_response_is_scored_once_and_has_log_probs_once(finished: House) -> None:
    results = finished.folder / "results"
    sampled = "open_assistant.on_policy"
    tables = ["prompt_sets/open_assistant/responses.parquet", f"samples/medium/{sampled}.responses.parquet"]
    known = {table: pd.read_parquet(results / table)["response_id"] for table in tables}
    for folder in ("scores/oracle", "logprobs/medium"):
        files = sorted((results / folder).glob("open_assistant.*.parquet"))
        assert len(files) == 6
        ids = {path.stem: pd.read_parquet(path)["response_id"] for path in files}
        assert sorted(ids.pop(sampled)) == sorted(known[tables[1]])
        assert sorted(pd.concat(ids.values())) == sorted(known[tables[0]])


def test_what_a_model_made_tells_the_number_of_threads(finished: House) -> None:
    """It is equal bit for bit only at the same number."""
    results = finished.folder / "results"
    cards = [*results.glob("policies/*/policy.json"), *results.glob("scorers/*/scorer.json")]
    cards += [*results.glob("rankers/*/ranker.json"), *results.glob("logprobs/*/*.card.json")]
    cards += results.glob("samples/*/*.card.json")
    told = {str(path.relative_to(results)): json.loads(path.read_text())["threads"] for path in cards}
    assert len(told) > 40 and set(told.values()) == {1}, told
    assert {name.split("/")[0] for name in told} == {"policies", "scorers", "rankers", "logprobs", "samples"}
    for suite, threads in (("mmlu", 1), ("lc_ae2", None), ("true_reward", None)):  # judge and oracle are rules
        records = [json.loads(path.read_text()) for path in results.glob(f"evaluations/*/{suite}.json")]
        assert records and {each["details"]["threads"] for each in records} == {threads}
    for scorer, footer in (("oracle", None), ("reward_model", b"1")):
        tables = [pq.read_metadata(path).metadata for path in results.glob(f"scores/{scorer}/*.parquet")]
        assert tables and {each.get(THREADS.encode()) for each in tables} == {footer}


def test_another_number_of_threads_runs_nothing_again(twin: House) -> None:
    assert twin.planned("--set-threads", "logprobs=2", "train=2", "harness=2") == {}
    for policy in ("weak", "medium", "strong"):
        twin.configure("policies", policy, "threads", 2)
    assert set(twin.planned()) <= {"all", "configuration", "rulegraph", "report"}  # what shows the configuration


def test_a_counterfactual_has_its_partners_chosen_rows(finished: House) -> None:
    pairs = {
        name: pd.read_parquet(finished.folder / f"results/pairs/gap_{name}.parquet")
        for name in ("lg_hq", "sg_hq", "sg_lq", "lg_hq_inverse", "sg_hq_inverse")
    }
    for inverse, chosen, rejected in (("lg_hq_inverse", "lg_hq", "sg_hq"), ("sg_hq_inverse", "sg_hq", "sg_lq")):
        columns = ["prompt_id", "chosen_id", "chosen_score"]
        pd.testing.assert_frame_equal(pairs[inverse][columns], pairs[chosen][columns])
        assert set(pairs[inverse]["rejected_id"]) == set(pairs[rejected]["rejected_id"])


def test_file_times_alone_rerun_nothing(twin: House) -> None:
    draw = random.Random(0)
    for path in sorted(twin.folder.joinpath("results").rglob("*")):
        when = 1_700_000_000 + draw.randrange(10_000_000)
        os.utime(path, (when, when))
    assert twin.planned() == {}


def test_runs_over_several_gpus_are_the_same_runs(finished: House) -> None:
    """The number per run is a resource: it changes the command, and is no reason to run again."""
    two = ("--set-resources", "train:gpu=2")
    assert finished.planned(*two) == {}
    told = finished.snakemake("--dry-run", "--printshellcmds", *two, "--forcerun", "train").stdout
    assert "python -m scripts.lib.devices --count 2 -- python -m torch.distributed.run --standalone" in told
    assert " --nproc-per-node 2 -m -- scripts.training.train \\\n" in told
    assert "python -m scripts.training.train \\\n" not in told


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("scripts/pairs/tiers.py", "def main() -> None:", "# a remark\ndef main() -> None:"),
        ("scripts/lib/chat.py", "\ndef ", "\n\n\n\ndef "),
        (
            "scripts/lib/objectives.py",
            '"""',
            '"""Also: ',
        ),
        ("rules/pairs.smk", "rule tiers:", "# a remark\nrule tiers:"),
    ],
    ids=["comment", "blank lines", "docstring", "comment in a rule"],
)
def test_remarks_rerun_nothing(twin: House, file: str, old: str, new: str) -> None:
    path = twin.folder / file
    path.write_text(path.read_text().replace(old, new, 1))
    assert twin.planned() == {}


def test_a_changed_tier_rule_reruns_pairs_and_what_follows_alone(twin: House) -> None:
    twin.edit("scripts/pairs/tiers.py", 'descending=["score"]', 'descending=["score", "response_id"]')
    planned = twin.planned()
    counts = {"tiers": 1, "pair": 7, "mix": 2, "train": 10, "train_online": 1}  # gap pairs do not depend on tiers
    assert {rule: planned[rule] for rule in counts} == counts
    assert set(planned) <= set(counts) | PER_RUN | REPORTING
    assert planned["sample"] == 11  # the retrained policies', not the base policies'


def test_a_changed_gap_reruns_what_it_bounds_and_nothing_else(twin: House) -> None:
    twin.configure("pairs", "gap_lg_lq", "mean_gap", 0.32)
    planned = twin.planned()
    assert {rule: planned[rule] for rule in ("gap", "train")} == {"gap": 1, "train": 1}
    twin.configure("pairs", "gap_sg_lq", "mean_gap", 0.14)
    planned = twin.planned()
    counts = {"gap": 2, "counterfactual": 1, "train": 3}
    assert {rule: planned[rule] for rule in counts} == counts
    assert set(planned) <= set(counts) | PER_RUN | REPORTING


def test_a_changed_mixture_samples_and_scores_nothing(twin: House) -> None:
    twin.configure("pairs", "on_policy_low_20", "ratio", 0.3)
    planned = twin.planned()
    assert planned["mix"] == 1 and planned["train"] == 1
    assert set(planned) <= {"mix"} | PER_RUN | REPORTING


def test_a_changed_objective_reruns_training_and_not_log_probs(twin: House) -> None:
    twin.configure("training", "beta", 0.2)
    planned = twin.planned()
    assert (planned["train"], planned["train_online"]) == (16, 1)
    assert set(planned) <= {"train_online"} | PER_RUN | REPORTING


def test_a_ninth_dataset_trains_one_run_and_does_nothing_else(twin: House) -> None:
    ninth = {"kind": "tiers", "prompt_set": "open_assistant", "scorer": "oracle", "chosen": "high", "rejected": "low"}
    twin.configure("pairs", "open_assistant_high_low", ninth)
    planned = twin.planned()
    assert {rule: count for rule, count in planned.items() if rule not in REPORTING} == {
        "pair": 1,
        **dict.fromkeys(PER_RUN, 1),
    }
    before = twin.results()
    twin.snakemake()
    table = pd.read_csv(twin.folder / "results/tables/what_matters/table1.csv")
    assert len(table) == 10 and list(table.iloc[-1][["chosen", "rejected"]]) != ["best", "worst"]
    after = twin.results()
    changed = {name.split("/")[0] for name in before if before[name] != after[name]}
    pages = {"sections", "report.html", "configuration.json", "metrics.json"}
    assert changed <= {"tables", "claims", "claims.csv", "figures", *pages}


@pytest.mark.slow
def test_deleted_results_come_back_bit_for_bit(twin: House) -> None:
    before = twin.results()
    for part in ("results", ".snakemake", "checkpoints", "logs", "benchmarks"):
        shutil.rmtree(twin.folder / part, ignore_errors=True)
    twin.snakemake("--", "all", "world")
    after = twin.results()
    assert sorted(after) == sorted(before)
    assert [name for name in before if before[name] != after[name]] == []
