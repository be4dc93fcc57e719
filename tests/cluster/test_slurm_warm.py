"""A queue entry on a real SLURM: its jobs run side by side, one warm process serves them, and none outlives it."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.slurm import Slurm, until
from tests.unit.test_warm import is_alive, sockets
from tests.workflow.house import House

pytestmark = pytest.mark.slow

TARGETS = [f"results/prompt_sets/{name}/responses.parquet" for name in ("open_assistant", "demonstrations")]
"""One queue entry: two sources, the questions of five suites, and two prompt sets without these questions."""
CALL = ["--profile", "profiles/slurm", "--profile", "profiles/small", "--prefatlas-status-command", "squeue"]
CALL += ["--", *TARGETS]
BEGIN = "    end_with_snakemake()\n"
TELL = """    import json, os, time
    from pathlib import Path
    told = {"step": os.environ.get("SLURM_STEP_ID"), "job": os.environ.get("SLURM_JOB_ID"), "process": os.getpid()}
    told |= {"parent": os.getppid(), "of": os.environ.get("PREFATLAS_WARM")}
    told |= {"warm": "scripts/warm/server.py" in Path(f"/proc/{os.getppid()}/cmdline").read_text()}
    with open("starts", "a+") as file:
        file.seek(0)
        told["beside"] = sum(Path(f"/proc/{json.loads(line)['process']}").exists() for line in file)
        file.write(json.dumps(told) + "\\n")
    ready = f"-{told['of']}\\n"
    while Path("wait").exists() if told["warm"] else ready not in Path("/proc/net/unix").read_text():
        time.sleep(0.1)
"""
"""What each step does first: it tells how it was started; a cold one waits for the warm process, a warm one for us."""
LIMIT = 400


def starts(house: House) -> list[dict]:
    with suppress(FileNotFoundError):
        return [json.loads(line) for line in (house.folder / "starts").read_text().splitlines()]
    return []


def test_one_warm_process_serves_a_queue_entry_and_ends_with_it(slurm: Slurm, tmp_path: Path) -> None:
    """The first is cancelled, and its warm step ends with it. The second succeeds."""
    slurm.resume()
    house = House.build(tmp_path / "house")
    house.edit("scripts/lib/cli.py", BEGIN, TELL + BEGIN)
    (house.folder / "wait").touch()
    command = [sys.executable, "-m", "snakemake", "--configfile", "miniature.yaml", *CALL]
    call = subprocess.Popen(command, cwd=house.folder, start_new_session=True)
    try:
        until(lambda: any(each["warm"] for each in starts(house)), LIMIT, "a warm step")
        step = starts(house)[-1]
        assert is_alive(step["process"]) and is_alive(step["parent"]) and sockets(step["of"])
        slurm("scancel", step["job"])
        until(lambda: not any(map(is_alive, [step["process"], step["parent"]])), 60, "the step and its parent to end")
        assert not sockets(step["of"])
        (house.folder / "wait").unlink()
        assert call.wait(LIMIT) == 0
    finally:
        call.kill()
        call.wait()
        slurm.repair()
    assert house.planned("--", *TARGETS) == {}
    told = [each for each in starts(house) if each["job"] not in (None, step["job"])]
    assert len({each["job"] for each in told}) == len({each["of"] for each in told}) == 1, "all in one queue entry"
    assert {each["step"] for each in told} == {None} and len(told) >= 8, "none needs a job step of its own"
    warm = [each for each in told if each["warm"]]
    assert len(warm) >= len(told) / 2 and told[-len(warm) :] == warm, "the first started before it was ready"
    assert len({each["parent"] for each in warm}) == 1, "one warm process"
    assert not is_alive(warm[0]["parent"]) and not sockets(warm[0]["of"])
    assert max(each["beside"] for each in told) == 1, "as many at a time as the entry has processors"
