"""Exclusive use of GPUs on one machine: each process leases devices and keeps them until it ends.

Snakemake's `resources: gpu` only counts. Here a lease is a lock on a file per device: taken before CUDA starts, visible
in CUDA_VISIBLE_DEVICES, and released by the operating system however the process ends. The devices are those in an
existing CUDA_VISIBLE_DEVICES, or all that nvidia-smi lists; on a machine without any, nothing happens.

`python -m scripts.lib.devices --count 2 -- <command>` runs a command, such as torchrun, on two leased devices.
"""

import argparse
import fcntl
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.lib import cli
from scripts.lib.errors import InputError

MASK = "CUDA_VISIBLE_DEVICES"
LEASED = "PREFATLAS_DEVICES"
"""Set to the mask by the process that leased it, so that its children know that the devices are theirs."""
PAUSE = 0.5
"""Seconds between two attempts to find a free device."""
log = logging.getLogger(__name__)
held: list[int] = []
"""File descriptors of the locks held by this process."""


def visible() -> list[str]:
    """The devices that this process may use, by index or UUID as CUDA accepts them."""
    if MASK in os.environ:
        named = [each.strip() for each in os.environ[MASK].split(",")]
        # CUDA stops at the first invalid entry.
        end = next((index for index, each in enumerate(named) if each in ("", "-1")), len(named))
        return named[:end]
    try:
        command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def lease(count: int = 1) -> list[str]:
    """Lease ``count`` devices that no other process has leased, waiting for them, and mask the rest.

    A second call in the same process or in its children leases nothing more. Returns the devices; an empty list on a
    machine without any. Raises InputError if there are fewer than ``count``.
    """
    if held or os.environ.get(LEASED, "") == os.environ.get(MASK):
        return visible()
    devices = visible()
    if not devices:
        return []
    if count > len(devices):
        raise InputError(
            f"{MASK}={','.join(devices)}", f"{count} devices are asked for", "ask for fewer, or lift the mask"
        )
    said = False
    while len(taken := _take(devices, count)) < count:
        for _, lock in taken:
            os.close(lock)
        if not said:
            log.info("waiting for %d of the devices %s", count, ",".join(devices))
            said = True
        time.sleep(PAUSE)
    held.extend(lock for _, lock in taken)
    os.environ[MASK] = os.environ[LEASED] = ",".join(device for device, _ in taken)
    return [device for device, _ in taken]


def check_leased(count: int) -> None:
    """Raises InputError unless ``count`` processes started together have one device each, or there are no devices.

    They share one lease: if each leased its own, two such jobs could deadlock, each holding what the other waits for.
    """
    found = visible()
    if found and (os.environ.get(LEASED) != ",".join(found) or len(found) < count):
        raise InputError(
            f"{MASK}={','.join(found)}",
            f"{count} processes want a device each, taken for all of them at once",
            f"start them by python -m scripts.lib.devices --count {count} -- torchrun ...",
        )


def _take(devices: Sequence[str], count: int) -> list[tuple[str, int]]:
    """Up to ``count`` free devices with their locks."""
    taken = []
    folder = _folder()
    for device in devices:
        lock = os.open(folder / device.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        taken.append((device, lock))
        if len(taken) == count:
            break
    return taken


def _folder() -> Path:
    """The folder of the locks: one per user and machine, or per SLURM job, which renumbers its devices."""
    scope = os.environ.get("SLURM_JOB_ID", "machine")
    folder = Path(tempfile.gettempdir()) / f"prefatlas-devices-{os.getuid()}-{scope}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def main() -> None:
    parser = cli.parser_of("scripts.lib.devices", __doc__)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="after --")
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("give a command after --")
    lease(arguments.count)
    for lock in held:
        os.set_inheritable(lock, True)
    os.execvp(command[0], command)


if __name__ == "__main__":
    cli.run(main)
