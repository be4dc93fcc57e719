"""The warm process: imports the packages that steps use, then forks a child for each step that a client asks for.

It ends with its Snakemake, its children end with it, and a child is killed if its client disappears. Before it forks it
does nothing but imports: it has no OpenMP threads and nothing on a GPU.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import sys
import tempfile
import threading
from atexit import _run_exitfuncs
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocol

PACKAGES = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pydantic",
    "yaml",
    "torch",
    "torch._dynamo",
    "transformers",
    "transformers.generation",
    "transformers.models.llama.modeling_llama",
    "tokenizers",
    "safetensors.torch",
    "datasets",
    "scipy.stats",
    "sklearn.linear_model",
    "matplotlib.pyplot",
    "lm_eval",
    "lm_eval.models.huggingface",
    "alpaca_eval",
    "alpaca_eval.metrics",
    "jinja2",
)
"""The packages that steps import; one that is missing or broken is skipped, and the step that needs it says why."""
PR_SET_PDEATHSIG = 1


def warm_up(ended: int) -> None:
    """Import PACKAGES; end if Snakemake (the pidfd ``ended``) ends meanwhile."""
    for name in PACKAGES:
        if select.select([ended], [], [], 0)[0]:
            os._exit(0)
        with suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # children do not collect these objects, so their pages stay shared


class Server:
    """Accepts clients. children: the process id of each child, by its client's connection."""

    def __init__(self, listening: socket.socket, ended: int, environment: dict[str, str]) -> None:
        self.environment = protocol.fixed(environment)
        self.selector = selectors.DefaultSelector()
        self.selector.register(listening, selectors.EVENT_READ, self.accept)
        self.selector.register(ended, selectors.EVENT_READ, self.stop)
        self.children: dict[socket.socket, int] = {}

    def serve(self) -> None:
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    def stop(self, _: object) -> None:
        """Snakemake has ended: end all steps and this process."""
        for child in self.children.values():
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    def accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        if not protocol.is_mine(connection):
            connection.close()
            return
        connection.settimeout(10)
        try:
            asked, files = received(connection)
        except (OSError, ValueError):
            connection.close()
            return
        if protocol.fixed(asked["environment"]) == self.environment:
            self.fork(connection, asked, files)
        else:
            connection.close()
        for each in files:
            os.close(each)

    def fork(self, connection: socket.socket, asked: dict, files: list[int]) -> None:
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the child has a disposition of its own
        try:
            child = os.fork()
        except OSError:  # too many processes, or too little memory
            child = None
        if child != 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if child is None:
            connection.close()
            return
        if child == 0:
            self.let_go()
            connection.close()
            end_with(server)
            become(asked, files)
        connection.settimeout(None)
        self.children[connection] = child
        with suppress(OSError):  # the client may be gone; the selector sees it
            connection.sendall(protocol.STARTED)
        watched = os.pidfd_open(child)
        self.selector.register(watched, selectors.EVENT_READ, lambda _: self.report(watched, connection, child))
        self.selector.register(connection, selectors.EVENT_READ, lambda _: self.signal(connection, child))

    def let_go(self) -> None:
        """In a child: close the server's files."""
        for key in list(self.selector.get_map().values()):
            os.close(key.fd)
        self.selector.close()

    def signal(self, connection: socket.socket, child: int) -> None:
        """Pass on the signals that a client forwards; kill the child of a client that is gone."""
        if connection not in self.children:
            return  # the child was reported in this round of events
        try:
            numbers = connection.recv(16) or bytes([signal.SIGKILL])
        except OSError:
            numbers = bytes([signal.SIGKILL])
        for number in numbers:
            os.kill(child, number)
        if signal.SIGKILL in numbers:
            self.selector.unregister(connection)

    def report(self, watched: int, connection: socket.socket, child: int) -> None:
        """Report to the client how its child ended."""
        _, status = os.waitpid(child, 0)
        self.selector.unregister(watched)
        os.close(watched)
        if connection in self.selector.get_map():
            self.selector.unregister(connection)
        del self.children[connection]
        with suppress(OSError):  # the client may be gone
            connection.sendall(protocol.STATUS.pack(status))
        connection.close()


def received(connection: socket.socket) -> tuple[dict, list[int]]:
    """A client's request and its standard streams. Raises ValueError if it is incomplete."""
    first, files, _, _ = socket.recv_fds(connection, protocol.SIZE.size, 3)
    if len(first) != protocol.SIZE.size or len(files) != 3:
        raise ValueError("no size, or no standard streams")
    (size,) = protocol.SIZE.unpack(first)
    text = b""
    while len(text) < size:
        text += _more(connection, size - len(text))
    return json.loads(text.decode("utf-8", "surrogateescape")), files


def _more(connection: socket.socket, most: int) -> bytes:
    part = connection.recv(most)
    if not part:
        raise ValueError("the client is gone")
    return part


def end_with(server: int) -> None:
    """In a child: be killed when the server ends, so that no step goes on without a client."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


def become(asked: dict, files: list[int]) -> None:
    """In a child: run the step that a client asked for, and exit."""
    # As safe as any other end of a step, and sooner: Python loses a KeyboardInterrupt in the callbacks of an import.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for stream, file in enumerate(files):
        os.dup2(file, stream)
    for file in files:
        if file > 2:
            os.close(file)
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None  # remembered from the server's environment
    os.chdir(asked["folder"])
    with open("/proc/self/comm", "w") as name:  # scripts/workflow/warm.py finds the step of a client by this name
        name.write(f"step-{asked['client']}")
    set_threads()
    sys.path[0] = asked["folder"]  # as under python -m
    del sys.modules["protocol"]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    module, *arguments = asked["arguments"]
    sys.argv = [module, *arguments]
    os._exit(run(module))


def set_threads() -> None:
    """Set the number of threads that the libraries would have read from this environment."""
    import torch
    from threadpoolctl import threadpool_limits

    count = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(count)
    threadpool_limits(count)


def run(module: str) -> int:
    """Run the step; returns its exit status."""
    status = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
        if not isinstance(leave.code, int | None):
            print(leave.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    _run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 120
    return status


def main() -> None:
    ended = os.pidfd_open(int(os.environ[protocol.WARM]))
    environment = dict(os.environ)  # imports may change it
    warm_up(ended)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(protocol.address())
    listening.listen(64)
    Server(listening, ended, environment).serve()


if __name__ == "__main__":
    main()
