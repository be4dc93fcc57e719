"""Promise P5: a killed job of sampling, scoring or log-probs resumes from what it has done, with the same result."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib import pieces as module
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.pieces import Pieces, digest_of, in_batches
from scripts.lib.schemas import RESPONSES
from scripts.lib.tables import write_table
from scripts.logprobs import compute
from scripts.samples import sample
from scripts.scores import score
from tests.scoring_data import Data, save_plain, tiny_classifier

ROOT = Path(__file__).resolve().parents[2]
DIGEST, OTHER = "a" * 64, "b" * 64


class Killed(BaseException):
    """Ends a job as a signal does: nothing in the code catches it."""


@pytest.fixture(autouse=True)
def every_batch_is_kept(monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.0)


def killed_after(saves: int, monkeypatch) -> None:
    """Make the next job end just after a given number of pieces."""
    save, done = Pieces.save, []

    def save_and_die(self, values):
        save(self, values)
        done.append(values)
        if len(done) == saves:
            monkeypatch.setattr(Pieces, "save", save)
            raise Killed

    monkeypatch.setattr(Pieces, "save", save_and_die)


VALUES = {
    "texts": lambda at: ["", "naïve\n", "\ud7ff𝔘", "a b"][at % 4],
    "numbers": lambda at: [0.1, -1e-300, 3.0, 1e22 / 3][at % 4] * (at + 1),
    "vectors": lambda at: np.float32([0.1, -1.5e-40, -7.25][: at % 4]) * np.float32(at),
}


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 11), st.sampled_from(sorted(VALUES)))
def test_what_is_done_is_not_done_again_and_is_the_same_to_the_last_bit(tmp_path_factory, rows, size, stop, kind):
    folder = tmp_path_factory.mktemp("pieces")
    order = list(range(rows))[::-1]
    batches = [order[at : at + size] for at in range(0, rows, size)]
    worked = []

    def work(batch):
        if len(worked) == stop:
            worked.append(None)
            raise Killed
        worked.append(batch)
        return [VALUES[kind](at) for at in batch]

    try:
        found = in_batches(batches, work, "worked", Pieces(folder, DIGEST))
    except Killed:
        found = in_batches(batches, work, "worked", Pieces(folder, DIGEST))
    assert [batch for batch in worked if batch is not None] == batches
    assert found.keys() == set(range(rows))
    for at, value in found.items():
        expected = VALUES[kind](at)
        assert type(value) is type(expected)
        assert np.array_equal(value, expected) and getattr(value, "dtype", 0) == getattr(expected, "dtype", 0)


def test_a_broken_piece_is_made_again_and_one_of_another_job_is_left(tmp_path, caplog):
    caplog.set_level("INFO")
    mine, other = Pieces(tmp_path, DIGEST), Pieces(tmp_path, OTHER)
    other.save({0: "theirs"})
    assert mine.load() == {}
    assert "1 pieces are of another job" in caplog.text
    mine.save({0: "a"})
    mine.save({1: "b"})
    (tmp_path / f".{DIGEST}-{'c' * 64}.parquet.77.tmp").write_bytes(b"half")  # left by a killed write
    broken = sorted(tmp_path.glob(f"{DIGEST}*"))[0]
    lost = {0, 1} - set(Pieces(tmp_path, DIGEST).load())
    broken.write_bytes(broken.read_bytes()[:-1] + b"\0")
    left = mine.load()
    assert len(left) == 1 and not lost and not broken.exists() and "deleted" in caplog.text
    redone = []
    assert in_batches([[0], [1]], lambda batch: redone.append(batch) or ["ab"[batch[0]]], "", mine) == {0: "a", 1: "b"}
    assert len(redone) == 1
    assert other.load() == {0: "theirs"}
    (tmp_path / "notes.txt").write_text("mine")
    mine.delete()
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "notes.txt").unlink()
    mine.delete()
    assert not tmp_path.exists()
    mine.delete()


def test_short_jobs_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 60.0)
    in_batches([[0], [1]], lambda batch: batch, "", Pieces(tmp_path / "none", DIGEST))
    assert not (tmp_path / "none").exists()


def test_the_digest_is_of_code_and_parts():
    digests = [
        digest_of("scripts.samples.sample", {"seed": 0}, ["p"]),
        digest_of("scripts.samples.sample", {"seed": 1}, ["p"]),
        digest_of("scripts.samples.sample", {"seed": 0}, ["q"]),
        digest_of("scripts.scores.score", {"seed": 0}, ["p"]),
    ]
    assert len(set(digests)) == 4 and digest_of("scripts.samples.sample", {"seed": 0}, ["p"]) == digests[0]


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path, prompts=12).write()


def sampling(data, policy):
    spec = SamplingSpec(precision="float32", max_new_tokens=6, batch_tokens=60).model_dump_json()
    return sample, ["--policy", policy / "policy.json", "--spec", spec, *data.flags("prompts", family="tiny")]


def logprobs(data, policy):
    tables = data.flags("prompts", "responses", family="fruit.kind", batch_tokens=60)
    return compute, ["--policy", policy / "policy.json", *tables]


def scoring(data, policy):
    model = save_plain(tiny_classifier(), data.folder / "model")
    spec = {"kind": "reward_model", "model": str(model), "precision": "float32", "max_length": 48, "batch_tokens": 60}
    tables = data.flags("prompts", "responses", "annotations", family="fruit.kind", scorer="x")
    return score, [*tables, "--spec", json.dumps(spec)]


def run(monkeypatch, step, flags, out: Path) -> bytes:
    arguments = [*flags, "--out", out, "--checkpoints", out.parent / "checkpoints"]
    monkeypatch.setattr(sys, "argv", ["step", *map(str, arguments)])
    step.main()
    return out.read_bytes()


@pytest.mark.parametrize("job", [sampling, logprobs, scoring])
def test_a_killed_step_goes_on_to_the_same_bytes(data, tiny_policy, monkeypatch, caplog, job):
    caplog.set_level("INFO")
    step, flags = job(data, tiny_policy)
    undisturbed = run(monkeypatch, step, flags, data.folder / "undisturbed.parquet")
    out = data.folder / "out.parquet"
    for _ in range(2):
        killed_after(1, monkeypatch)
        with pytest.raises(Killed):
            run(monkeypatch, step, flags, out)
        assert not out.exists()
    caplog.clear()
    assert run(monkeypatch, step, flags, out) == undisturbed
    assert "rows are done" in caplog.text
    assert not (data.folder / "checkpoints").exists()


def test_other_responses_are_another_job(data, tiny_policy, monkeypatch, caplog):
    caplog.set_level("INFO")
    step, flags = logprobs(data, tiny_policy)
    out = data.folder / "out.parquet"
    killed_after(2, monkeypatch)
    with pytest.raises(Killed):
        run(monkeypatch, step, flags, out)
    write_table(pd.DataFrame(data.responses[2:]), data.path("responses"), RESPONSES)
    run(monkeypatch, step, flags, out)
    assert "of another job" in caplog.text and "rows are done" not in caplog.text
    assert not (data.folder / "checkpoints").exists()


@pytest.mark.slow
def test_a_step_killed_for_good_goes_on(data, tiny_policy, monkeypatch, caplog):
    """SIGKILL to a separate process, once its second piece exists."""
    caplog.set_level("INFO")
    step, flags = sampling(data, tiny_policy)
    out = data.folder / "out.parquet"
    arguments = [*flags, "--out", out, "--checkpoints", data.folder / "checkpoints"]
    code = "from scripts.lib import pieces; from scripts.samples import sample; pieces.EVERY = 0.0; import time; "
    code += "save = pieces.Pieces.save; pieces.Pieces.save = lambda *a: (save(*a), time.sleep(1)); sample.main()"
    child = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT)
    try:
        while len(list((data.folder / "checkpoints").glob("*.parquet"))) < 2:
            assert child.poll() is None
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert not out.exists()
    resumed = run(monkeypatch, step, flags, out)
    assert "rows are done" in caplog.text
    assert resumed == run(monkeypatch, step, flags, data.folder / "again.parquet")
