"""A given model, supervised on a file of conversations, and a run that starts from it."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.unit.test_supervise import conversations
from tests.workflow.house import House

MADE = {
    "conversations": 1,
    "given": 1,
    "supervise": 1,
    "load": 1,
    "curate": 1,
    "preferences": 1,
    "labelled": 1,
    "logprobs": 1,
    "train": 1,
}
ASKED = ["--configfile", "miniature.yaml", "mine.yaml", "--", "results/policies/taught.mine.dpo.s0/policy.json"]


def written(file: Path, rows: list[dict]) -> None:
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.fixture
def house(tiny_policy: Path, tmp_path: Path) -> House:
    house = House.build(tmp_path / "house")
    written(house.folder / "talk.jsonl", [{"messages": each} for each in conversations(24)])
    rows = [{"prompt": f"sort {at}", "chosen": f"copy the list {at}", "rejected": f"no {at}"} for at in range(12)]
    written(house.folder / "my_pairs.jsonl", rows)
    taught = {"kind": "supervised", "start": "base", "demonstrations": "talk", "precision": "float32"}
    mine = {
        "sources": {
            "talk": {"kind": "conversations", "path": "talk.jsonl"},
            "mine": {"kind": "pairs", "path": "my_pairs.jsonl"},
        },
        "prompt_sets": {"mine": {"sources": ["mine"]}},
        "pairs": {"mine": {"kind": "labelled", "prompt_set": "mine"}},
        "policies": {
            "base": {"kind": "given", "model": str(tiny_policy), "max_length": 64},
            "taught": taught | {"batch_conversations": 8, "max_length": 48, "learning_rate": 1e-3},
        },
        "training": {"max_length": 48},
    }
    (house.folder / "mine.yaml").write_text(yaml.safe_dump(mine))
    return house


def test_only_what_the_run_needs_is_made(house: House) -> None:
    assert house.planned(*ASKED) == MADE


@pytest.mark.slow
def test_a_run_from_a_supervised_policy(house: House) -> None:
    house.snakemake(*ASKED)
    results = house.folder / "results"
    steps = pd.read_parquet(results / "training/taught.parquet")
    card = json.loads((results / "training/taught.card.json").read_text())
    assert steps["conversations"].sum() == card["conversations"] == card["conversations_read"] <= 24
    assert steps["learnt_tokens"].sum() == card["learnt_tokens"]
    run = pd.read_parquet(results / "training/taught.mine.dpo.s0.parquet")
    assert run["loss"].iloc[0] == pytest.approx(0.6931471805599453, abs=1e-6)
    assert house.planned(*ASKED) == {}

    house.edit("mine.yaml", "learning_rate: 0.001", "learning_rate: 0.002")
    assert house.planned(*ASKED) == {"supervise": 1, "logprobs": 1, "train": 1}
    house.edit("mine.yaml", "learning_rate: 0.002", "learning_rate: 0.001")
    written(house.folder / "talk.jsonl", [{"messages": each} for each in conversations(16)])
    assert house.planned(*ASKED) == {"conversations": 1, "supervise": 1, "logprobs": 1, "train": 1}
