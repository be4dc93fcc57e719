"""The training step: what it joins and refuses, what it makes, and how a killed run resumes."""

import math
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_json, read_table
from scripts.training import train as step
from scripts.training.lessons import Example
from scripts.training.loop import train
from tests.pairs_data import SPEC, Data, spec_of

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


@pytest.fixture
def run_step(data, monkeypatch):
    """Run the step in this process, and return the table that it wrote."""

    def run(name: str, spec: Hyperparameters) -> pd.DataFrame:
        monkeypatch.setattr(sys, "argv", ["train", *data.arguments(name, spec)])
        step.main()
        return read_table(data.folder / f"{name}.parquet", TRAINING)

    return run


def test_a_run_makes_a_policy_and_a_table(data, run_step, tiny_policy) -> None:
    data.write()
    rows = run_step("run", spec_of(checkpoint_every=1))
    card = read_policy(data.folder / "run" / "policy.json")
    assert (card.name, card.kind, card.max_length) == ("run", "trained", 64)
    trained, base = load_causal(card).state_dict(), data.model.state_dict()
    assert any(not torch.equal(trained[name], base[name]) for name in base)
    assert load_tokenizer(card).get_vocab() == data.tokenizer.get_vocab()
    assert rows["step"].tolist() == list(range(6))
    assert rows["loss"][0] == pytest.approx(math.log(2), abs=1e-5)
    assert not data.checkpoints("run").exists()
    again = run_step("again", spec_of(batch_tokens=16384, checkpoint_every=1))
    pd.testing.assert_frame_equal(rows, again)


def test_references_are_those_of_the_cut_response(data) -> None:
    """A run's max_length below the policy's: the log-probs of the tokens that are kept, and no more."""
    rows = train(data.model, data.examples(max_length=18), spec_of(max_length=18), 1, 0)
    assert rows["loss"][0] == pytest.approx(math.log(2), abs=1e-5)
    assert rows["tokens"].sum() < sum(each.tokens for each in data.examples()) * SPEC.epochs


def test_pairs_without_room_are_dropped_and_counted(data, run_step, caplog) -> None:
    caplog.set_level("INFO")
    content = "copy the list : " + " ".join(["a"] * 70)
    row = {"prompt": [{"role": "user", "content": content}], "source": "here", "split": "train"}
    data.prompts[3] |= row | {"prompt_id": prompt_id(row["prompt"])}
    for response in data.responses[6:8]:
        response["prompt_id"] = data.prompts[3]["prompt_id"]
    data.pairs[3]["prompt_id"] = data.prompts[3]["prompt_id"]
    del data.logprobs[6:8]
    data.write()
    assert run_step("run", spec_of(batch_pairs=100, epochs=1))["pairs"].tolist() == [19]
    assert read_json(data.folder / "run.card.json")["dropped"] == {"no_room_in_max_length": 1}


def test_a_spec_without_room_for_any_pair_is_refused(data, run_step) -> None:
    data.write()
    with pytest.raises(InputError, match="no pair fits 3 tokens"):
        run_step("run", spec_of(max_length=3))


def lose_response(data: Data) -> None:
    data.responses = [row for row in data.responses if row["response_id"] != data.pairs[4]["rejected_id"]]


def lose_prompt(data: Data) -> None:
    data.prompts = [row for row in data.prompts if row["prompt_id"] != data.pairs[4]["prompt_id"]]


def lose_logprobs(data: Data) -> None:
    data.logprobs = [row for row in data.logprobs if row["response_id"] != data.pairs[4]["chosen_id"]]


def shorten_logprobs(data: Data) -> None:
    data.logprobs[8]["token_logprobs"] = data.logprobs[8]["token_logprobs"][:-1]


def cross_prompts(data: Data) -> None:
    data.pairs[4]["chosen_id"] = data.pairs[3]["chosen_id"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_response, r"pairs.parquet, row 4, rejected_id \w+: is in no responses table"),
        (lose_prompt, r"pairs.parquet, row 4, chosen_id \w+: prompt \w+ is in no prompts table"),
        (lose_logprobs, r"pairs.parquet, row 4, chosen_id \w+: has 0 stored log-probs"),
        (shorten_logprobs, r"pairs.parquet, row 4, chosen_id \w+: has 6 stored log-probs and 7 tokens.*stale"),
        (cross_prompts, r"pairs.parquet, row 4, chosen_id \w+: responds to \w+, the pair is of \w+"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tables_that_do_not_fit_together_are_refused(data, run_step, damage, message) -> None:
    damage(data)
    data.write()
    with pytest.raises(InputError, match=message):
        run_step("run", spec_of())
    assert not (data.folder / "run").exists()


def test_a_max_length_above_the_log_probs_is_refused(data, run_step) -> None:
    data.write()
    with pytest.raises(InputError, match="max_length 65 is above the 64"):
        run_step("run", spec_of(max_length=65))


def test_everything_that_a_run_depends_on_is_in_its_digest(data, tmp_path) -> None:
    examples = data.examples()
    policy = data.policy / "policy.json"
    other = tmp_path / "policy.json"
    other.write_text(policy.read_text().replace("tiny", "other"))
    digest = partial(step.digest_of, "scripts.training.train")
    moved = [*examples[:-1], Example(**vars(examples[-1]) | {"ref_rejected": examples[-1].ref_rejected - 1e-9})]
    digests = [
        digest(SPEC, 1, examples, policy),
        digest(SPEC, 2, examples, policy),
        digest(spec_of(beta=0.6), 1, examples, policy),
        digest(SPEC, 1, examples[::-1], policy),
        digest(SPEC, 1, moved, policy),
        digest(SPEC, 1, examples, other),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "fingerprint", lambda *_: "changed code")
        digests.append(digest(SPEC, 1, examples, policy))
    assert len(set(digests)) == len(digests)
    assert digests[0] == digest(SPEC, 1, data.examples(), policy)


KILL = """
import os, signal, sys, torch
after = int(sys.argv.pop(1))
steps, original = [], torch.optim.AdamW.step
def step(self, *rest):
    if len(steps) == after:
        os.kill(os.getpid(), signal.SIGKILL)
    steps.append(original(self, *rest))
torch.optim.AdamW.step = step
from scripts.training import train
train.main()
"""


@pytest.mark.parametrize("compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, tiny_policy, monkeypatch, caplog, compile) -> None:
    """SIGKILL in the eighth of 15 steps, with checkpoints after steps 3 and 6, the newer one then damaged."""
    caplog.set_level("INFO")
    data, spec = Data(tmp_path, tiny_policy), spec_of(epochs=5, checkpoint_every=3, compile=compile)
    data.write()
    for run in ("undisturbed", "killed"):
        arguments = data.arguments(run, spec)
        if run == "killed":
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
            killed = subprocess.run([sys.executable, "-c", KILL, "7", *arguments], env=environment, cwd=tmp_path)
            assert killed.returncode == -signal.SIGKILL
            assert not (tmp_path / run).exists() and not (tmp_path / f"{run}.parquet").exists()
            newest = sorted(data.checkpoints(run).glob("*-00000006.pt"))[0]
            os.truncate(newest, newest.stat().st_size - 1)
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        torch.set_num_threads(1)
        step.main()
    assert "00000006.json is not what was written" in caplog.text
    assert "going on from checkpoint" in caplog.text and "00000003.json" in caplog.text
    for made in ("{}/model.safetensors", "{}.parquet"):
        assert (tmp_path / made.format("killed")).read_bytes() == (tmp_path / made.format("undisturbed")).read_bytes()
    assert not data.checkpoints("killed").exists()
