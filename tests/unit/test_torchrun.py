"""The training step, started by torchrun as in the rule: the whole policy, and promise P5 for each process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from scripts.lib.models import POLICY_FILES, read_policy
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.training import train as step
from tests.pairs_data import Data, spec_of

REPOSITORY = Path(__file__).parents[2]
STEP = ("-m", "--", "scripts.training.train")

KILL = """
import os, signal, sys, torch
after = int(sys.argv.pop(1))
steps, original = [], torch.optim.AdamW.step
def step(self, *rest):
    if len(steps) == after and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    steps.append(original(self, *rest))
torch.optim.AdamW.step = step
from scripts.training import train
train.main()
"""


def start(*command: str, count: int = 2) -> subprocess.Popen:
    several = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    leased = [sys.executable, "-m", "scripts.lib.devices", "--count", str(count), "--", *several, *command]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(leased, env=environment, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen) -> str:
    """What it wrote to stderr."""
    text = process.communicate()[1]
    print(text)
    return text


@pytest.mark.slow
def test_torchrun_makes_the_policy_of_one_process_and_a_killed_one_goes_on(
    tmp_path: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL of the second process in the eighth of 15 steps, with checkpoints after steps 3 and 6."""
    data, spec = Data(tmp_path, tiny_policy), spec_of(epochs=5, checkpoint_every=3)
    data.write()
    monkeypatch.setattr(sys, "argv", ["train", *data.arguments("one", spec)])
    step.main()
    undisturbed = start(*STEP, *data.arguments("undisturbed", spec))
    assert end(undisturbed).count("step 15 of 15") == 1 and undisturbed.returncode == 0
    assert sorted(path.name for path in (tmp_path / "undisturbed").iterdir()) == sorted([*POLICY_FILES, "policy.json"])
    assert read_policy(tmp_path / "undisturbed/policy.json").kind == "trained"
    tables = [read_table(tmp_path / f"{run}.parquet", TRAINING) for run in ("undisturbed", "one")]
    assert tables[0]["loss"].tolist() == pytest.approx(tables[1]["loss"].tolist(), rel=1e-5)
    weights = [load_file(tmp_path / run / "model.safetensors") for run in ("undisturbed", "one")]
    assert weights[0].keys() == weights[1].keys()
    for name, each in weights[0].items():
        torch.testing.assert_close(each, weights[1][name], rtol=1e-5, atol=1e-5)
    assert not data.checkpoints("undisturbed").exists()

    (tmp_path / "kill.py").write_text(KILL)
    killed = start("--", str(tmp_path / "kill.py"), "7", *data.arguments("killed", spec))
    assert "Signal 9 (SIGKILL)" in end(killed) and killed.returncode
    assert not (tmp_path / "killed").exists() and not (tmp_path / "killed.parquet").exists()
    again = start(*STEP, *data.arguments("killed", spec))
    assert "00000006.json" in end(again) and again.returncode == 0
    for made in ("{}/model.safetensors", "{}.parquet"):
        assert (tmp_path / made.format("killed")).read_bytes() == (tmp_path / made.format("undisturbed")).read_bytes()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_processes_end_with_the_torchrun_that_started_them(tmp_path: Path, tiny_policy: Path) -> None:
    data = Data(tmp_path, tiny_policy)
    data.write()
    torchrun = start(*STEP, *data.arguments("long", spec_of(epochs=100_000, checkpoint_every=1)))
    deadline = time.monotonic() + 300
    while not list(data.checkpoints("long").glob("*.json")):
        assert torchrun.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    children = [int(each) for each in Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()]
    assert len(children) == 2 and all(map(is_running, children))
    torchrun.send_signal(signal.SIGKILL)
    torchrun.wait()
    while any(map(is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_online_runs_take_one_process(tmp_path: Path, tiny_policy: Path) -> None:
    data = Data(tmp_path, tiny_policy)
    data.write()
    online = start("-m", "--", "scripts.training.train_online", *data.arguments("online", spec_of(online={})))
    assert "set the resource gpu of train_online to 1" in end(online) and online.returncode
