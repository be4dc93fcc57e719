"""A run on two processes equals that on one, up to rounding: losses, tables, weights and checkpoints."""

import logging
import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import torch.distributed as dist
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from scripts.lib import devices
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.training import updates
from scripts.training.checkpoints import Checkpoints
from scripts.training.lessons import Example
from scripts.training.loop import train
from scripts.training.processes import Processes, joined
from tests.pairs_data import Data, spec_of

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["scripts.training.loop"])  # torch and transformers are imported once for all

Run = tuple[pd.DataFrame, dict[str, Tensor]]


def child(rank: int, count: int, port: int, work: Callable[[Processes], Any], out: Path) -> None:
    torch.set_num_threads(1)
    logging.disable()
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=count)
    found = work(Processes("cpu"))
    if rank == 0:
        torch.save(found, out)
    dist.barrier()
    dist.destroy_process_group()


def together(count: int, work: Callable[[Processes], Any], out: Path) -> Any:
    """The result of ``work`` in the first of several processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [FORKS.Process(target=child, args=(rank, count, port, work, out)) for rank in range(count)]
    for each in started:
        each.start()
    for each in started:
        each.join()
    assert [each.exitcode for each in started] == [0] * count
    return torch.load(out, weights_only=False)


def runs(
    processes: Processes | None,
    policy: Path,
    examples: list[Example],
    variants: Sequence[tuple[Hyperparameters, bool]],
    folder: Path | None = None,
) -> list[Run]:
    """A run of each variant: (hyperparameters, whether packed). Checkpoints stay in ``folder``."""
    found = []
    for spec, packed in variants:
        model = load_causal(read_policy(policy / "policy.json"))
        with pytest.MonkeyPatch.context() as patch:
            if not packed:
                patch.setattr(updates, "reason_against", lambda *_: "asked not to")
            checkpoints = Checkpoints(folder, "a" * 64) if folder else None
            rows = train(model, examples, spec, 1, 0, checkpoints, processes=processes)
        found.append((rows, processes.whole(model.state_dict()) if processes else model.state_dict()))
    return found


FIRST, LATER = 1e-5, 3e-4
"""Tolerances of a step's measurements, relative and absolute. In the first step sums differ in their order alone.

From there on AdamW, whose early updates are as large for a gradient of rounding errors as for any other, makes rounding
grow: on one process, initial weights moved by one rounding each (2^-24; 8 draws, the untied policy) change gradient
norms by up to 8e-7 in the first step, 5e-5 in the sixth, and 1.4e-4 in 40 steps of one pair; weights by 1.5e-6.
"""


def assert_same(found: Run, expected: Run) -> None:
    """Weights to FIRST, measurements to FIRST and LATER."""
    assert found[0]["pairs"].tolist() == expected[0]["pairs"].tolist()
    for rows, near in ((slice(0, 1), FIRST), (slice(1, None), LATER)):
        for column in found[0].columns.drop("accuracy"):
            measured, wanted = (each[0][column][rows].astype(float).tolist() for each in (found, expected))
            # Nothing, where an objective has no such gradient, is only equal to nothing.
            assert measured == pytest.approx(wanted, rel=near, abs=near, nan_ok=True), column
    # Until the policy has changed, which of two equal rewards is larger depends on rounding.
    assert found[0]["accuracy"][2:].tolist() == pytest.approx(expected[0]["accuracy"][2:].tolist())
    assert found[1].keys() == expected[1].keys()
    for name, each in expected[1].items():
        torch.testing.assert_close(found[1][name], each, rtol=FIRST, atol=FIRST)


def made_of(config: PretrainedConfig, folder: Path, like: Path) -> Path:
    """A policy with random weights and the tokenizer of another, in ``folder``."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config)
    save_policy(
        folder, model, load_tokenizer(read_policy(like / "policy.json")), name="x", kind="scratch", max_length=64
    )
    return folder


@pytest.fixture
def untied(tmp_path: Path, tiny_policy: Path) -> Path:
    """The tiny policy with an untied head, and an odd number of rows in some of its matrices."""
    config = AutoConfig.from_pretrained(tiny_policy)
    config.tie_word_embeddings, config.intermediate_size = False, 33
    return made_of(config, tmp_path / "untied", tiny_policy)


def test_two_processes_are_one(tmp_path: Path, tiny_policy: Path) -> None:
    """Steps of 19 pairs and of one, in micro-batches of which the processes have different numbers."""
    work = partial(
        runs,
        policy=tiny_policy,
        examples=Data(tmp_path, tiny_policy).examples(),
        variants=[(spec_of(batch_pairs=19, batch_tokens=90), True)],
    )
    assert_same(*together(2, work, tmp_path / "out"), *work(None))


VARIANTS = [
    (spec_of(batch_pairs=7, batch_tokens=60), False),
    (spec_of(batch_pairs=7, objective="sft", batch_tokens=60), True),
    (spec_of(batch_pairs=1, weight_decay=0.1), True),
    (spec_of(gradient_checkpointing=True, max_gradient_norm=0.01), True),
    (spec_of(gradient_checkpointing=True), False),
    (spec_of(batch_pairs=7, batch_tokens=60, compile=True, epochs=1), True),  # rounding grows from step to step
]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("policy", ["tiny_policy", "untied"])
def test_several_processes_are_one_in_every_way(tmp_path: Path, policy: str, count: int, request) -> None:
    folder = request.getfixturevalue(policy)
    work = partial(runs, policy=folder, examples=Data(tmp_path, folder).examples(), variants=VARIANTS)
    for found, expected in zip(together(count, work, tmp_path / "out"), work(None), strict=True):
        assert_same(found, expected)


SMALL = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.3,
}
OTHERS = {
    "gpt2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},  # learnt positions besides the embeddings
    "phi": {"intermediate_size": 32, "num_key_value_heads": 2},  # a head with a bias
    "gemma2": {"intermediate_size": 32, "num_key_value_heads": 2, "head_dim": 8},  # cannot be packed
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_models_of_other_makes(tmp_path: Path, tiny_policy: Path, kind: str) -> None:
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = AutoConfig.for_model(kind, **SMALL, **OTHERS[kind], **ids)
    policy = made_of(config, tmp_path / kind, tiny_policy)
    variants = [(spec_of(batch_pairs=7, learning_rate=1e-3), True)]
    work = partial(runs, policy=policy, examples=Data(tmp_path, policy).examples(), variants=variants)
    for found, expected in zip(together(2, work, tmp_path / "out"), work(None), strict=True):
        for _, weights in (found, expected):
            for name in [name for name in weights if name.endswith(("c_attn.bias", "k_proj.bias"))]:
                del weights[name]  # attention does not depend on a key's bias: there AdamW follows rounding errors
        assert_same(found, expected)


@pytest.mark.slow
def test_bfloat16_is_that_of_one_process(tmp_path: Path, tiny_policy: Path) -> None:
    """One pair per micro-batch: equal rounding in the first forward pass, similar from there on; float32 weights."""
    spec = spec_of(precision="bfloat16", learning_rate=1e-3, batch_tokens=1)
    variants = [(spec, True), (spec, False)]
    work = partial(runs, policy=tiny_policy, examples=Data(tmp_path, tiny_policy).examples(), variants=variants)
    for found, expected in zip(together(2, work, tmp_path / "out"), work(None), strict=True):
        first, wanted = found[0].iloc[0], expected[0].iloc[0]
        for column in ("chosen_logp", "rejected_logp"):
            assert first[column] == pytest.approx(wanted[column], rel=1e-12)
        assert first["gradient_norm"] == pytest.approx(wanted["gradient_norm"], rel=1e-2)
        assert found[0]["loss"].tolist() == pytest.approx(expected[0]["loss"].tolist(), abs=0.02)
        assert {each.dtype for each in found[1].values()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 3)])
def test_a_checkpoint_goes_on_with_another_number_of_processes(
    tmp_path: Path, untied: Path, before: int, after: int
) -> None:
    """Six steps with checkpoints after four and six; the last is lost, and two steps are repeated."""
    folder = tmp_path / "checkpoints"
    variants = [(spec_of(checkpoint_every=2, weight_decay=0.1), True)]
    work = partial(runs, policy=untied, examples=Data(tmp_path, untied).examples(), variants=variants)
    kept = partial(work, folder=folder)
    whole, found = work(None), []
    for count in (before, after):
        found.append(kept(None) if count == 1 else together(count, kept, tmp_path / "out"))
        assert sorted(path.stem[-1] for path in folder.glob("*.json")) == ["4", "6"]
        next(folder.glob("*6.json")).unlink()
    for each in found:
        assert_same(each[0], whole[0])


def test_a_process_that_nobody_started_with_others_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as on some clusters, for other reasons
    with joined() as processes:
        assert processes is None


@pytest.fixture
def started_by_torchrun(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_several_machines_are_refused(started_by_torchrun: pytest.MonkeyPatch) -> None:
    started_by_torchrun.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match="4 processes on several machines"), joined():
        pass


def test_devices_that_were_not_leased_together_are_refused(started_by_torchrun: pytest.MonkeyPatch) -> None:
    started_by_torchrun.setenv(devices.MASK, "0,1")
    started_by_torchrun.delenv(devices.LEASED, raising=False)
    with pytest.raises(InputError, match=r"(?s)a device each.*scripts.lib.devices --count 2"), joined():
        pass
