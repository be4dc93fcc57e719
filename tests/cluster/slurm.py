"""A real SLURM on this machine: one node on loopback with two simulated GPUs, started and stopped by the tests."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

CONFIG = Path("/etc/slurm")
"""Where SLURM's job steps look for its configuration, whatever the environment says."""
PROGRAMS = ["munged", "slurmctld", "slurmd", "squeue"]


def why_not() -> str:
    """Why SLURM cannot be started here; empty if it can."""
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    if os.getuid():
        return "only root starts SLURM's daemons"
    if (CONFIG / "slurm.conf").exists():
        return f"{CONFIG}/slurm.conf is there: this machine belongs to a cluster"
    return ""


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition; raises TimeoutError with what it was waiting for."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


class Slurm:
    """The daemons, with their state in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        host = os.uname().nodename
        for name in ["state", "spool"]:
            (self.folder / name).mkdir(parents=True)
        for index in range(2):
            (self.folder / f"gpu{index}").symlink_to("/dev/null")  # must look like a device file
        CONFIG.mkdir(exist_ok=True)
        cores, memory = os.cpu_count(), 16000
        (CONFIG / "slurm.conf").write_text(
            f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
GresTypes=gpu
MpiDefault=none
ReturnToService=2
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
        )
        (CONFIG / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-1]\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._run(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )
        until((self.folder / "munge.socket").exists, 20, "munged")
        self.start_controller()
        self.start_node()
        until(lambda: self.node() == "idle", 60, "the node to be idle")

    def start_controller(self) -> None:
        self._run("slurmctld", "-D")
        until(lambda: "UP" in self("scontrol", "ping"), 60, "slurmctld")

    def start_node(self) -> None:
        self._run("slurmd", "-D")

    def kill(self, daemon: str) -> None:
        """Kill a daemon without warning, as in a power failure."""
        os.kill(self.daemons[daemon].pid, signal.SIGKILL)
        self.daemons.pop(daemon).wait()

    def repair(self) -> None:
        """Restart what a test has killed, and cancel all jobs."""
        if "slurmctld" not in self.daemons:
            self.start_controller()
        if "slurmd" not in self.daemons:
            self.start_node()
        self("scancel", "--user=root")
        until(lambda: not self("squeue", "--noheader"), 60, "the last jobs to end")
        self.resume()

    def resume(self) -> None:
        """Bring the node back if SLURM or a test has taken it out."""
        if self.node() not in ("idle", "mixed", "allocated"):
            self("scontrol", "update", f"nodename={os.uname().nodename}", "state=resume")
        until(lambda: self.node() in ("idle", "mixed", "allocated"), 60, "the node to be up")

    def drain(self, reason: str) -> None:
        """Take the node out, as an administrator does."""
        self("scontrol", "update", f"nodename={os.uname().nodename}", "state=drain", f"reason={reason}")

    def node(self) -> str:
        return self("sinfo", "--noheader", "--format=%T")

    def save(self) -> None:
        """Have the controller write its state to disk; one that dies before forgets which jobs it has started."""
        before = time.time()
        for job in self.jobs("running"):
            self("scontrol", "update", f"jobid={job}", "timelimit=600")
        state = self.folder / "state/job_state"
        until(lambda: state.exists() and state.stat().st_mtime > before, 60, "the controller to save its state")

    def stop(self) -> None:
        for daemon in reversed(list(self.daemons)):
            self.kill(daemon)
        for name in ["slurm.conf", "gres.conf"]:
            (CONFIG / name).unlink(missing_ok=True)

    def __call__(self, *command: str) -> str:
        """The output of one of SLURM's commands."""
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def jobs(self, *states: str) -> list[str]:
        """Ids of the jobs in some states, or of all that SLURM remembers."""
        return self("squeue", "--noheader", "--format=%i", f"--states={','.join(states) or 'all'}").split()

    def _run(self, *command: str) -> None:
        with open(self.folder / f"{command[0]}.out", "ab") as out:
            self.daemons[command[0]] = subprocess.Popen(command, stdout=out, stderr=out)
