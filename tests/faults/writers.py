"""One writer per kind of artifact, using the production code. Each writes ``old`` or ``new`` content."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from scripts.evaluation.verdicts import Verdicts
from scripts.lib.classifiers import save_classifier
from scripts.lib.config.policies import Architecture
from scripts.lib.csv_files import write_csv
from scripts.lib.models import save_policy
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import SCORES
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import write_json, write_table
from scripts.report import style
from scripts.training.checkpoints import Checkpoints

DIGEST = "a" * 64


def draw(which: str) -> np.random.Generator:
    return np.random.default_rng(len(which) if which == "old" else 7)


def table(folder: Path, which: str) -> None:
    ids = [f"response {at}" for at in range(20_000)]
    write_table(pd.DataFrame({"response_id": ids, "score": draw(which).random(20_000)}), folder / "t.parquet", SCORES)


def text(folder: Path, which: str) -> None:
    write_json(draw(which).random(20_000).tolist(), folder / "metrics.json")


def record(folder: Path, which: str) -> None:
    values = draw(which).random(10_000).tolist()
    write_evaluation(evaluation("policy", "suite", "accuracy", values, {}, {}), folder / "suite.json")


def csv(folder: Path, which: str) -> None:
    write_csv([{"value": value} for value in draw(which).random(40_000).tolist()], ["value"], folder / "table.csv")


def figure(folder: Path, which: str) -> None:
    with style.drawing():
        drawn = Figure(figsize=(8, 6))
        drawn.subplots().scatter(*draw(which).random((2, 2000)))
        style.save(drawn, [folder / "figure.svg", folder / "figure.png"])


def small_model(kind: str, which: str):
    from transformers import LlamaForCausalLM, LlamaForSequenceClassification

    tokenizer = train_tokenizer("words", ["a b c d"], 64)
    shape = Architecture(tokenizer="words", vocabulary=64, hidden_size=64, layers=2, heads=2)
    config = tiny_llama_config(shape, tokenizer, 64)
    with torch.random.fork_rng():
        torch.manual_seed(0 if which == "old" else 1)
        if kind == "policy":
            return LlamaForCausalLM(config), tokenizer
        config.num_labels = 1
        return LlamaForSequenceClassification(config), tokenizer


def policy(folder: Path, which: str) -> None:
    model, tokenizer = small_model("policy", which)
    save_policy(folder, model, tokenizer, name="small", kind="trained", max_length=64)


def classifier(folder: Path, which: str) -> None:
    model, tokenizer = small_model("classifier", which)
    save_classifier(folder / "scorer.json", model, tokenizer, {"name": "small"})


def checkpoint(folder: Path, which: str) -> None:
    step = 10 if which == "old" else 20
    Checkpoints(folder, DIGEST).save(step, {"weights": torch.full((100_000,), float(step)), "rows": [{}] * step})


def verdicts(folder: Path, which: str) -> None:
    kept = Verdicts(folder, {"kind": "judge"})
    with kept.alone() as ledger:
        known = kept.read()
        for at in range(10 if which == "old" else 300):
            if kept.key(row := (json.dumps(at), "first", "second")) not in known:
                ledger.add(row, 1.0)


REPLACED: dict[str, Callable[[Path, str], None]] = {
    each.__name__: each for each in (table, text, record, csv, figure, policy, classifier)
}
"""Writers that replace existing files."""
ADDED: dict[str, Callable[[Path, str], None]] = {each.__name__: each for each in (checkpoint, verdicts)}
"""Writers that add to existing files."""
