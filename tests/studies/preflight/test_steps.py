"""The steps of the scorer's and the policy's part, from files to advice, as the rules call them."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.errors import InputError
from scripts.lib.schemas import SAMPLES, SCORES
from scripts.lib.tables import write_table
from studies.preflight import rows
from studies.preflight.finding import read_findings
from studies.preflight.measures import read_measures
from studies.preflight.policy.measure import COLUMNS
from studies.preflight.recommendation import read_recommendations
from tests.pairs_data import Data


class Steps:
    """Tables of pairs in a folder, with two samples a prompt that are the pair's own responses, and steps over them."""

    def __init__(self, folder: Path, policy: Path) -> None:
        self.folder, self.data = folder, Data(folder, policy)
        self.data.write()
        scores = [
            {"response_id": row["response_id"], "score": float(len(row["response"]) % 7)} for row in self.data.responses
        ]
        write_table(pd.DataFrame(scores), folder / "scores.parquet", SCORES)
        own = pd.DataFrame(self.data.responses).assign(seed=0, finished=True)
        own["sample"] = own.groupby("prompt_id").cumcount()
        write_table(own, folder / "samples.parquet", SAMPLES)

    def run(self, monkeypatch, step: str, *names: str, **more: object) -> None:
        """A step with a flag for each table of these names, and more flags."""
        flags = {name: self.folder / f"{name}.parquet" for name in names} | more
        words = [text for name, value in flags.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        monkeypatch.setattr(sys, "argv", [step, *words])
        importlib.import_module(step).main()


def test_from_files_to_advice(tiny_policy: Path, tmp_path: Path, monkeypatch) -> None:
    steps = Steps(tmp_path, tiny_policy)
    texts = ("pairs", "prompts", "responses")
    made = {
        part: {"findings": tmp_path / f"{part}.json", "out": tmp_path / f"{part}.parquet"}
        for part in ("scorer", "policy")
    }
    steps.run(monkeypatch, "studies.preflight.scorer.measure", *texts, "scores", **made["scorer"])
    forward = {"policy": tiny_policy / "policy.json", "max_length": 64, "batch_tokens": 256}
    forward |= {"checkpoints": tmp_path / "pieces", "out": tmp_path / "overlap.parquet"}
    steps.run(monkeypatch, "studies.preflight.policy.overlap", *texts, **forward)
    tables = ("logprobs", "overlap", "samples", "scores")
    steps.run(monkeypatch, "studies.preflight.policy.measure", *texts, *tables, **made["policy"])

    parts = {part: read_measures(files["out"]) for part, files in made.items()}
    assert all(part["pair"].tolist() == list(range(20)) for part in parts.values())
    assert set(parts["policy"]) == {*COLUMNS, "drop"}
    assert parts["policy"]["token_overlap"].between(0, 1).all()
    findings = {each.name: each for files in made.values() for each in read_findings(files["findings"])}
    assert {"wrong_labels", "headroom", "boundary", "chosen_on_policy", "displacement"} <= set(findings)

    whole = rows.joined(pd.DataFrame(steps.data.pairs), list(parts.values()))
    rows.write_frame(whole, tmp_path / "rows.parquet")
    asked = {"names": '{"pairs": "mine", "prompt_set": "set", "scorer": "s", "samples": "own"}', "drop": "drop.parquet"}
    asked |= {"findings": made["scorer"]["findings"], "out": tmp_path / "advice.json"}
    steps.run(monkeypatch, "studies.preflight.advice.measure", "rows", "responses", "scores", "samples", **asked)
    advice = {each.name: each for each in read_recommendations(tmp_path / "advice.json")}
    assert {"tiers", "wider_gap", "on_policy", "objective", "drop", "cleaner_scorer"} <= set(advice)
    assert "more_samples" not in advice  # two samples stand for the policy, none is left


def test_without_samples_only_what_needs_none_is_said(tiny_policy: Path, tmp_path: Path, monkeypatch) -> None:
    steps = Steps(tmp_path, tiny_policy)
    overlap = pd.DataFrame({"pair": range(20), "push": 1.0, "ches": -1.0, "ches_by_length": -1.0})
    overlap.assign(shared_prefix=0, token_overlap=0.5, same_tokens=0.0).to_parquet(tmp_path / "overlap.parquet")
    made = {"findings": tmp_path / "policy.json", "out": tmp_path / "policy.parquet"}
    texts = ("pairs", "prompts", "responses", "logprobs", "overlap")
    steps.run(monkeypatch, "studies.preflight.policy.measure", *texts, **made)
    names = {each.name for each in read_findings(made["findings"])}
    assert "displacement" in names and not {"headroom", "coverage", "boundary", "chosen_on_policy"} & names
    assert "own_mean" not in read_measures(made["out"])


def test_pairs_of_other_tables_are_refused_by_their_row(tiny_policy: Path, tmp_path: Path, monkeypatch) -> None:
    steps = Steps(tmp_path, tiny_policy)
    steps.data.responses = steps.data.responses[2:]
    steps.data.write()
    made = {"findings": tmp_path / "s.json", "out": tmp_path / "s.parquet"}
    with pytest.raises(InputError, match="row 0: its chosen response is in none of the tables given"):
        steps.run(monkeypatch, "studies.preflight.scorer.measure", "pairs", "prompts", "responses", "scores", **made)
