"""The protocol between clients and the warm process of one Snakemake. Both import it, so it imports nothing slow.

A client connects, sends a request with its standard streams, and waits. The warm process closes the connection if the
step must start cold. Otherwise it answers STARTED, and when the child has ended, its exit status. Meanwhile every byte
from the client is the number of a signal for the child; a closed connection kills it.
"""

import json
import os
import socket
import struct
import sys

PYTHON = "PREFATLAS_PYTHON"
"""Environment variable: the interpreter of the steps and of the warm process."""
WARM = "PREFATLAS_WARM"
"""Environment variable: the id of the Snakemake process whose warm process serves; unset if there is none."""

THREADS = {
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
}
"""Libraries read these when they load, so a forked child sets its number of threads itself."""
FREE = THREADS | {"PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "TMP", "TEMPDIR", "TEMP"}
"""Variables that may differ between a step and the warm process; with any other difference the step starts cold."""

SIZE = struct.Struct("!I")
"""Bytes of the request after it."""
STARTED = b"s"
STATUS = struct.Struct("!i")
"""How the child ended, as from os.waitpid."""


def address() -> str:
    """The abstract socket of the warm process in WARM, for this user. It has no file and disappears with its process.

    The namespaces are part of it, since containers may share a network but not processes or files.
    """
    spaces = "-".join(os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "mnt"))
    return f"\0prefatlas-warm-{os.getuid()}-{spaces}-{os.environ[WARM]}"


def is_mine(connection: socket.socket) -> bool:
    """Whether the peer runs as this user; every user can connect to an abstract socket."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return user == os.getuid()


def request() -> bytes:
    """The request of this process: everything that the child takes over from it except its standard streams."""
    umask = os.umask(0)
    os.umask(umask)
    asked = {
        "arguments": sys.argv[2:],  # the module and its arguments, without -m
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": umask,
        "client": os.getpid(),
    }
    return json.dumps(asked).encode("utf-8", "surrogateescape")


def fixed(environment: dict[str, str]) -> dict[str, str]:
    """The part of an environment that a warm process and its children must have in common."""
    return {name: value for name, value in environment.items() if name not in FREE}
