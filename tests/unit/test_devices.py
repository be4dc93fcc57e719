"""Each job gets GPUs of its own; tested with devices that exist only by name."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.lib import devices

JOB = """
import os, sys, time
with open(sys.argv[1], "a") as log:
    log.write(f"{time.monotonic()} + {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n"); log.flush()
    time.sleep(float(sys.argv[2]))
    log.write(f"{time.monotonic()} - {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
"""


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(devices.tempfile, "tempdir", None)
    monkeypatch.setattr(devices, "held", [])
    for name in (devices.MASK, devices.LEASED, "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def start(log: Path, seconds: float, count: int = 1, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "scripts.lib.devices", "--count", str(count), "--"]
    command += [sys.executable, "-c", JOB, str(log), str(seconds)]
    return subprocess.Popen(command, env={**os.environ, **environment})


def most_at_once(log: Path) -> dict[str, int]:
    """Device -> the largest number of jobs that had it at the same time; "all": over all devices."""
    running: dict[str, int] = {}
    most: dict[str, int] = {}
    for line in sorted(log.read_text().splitlines(), key=lambda each: float(each.split()[0])):
        _, sign, mask = line.split()
        for device in [*mask.split(","), "all"]:
            running[device] = running.get(device, 0) + (1 if sign == "+" else -1)
            most[device] = max(most.get(device, 0), running[device])
    return most


def test_more_jobs_than_devices_wait_and_a_mask_is_respected(tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [start(log, 0.4, CUDA_VISIBLE_DEVICES="3,5") for _ in range(6)]
    assert [job.wait() for job in jobs] == [0] * 6
    assert most_at_once(log) == {"3": 1, "5": 1, "all": 2}


def test_a_job_of_two_devices_and_jobs_of_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [start(log, 0.3, count, CUDA_VISIBLE_DEVICES="0,1,2") for count in (2, 1, 2, 1, 1)]
    assert [job.wait() for job in jobs] == [0] * 5
    most = most_at_once(log)
    assert {most[name] for name in "012"} == {1}


def test_a_killed_job_frees_its_device(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = start(log, 60, CUDA_VISIBLE_DEVICES="0")
    while not log.exists() or not log.read_text():
        time.sleep(0.05)
    second = start(log, 0, CUDA_VISIBLE_DEVICES="0")
    time.sleep(0.5)
    assert len(log.read_text().splitlines()) == 1 and second.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    assert second.wait(timeout=20) == 0 and first.wait() == -signal.SIGKILL


def test_slurm_jobs_number_their_devices_each_for_itself(tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [start(log, 1.5, CUDA_VISIBLE_DEVICES="0", SLURM_JOB_ID=str(job)) for job in range(2)]
    assert [job.wait() for job in jobs] == [0, 0]
    assert most_at_once(log)["all"] == 2


def test_without_a_mask_the_devices_are_those_of_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin/nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho GPU-aa\necho GPU-bb\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    assert devices.visible() == ["GPU-aa", "GPU-bb"]
    assert devices.lease() == ["GPU-aa"] and os.environ[devices.MASK] == "GPU-aa"
    assert devices.lease() == ["GPU-aa"]  # its own, however often it asks


@pytest.mark.parametrize(
    ("mask", "found"), [("", []), ("-1", []), ("2", ["2"]), ("1,-1,2", ["1"]), (" 0, 1 ", ["0", "1"])]
)
def test_masks_are_read_as_cuda_reads_them(mask: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.MASK, mask)
    assert devices.visible() == found


def test_without_devices_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.MASK, "")
    assert devices.lease() == [] and os.environ[devices.MASK] == ""


def test_more_devices_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.MASK, "0")
    with pytest.raises(devices.InputError, match="2 devices are asked for"):
        devices.lease(2)


def test_processes_that_are_started_together_share_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.MASK, "0,1,2")
    with pytest.raises(devices.InputError, match="a device each"):
        devices.check_leased(2)
    devices.lease(2)
    monkeypatch.setattr(devices, "held", [])  # as in a child
    devices.check_leased(2)
    assert devices.lease() == ["0", "1"]
    with pytest.raises(devices.InputError, match=r"CUDA_VISIBLE_DEVICES=0,1: 3 processes"):
        devices.check_leased(3)


def test_without_devices_processes_need_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.MASK, "")
    devices.check_leased(2)


def test_snakemake_jobs_have_a_device_each(tmp_path: Path) -> None:
    log, job = tmp_path / "log", tmp_path / "job.py"
    job.write_text(JOB)
    step = f"{sys.executable} -m scripts.lib.devices -- {sys.executable} {job} {log} 0.3"
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    input: expand('done/{n}', n=range(5))\n\n"
        f"rule job:\n    output: 'done/{{n}}'\n    shell: '{step} && touch {{output}}'\n"
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "5", "--quiet", "all", "--directory", str(tmp_path)]
    command += ["--snakefile", str(tmp_path / "Snakefile"), "--workflow-profile", "none"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "4,7", "PYTHONPATH": str(Path.cwd())}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert most_at_once(log) == {"4": 1, "7": 1, "all": 2}
