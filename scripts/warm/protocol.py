"""What the clients and the warm process of one Snakemake agree on. Imported by both, so by nothing slow."""

import json
import os
import socket
import struct
import sys

PYTHON = "PREFATLAS_PYTHON"
"""The interpreter that runs steps, and that the warm process is one of."""
WARM = "PREFATLAS_WARM"
"""Set where Snakemake has enough jobs for a warm process to pay."""
SNAKEMAKE = "PREFATLAS_SNAKEMAKE"
"""The process id of the Snakemake that starts the jobs."""

THREADS = {
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
}
"""Read when a library loads: the child of a process that has loaded it sets its threads itself."""
FREE = THREADS | {"PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "SNAKEMAKE_RESOURCES"}
"""What may differ between a step's environment and the warm process's; with any other difference it starts cold."""

SIZE = struct.Struct("!I")
STATUS = struct.Struct("!i")
"""How a child ended, as os.waitpid says it."""


def address(kind: str) -> str:
    """An abstract socket of this user's and this Snakemake's: it leaves no file, and goes with its process.

    Containers may share the network that such names are of: each has process ids and files of its own.
    """
    spaces = "-".join(os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "mnt"))
    return f"\0prefatlas-{kind}-{os.getuid()}-{spaces}-{os.environ[SNAKEMAKE]}"


def is_mine(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's: abstract sockets are open to all."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return user == os.getuid()


def request() -> bytes:
    """This process, as the child is to be."""
    umask = os.umask(0)
    os.umask(umask)
    asked = {
        "arguments": sys.argv[2:],  # after -m: the module and its own
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "umask": umask,
        "client": os.getpid(),
    }
    text = json.dumps(asked).encode("utf-8", "surrogateescape")
    return SIZE.pack(len(text)) + text


def fixed(environment: dict[str, str]) -> dict[str, str]:
    """Of an environment, what a warm process and its children must have in common."""
    return {name: value for name, value in environment.items() if name not in FREE}
