"""Warm starts: a step forked from the warm process does what a cold one does, and nothing outlives its Snakemake."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.warm import protocol
from scripts.workflow import warm

ROOT = Path(__file__).parents[2]
BIN = ROOT / "scripts/warm/bin"
STEP = '''
"""A step for tests."""
import argparse, json, os, signal, sys, tempfile, time

def main():
    parser = argparse.ArgumentParser(prog="python -m scripts.step", description=__doc__)
    parser.add_argument("--do", required=True)
    parser.add_argument("--more", nargs="*", default=[])
    arguments = parser.parse_args()
    do = arguments.do
    if do == "tell":
        import torch
        told = [os.getcwd(), sys.argv[1:], os.environ.get("MINE"), torch.get_num_threads(), os.umask(0o22), __name__]
        told += [sys.path[0], sys.stdin.read(), os.environ.get("OMP_NUM_THREADS"), "protocol" in sys.modules]
        told += [tempfile.gettempdir()]
        print(json.dumps(told))
    elif do == "parent":
        print(os.getppid())
    elif do == "raise":
        raise ValueError("no \\ud800 good")
    elif do == "leave":
        sys.exit("a reason")
    elif do == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif do == "count":
        print(sum(map(len, arguments.more)))
    elif do == "sleep":
        with open("started", "a") as file:
            file.write("x")
        print(os.getpid(), flush=True)
        time.sleep(60)
    elif do.isdigit():
        sys.exit(int(do))

if __name__ == "__main__":
    main()
'''


SNAKEMAKE = """
import json, os, sys, time
from pathlib import Path
from scripts.workflow import warm

os.environ["PREFATLAS_SNAKEMAKE"] = str(os.getpid())
warm.prepare(Path.cwd())
warm.start_for(warm.LEAST)
print(json.dumps(dict(os.environ)), flush=True)
time.sleep(600)
"""
"""What a Snakemake does about warm starts."""


class Place:
    """A folder with a step, and a Snakemake that starts nothing but a warm process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        (folder / "scripts/step.py").write_text(STEP)
        around = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        command = [sys.executable, "-c", SNAKEMAKE]
        self.snakemake = subprocess.Popen(command, cwd=ROOT, env=around, stdout=subprocess.PIPE, text=True)
        self.inherited = json.loads(self.snakemake.stdout.readline())

    def environment(self, **more: str) -> dict[str, str]:
        return self.inherited | {"OMP_NUM_THREADS": "1"} | more

    def ready(self) -> list[int]:
        """The warm process, once it is ready."""
        until(lambda: sockets(self.snakemake.pid))
        assert int(self.run("parent")[1]) in self.servers()
        return self.servers()

    def start(self, do: str, *, warm: bool = True, **more: str) -> subprocess.Popen:
        environment = self.environment(**more)
        if not warm:
            environment.pop(protocol.WARM)
        command = ["python", "-m", "scripts.step", "--do", do]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, **pipes)

    def run(self, do: str, said: str = "", **more) -> tuple[int, str, str]:
        step = self.start(do, **more)
        return step.returncode if step.poll() is not None and not said else self._ended(step, said)

    def _ended(self, step: subprocess.Popen, said: str) -> tuple[int, str, str]:
        out, error = step.communicate(said, timeout=120)
        return step.returncode, out, error

    def servers(self) -> list[int]:
        done = subprocess.run(["pgrep", "-f", "scripts/warm/server.py"], capture_output=True, text=True)
        mine = []
        for each in map(int, done.stdout.split()):
            with suppress(OSError):
                if f"{protocol.WARM}={self.snakemake.pid}\0" in Path(f"/proc/{each}/environ").read_text():
                    mine.append(each)
        return mine

    def end(self) -> None:
        self.snakemake.kill()
        self.snakemake.wait()


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    """Whether any of its threads is: the first may be gone while others still hold its files and sockets."""
    with suppress(OSError):
        stats = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/stat")]
        return any(stat.rsplit(")", 1)[1].split()[0] not in "ZX" for stat in stats)
    return False


def sockets(snakemake: int) -> list[str]:
    """The sockets of a Snakemake's warm process, and of its clients' connections."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if "@prefatlas-" in line and line.endswith(f"-{snakemake}")]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    """A warm process that is ready."""
    here = Place(tmp_path_factory.mktemp("place"))
    try:
        here.ready()
        yield here
    finally:
        here.end()


@pytest.mark.parametrize("do", ["tell", "raise", "leave", "die", "0", "3", "unknown"])
def test_a_warm_step_does_what_a_cold_one_does(place: Place, do: str) -> None:
    """Arguments, environment, folder, threads, mask, input, output, errors, exit status and signal."""
    warm, cold = (place.run(do, "read me", warm=warm) for warm in (True, False))
    assert warm[:2] == cold[:2]
    assert warm[2].splitlines()[-1:] == cold[2].splitlines()[-1:]
    if do == "tell":
        told = json.loads(warm[1])
        assert told[:2] == [str(place.folder), ["--do", "tell"]] and told[3] == 1 and told[9] is False


def test_wrong_arguments_and_help_are_as_ever(place: Place) -> None:
    for arguments in (["--help"], ["--dont"]):
        command = ["python", "-m", "scripts.step", *arguments]
        warm, cold = (
            subprocess.run(command, cwd=place.folder, env=each, capture_output=True, text=True)
            for each in (place.environment(), {k: v for k, v in place.environment().items() if k != protocol.WARM})
        )
        assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_threads_are_those_of_the_step(place: Place) -> None:
    assert json.loads(place.run("tell", OMP_NUM_THREADS="2")[1])[3] == 2
    assert json.loads(place.run("tell")[1])[3] == 1


@pytest.mark.parametrize("name", ["MINE", "CUDA_VISIBLE_DEVICES", protocol.PYTHON])
def test_another_environment_starts_cold(place: Place, name: str) -> None:
    assert int(place.run("parent")[1]) in place.servers()
    changed = {name: "0"} if name != protocol.PYTHON else {name: os.path.realpath(sys.executable)}
    assert int(place.run("parent", **changed)[1]) == os.getpid()


@pytest.mark.parametrize("name", ["TMPDIR", "TMP", "TEMP"])
def test_a_temporary_folder_of_its_own_starts_warm(place: Place, name: str) -> None:
    """Snakemake gives each job one."""
    assert int(place.run("parent", **{name: str(place.folder)})[1]) in place.servers()
    assert json.loads(place.run("tell", TMPDIR=str(place.folder))[1])[10] == str(place.folder)


def test_a_changed_file_is_read(place: Place) -> None:
    file = place.folder / "scripts/step.py"
    file.write_text(
        STEP.replace('elif do == "parent":', 'elif do == "new":\n        print("new")\n    elif do == "parent":')
    )
    try:
        assert place.run("new")[:2] == (0, "new\n")
    finally:
        file.write_text(STEP)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_client_ends_the_step(place: Place, number: int) -> None:
    step = place.start("sleep")
    child = int(step.stdout.readline())
    assert is_alive(child) and child != step.pid
    step.send_signal(number)
    assert step.wait(20) == -number
    until(lambda: not is_alive(child), 20)


def test_ctrl_c_at_any_moment_of_its_start_ends_a_step(place: Place) -> None:
    for at in range(60):
        step = place.start("sleep")
        time.sleep(at / 1000)
        step.send_signal(signal.SIGINT)
        ended, said = step.wait(20), step.stderr.read()
        # What Python says if it comes before there is a client.
        assert ended == -signal.SIGINT or "Fatal Python error: init_" in said, f"after {at} ms: {said}"


def test_a_killed_step_ends_its_client(place: Place) -> None:
    step = place.start("sleep")
    os.kill(int(step.stdout.readline()), signal.SIGKILL)
    assert step.wait(20) == -signal.SIGKILL


def test_long_command_lines_arrive_whole(place: Place) -> None:
    """Longer than a socket's buffer."""
    more = ["x" * 1000] * 1500
    command = ["python", "-m", "scripts.step", "--do", "count", "--more", *more]
    done = subprocess.run(command, cwd=place.folder, env=place.environment(), capture_output=True, text=True)
    assert done.stdout == "1500000\n"


def test_the_warm_process_survives_steps_and_clients_that_die_at_once(place: Place) -> None:
    servers = place.servers()
    for _ in range(15):
        step = place.start("sleep")
        os.kill(int(step.stdout.readline()), signal.SIGKILL)
        step.kill()
        step.wait(20)
    assert place.servers() == servers and int(place.run("parent")[1]) in servers


def test_a_step_ends_with_the_warm_process_and_runs_once(tmp_path: Path) -> None:
    """Killed, as for want of memory: its steps die too, so that none of them runs beside its own repetition."""
    here = Place(tmp_path)
    try:
        (server,) = here.ready()
        step = here.start("sleep")
        child = int(step.stdout.readline())
        os.kill(server, signal.SIGKILL)
        assert step.wait(20) == 1 and "remedy: run snakemake again" in step.stderr.read()
        until(lambda: not is_alive(child), 20)
        assert (tmp_path / "started").read_text() == "x"
    finally:
        here.end()


def test_many_steps_at_a_time(place: Place) -> None:
    steps = [place.start(str(at)) for at in range(12)]
    assert [step.wait(60) for step in steps] == list(range(12))


def test_nothing_outlives_its_snakemake(tmp_path: Path) -> None:
    """Killed outright: the warm process, ready or not, and every step go with it, and no socket is left."""
    here = Place(tmp_path)
    here.ready()
    step = here.start("sleep")
    child = int(step.stdout.readline())
    servers = here.servers()
    here.end()
    until(lambda: not any(map(is_alive, [child, *servers])), 20)
    assert not sockets(here.snakemake.pid)


def test_a_step_of_another_package_is_the_real_python_s(place: Place) -> None:
    command = ["python", "-c", "import os; print(os.getppid())"]
    done = subprocess.run(command, env=place.environment(), capture_output=True, text=True)
    assert int(done.stdout) == os.getpid()


def test_a_snakemake_below_another_does_not_use_its_warm_process(monkeypatch) -> None:
    for name in ("PATH", protocol.PYTHON):
        monkeypatch.setenv(name, os.environ["PATH"])
    monkeypatch.setenv(protocol.WARM, "1")
    monkeypatch.setattr(warm.benchmark, "BenchmarkTimer", None)
    warm.prepare(ROOT)
    assert protocol.WARM not in os.environ


def test_few_jobs_start_no_warm_process(monkeypatch) -> None:
    monkeypatch.setenv(protocol.PYTHON, sys.executable)
    monkeypatch.delenv(protocol.WARM, raising=False)
    warm.start_for(warm.LEAST - 1)
    assert protocol.WARM not in os.environ


def test_jobs_of_a_queue_entry_are_counted() -> None:
    command = ["snakemake", "--snakefile", "x", "--target-jobs", "load:source=a", "curate:prompt_set=b", "--cores", "2"]
    assert warm.jobs_of_group(command) == warm.jobs_of_group(command[:6]) == 2
    assert warm.jobs_of_group(["snakemake", "--cores", "2"]) == warm.jobs_of_group(["snakemake", "--target-jobs"]) == 0
