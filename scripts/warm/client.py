"""Runs one step as a child of the warm process, or cold if there is none: started by scripts/warm/bin/python.

Runs under -IS, without site-packages, so that it starts in about 15 ms.
"""

import os
import signal
import socket
import sys
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocol

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def connected() -> socket.socket | None:
    """A connection to the warm process; None if it is not ready."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(protocol.address())
    except OSError:
        connection.close()
        return None
    return connection if protocol.is_mine(connection) else None


def run_warm(connection: socket.socket) -> None:
    """Run the step as a child of the warm process and end as it ends; return if it must start cold."""
    try:
        text = protocol.request()
        socket.send_fds(connection, [protocol.SIZE.pack(len(text))], [0, 1, 2])
        connection.sendall(text)
        if connection.recv(len(protocol.STARTED)) != protocol.STARTED:
            return
    except OSError:
        return

    def forward(number: int, _: object) -> None:
        with suppress(OSError):  # the warm process has ended; so has the child
            connection.send(bytes([number]))

    for number in FORWARDED:
        signal.signal(number, forward)
    _end_as(_received(connection))


def _received(connection: socket.socket) -> int:
    """The child's exit status. Exits with 1 if the warm process ended first: its children end with it."""
    answer = b""
    while len(answer) < protocol.STATUS.size:
        try:
            part = connection.recv(protocol.STATUS.size - len(answer))
        except OSError:
            part = b""
        if not part:
            sys.exit("error: the warm process ended, and this step with it\n  remedy: run snakemake again")
        answer += part
    return protocol.STATUS.unpack(answer)[0]


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main() -> None:
    python = os.environ[protocol.PYTHON]
    if protocol.WARM in os.environ and "OMP_NUM_THREADS" in os.environ and (connection := connected()):
        run_warm(connection)
    os.execv(python, [python, *sys.argv[1:]])


main()
