"""Run one step as a child of the warm process, or as ever where there is none: what scripts/warm/bin/python calls.

Started with -IS, which leaves out site-packages, for a start of some 15 ms.
"""

import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocol

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def connected() -> socket.socket | None:
    """A connection to the warm process; None where there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(protocol.address("warm"))
    except OSError:
        connection.close()
        return None
    return connection if protocol.is_mine(connection) else None


def start_warm_process() -> None:
    """Start it, unless another client has: it is ready when it has imported everything."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        if probe.connect_ex(protocol.address("claim")) == 0:
            return
    server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")
    if child := os.fork():
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():  # nobody's child: no step waits for it or is charged with its memory
        os._exit(0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.execv(os.environ[protocol.PYTHON], [os.environ[protocol.PYTHON], server])


def run_warm(connection: socket.socket) -> None:
    """Hand this process's job to a child of the warm process, and end as it ends."""
    socket.send_fds(connection, [protocol.request()], [0, 1, 2])

    def forward(number: int, _: object) -> None:
        connection.send(bytes([number]))

    for number in FORWARDED:
        signal.signal(number, forward)
    answer = b""
    while len(answer) < protocol.STATUS.size:
        part = connection.recv(protocol.STATUS.size - len(answer))
        if not part:
            if not answer:
                return  # it would not: the step starts cold
            os._exit(1)
        answer += part
    (status,) = protocol.STATUS.unpack(answer)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main() -> None:
    python = os.environ[protocol.PYTHON]
    if all(os.environ.get(name) for name in (protocol.SNAKEMAKE, protocol.WARM, "OMP_NUM_THREADS")):
        if connection := connected():
            run_warm(connection)
            for number in FORWARDED:
                signal.signal(number, signal.SIG_DFL)
        else:
            start_warm_process()
    os.execv(python, [python, *sys.argv[1:]])


main()
