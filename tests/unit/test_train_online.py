"""Online runs: rejected responses are sampled from the current policy, and a killed run resumes identically."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scripts.lib.chat import encode
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import normalise, response_id, seed_of
from scripts.lib.logprobs import token_logprobs
from scripts.lib.sampling import TransformersSampler
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.training import train as offline
from scripts.training import train_online as step
from scripts.training.loop import train
from scripts.training.reading import read_store
from scripts.training.renewal import draws_of
from tests.pairs_data import Data, spec_of

REPOSITORY = Path(__file__).parents[2]
ONLINE = {"refresh_every": 2, "max_new_tokens": 12, "batch_tokens": 256}


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


def prepared(data: Data, spec) -> offline.Prepared:
    examples = data.examples()
    paths = [[data.folder / f"{name}.parquet"] for name in ("prompts", "responses", "logprobs")]
    store = read_store(offline.read_table(data.folder / "pairs.parquet", offline.PAIRS), *paths)
    assert examples
    return offline.Prepared(spec, 1, data.card, data.tokenizer, data.model, store)


def test_the_rejected_are_the_policys_own_samples_with_the_references_log_probs(data) -> None:
    run = prepared(data, spec_of(online=ONLINE))
    renewal = step.OnlineRejected(run)
    with torch.no_grad():  # a policy that differs from its reference
        for parameter in data.model.parameters():
            parameter.mul_(1.05)
    before = data.examples()[:7]
    (batch,) = renewal(data.model, 4, [before])
    renewed = batch.items
    assert batch.columns == {"samples": 7} and not data.model.training
    ids = [run.store.responses[each.chosen_id][0] for each in before]
    prompts = [run.store.prompts[each] for each in ids]
    sampling = SamplingSpec(max_new_tokens=12, batch_tokens=64, seed=seed_of("online", 1, 4) % 2**32)
    samples = TransformersSampler(data.model, data.tokenizer, 64).sample(prompts, ids, sampling)
    for old, new, prompt, sample in zip(before, renewed, prompts, samples, strict=True):
        assert (new.chosen, new.chosen_id, new.ref_chosen) == (old.chosen, old.chosen_id, old.ref_chosen)
        text = normalise(sample.text)
        if not text and not sample.finished:  # nothing to learn from
            assert new == old
            continue
        assert new.rejected == encode(data.tokenizer, prompt, text, 64, sample.finished)
        assert new.rejected_id == response_id(sample.prompt_id, text, sample.finished)
        with torch.no_grad():
            reference = token_logprobs(renewal.reference, [new.rejected], data.tokenizer.pad_token_id)[0]
            moved = token_logprobs(data.model, [new.rejected], data.tokenizer.pad_token_id)[0]
        assert new.ref_rejected == pytest.approx(float(reference.sum()), abs=1e-4)
        assert new.ref_rejected != pytest.approx(float(moved.sum()), abs=1e-3)


@pytest.mark.parametrize("every", [1, 2, 4])
def test_samples_are_drawn_anew_every_few_steps_for_the_steps_to_come(data, every) -> None:
    spec = spec_of(online=ONLINE | {"refresh_every": every}, epochs=2)
    asked: list[tuple[int, int]] = []

    class Spy(step.OnlineRejected):
        def __call__(self, model, at, batches):
            asked.append((at, sum(map(len, batches))))
            return super().__call__(model, at, batches)

    rows = train(data.model, data.examples(), spec, 1, data.tokenizer.pad_token_id, renewal=Spy(prepared(data, spec)))
    assert [at for at, _ in asked] == list(range(0, len(rows), every))
    assert sum(count for _, count in asked) == rows["pairs"].sum()
    assert rows["loss"][0] == pytest.approx(math.log(2), abs=1e-5)


def test_it_raises_the_chosen(data) -> None:
    spec = spec_of(online=ONLINE | {"refresh_every": 1}, epochs=10)
    renewal = step.OnlineRejected(prepared(data, spec))
    rows = train(data.model, data.examples(), spec, 1, data.tokenizer.pad_token_id, renewal=renewal)
    assert rows["chosen_reward"].iloc[-3:].mean() > rows["chosen_reward"].iloc[:3].mean() + 0.1


def test_each_kind_of_run_has_its_own_step(data, monkeypatch) -> None:
    data.write()
    for module, spec in ((step, spec_of()), (offline, spec_of(online=ONLINE))):
        monkeypatch.setattr(sys, "argv", ["train", *data.arguments("run", spec)])
        with pytest.raises(InputError, match="online with train_online"):
            module.main()


@pytest.mark.parametrize(
    ("every", "reuse", "batches"), [(1, 1, 5), (1, 3, 5), (2, 1, 5), (2, 3, 5), (9, 2, 5), (3, 2, 6)]
)
def test_each_batch_of_a_draw_is_used_as_often_as_asked(every, reuse, batches) -> None:
    """In passes over the draw; a draw at the end may be shorter."""
    steps = [[at] for at in range(batches)]
    draws = draws_of(steps, SimpleNamespace(every=every, reuse=reuse))
    assert max(draws) == batches * reuse and draws.pop(max(draws)) == []
    assert [each for at in sorted(draws) for each in draws[at]] == steps
    ends = [*sorted(draws)[1:], batches * reuse]
    for (at, of_draw), end in zip(sorted(draws.items()), ends, strict=True):
        assert end - at == len(of_draw) * reuse and len(of_draw) <= every


KILL = """
import os, signal, sys, torch
steps, original = [], torch.optim.AdamW.step
def step(self, *rest):
    if len(steps) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    steps.append(original(self, *rest))
torch.optim.AdamW.step = step
from scripts.training import train_online
train_online.main()
"""


SCORED = {"samples": 3, "scorer": "oracle"}
KINDS = {
    "rejected": {"online": ONLINE, "epochs": 3},
    "dpo": {"online": ONLINE | SCORED, "epochs": 3},
    "ppo": {"objective": "ppo", "online": ONLINE | SCORED | {"refresh_every": 1, "reuse": 2}, "epochs": 1.6},
    "reinforce": {"objective": "reinforce", "online": ONLINE | SCORED | {"baseline": "value"}, "epochs": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_goes_on_to_the_same_bytes(tiny_policy, tmp_path, monkeypatch, caplog, kind) -> None:
    """SIGKILL in the eighth step; checkpoints are due after every third and are written when sampling."""
    caplog.set_level("INFO")
    data = Data(tmp_path, tiny_policy, world=True)
    data.write()
    spec = spec_of(checkpoint_every=3, **KINDS[kind])
    for run in ("undisturbed", "killed"):
        arguments = data.arguments(run, spec)
        if spec.online.scorer:
            arguments += ["--scorer", '{"kind": "oracle"}']
        if run == "killed":
            environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
            killed = subprocess.run([sys.executable, "-c", KILL, *arguments], env=environment, cwd=tmp_path)
            assert killed.returncode == -signal.SIGKILL
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        torch.set_num_threads(1)
        step.main()
    assert "going on from checkpoint" in caplog.text and "00000004.json" in caplog.text
    for made in ("{}/model.safetensors", "{}.parquet"):
        assert (tmp_path / made.format("killed")).read_bytes() == (tmp_path / made.format("undisturbed")).read_bytes()
    assert len(read_table(tmp_path / "killed.parquet", TRAINING)) >= 9
