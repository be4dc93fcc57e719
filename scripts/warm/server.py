"""The warm process: imports what steps import, then forks a child for each step that a client asks for.

It ends with its Snakemake, and a child with its client. It runs nothing but imports before it forks: no thread of
OpenMP, nothing on a GPU.
"""

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
"""What steps import, each with all that it imports itself; one that is not installed is passed over."""


INTERRUPTED = -signal.SIGINT


def warm_up(ended: int) -> None:
    """Import them all, unless Snakemake ends meanwhile."""
    for name in PACKAGES:
        if select.select([ended], [], [], 0)[0]:
            os._exit(0)
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.collect()
    gc.freeze()  # what is there already is in no child's garbage collection


class Server:
    """Children by the connection of the client that asked for each."""

    def __init__(self, claim: socket.socket, listening: socket.socket, ended: int, environment: dict[str, str]) -> None:
        self.claim = claim
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
        """Snakemake has ended: so do all steps, and this process."""
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
        if protocol.fixed(asked["environment"]) != self.environment:
            connection.close()  # the client starts the step cold
        else:
            self.fork(connection, asked, files)
        for each in files:
            os.close(each)

    def fork(self, connection: socket.socket, asked: dict, files: list[int]) -> None:
        child = os.fork()
        if child == 0:
            self.let_go()
            connection.close()
            become(asked, files)
        connection.settimeout(None)
        self.children[connection] = child
        watched = os.pidfd_open(child)
        self.selector.register(watched, selectors.EVENT_READ, lambda _: self.report(watched, connection, child))
        self.selector.register(connection, selectors.EVENT_READ, lambda _: self.signal(connection, child))

    def let_go(self) -> None:
        """Close what is the server's, in a child of it."""
        for key in list(self.selector.get_map().values()):
            os.close(key.fd)
        self.selector.close()
        self.claim.close()

    def signal(self, connection: socket.socket, child: int) -> None:
        """A client forwards a signal, or is gone: then its child is killed."""
        try:
            numbers = connection.recv(16) or bytes([signal.SIGKILL])
        except OSError:
            numbers = bytes([signal.SIGKILL])
        for number in numbers:
            os.kill(child, number)
        if signal.SIGKILL in numbers:
            self.selector.unregister(connection)

    def report(self, watched: int, connection: socket.socket, child: int) -> None:
        """Tell the client how its child ended."""
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
    """What a client asks for, and its standard streams."""
    first, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while len(first) < protocol.SIZE.size:
        first += _more(connection)
    (size,) = protocol.SIZE.unpack_from(first)
    text = first[protocol.SIZE.size :]
    while len(text) < size:
        text += _more(connection)
    if len(files) != 3:
        raise ValueError("a client without standard streams")
    return json.loads(text.decode("utf-8", "surrogateescape")), files


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(1 << 16)
    if not part:
        raise ValueError("a client that is gone")
    return part


def become(asked: dict, files: list[int]) -> None:
    """Be the step that a client asked for: the rest of this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, file in enumerate(files):
        os.dup2(file, stream)
    for file in files:
        if file > 2:
            os.close(file)
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    with open("/proc/self/comm", "w") as name:  # by which the step is found to be its client's: benchmarks.py
        name.write(f"step-{asked['client']}")
    set_threads()
    sys.path[0] = asked["folder"]  # as python -m has it
    del sys.modules["protocol"]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    module, *arguments = asked["arguments"]
    sys.argv = [module, *arguments]
    status = run(module)
    if status == INTERRUPTED:  # as python itself ends
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def set_threads() -> None:
    """As many threads as the libraries would have taken, had they loaded in this environment."""
    import torch
    from threadpoolctl import threadpool_limits

    count = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(count)
    threadpool_limits(count)


def run(module: str) -> int:
    """Run the step to its end, and give its exit status."""
    status = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
        if not isinstance(leave.code, int | None):
            print(leave.code, file=sys.stderr)
    except BaseException as error:
        sys.excepthook(*sys.exc_info())
        status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()
    _run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 120
    return status


def main() -> None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # of which nobody waits to be accepted
    try:
        claim.bind(protocol.address("claim"))
    except OSError:
        return  # another one is warming up, or is there
    ended = os.pidfd_open(int(os.environ[protocol.SNAKEMAKE]))
    environment = dict(os.environ)  # what is imported may change it
    warm_up(ended)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(protocol.address("warm"))
    listening.listen(64)
    Server(claim, listening, ended, environment).serve()


if __name__ == "__main__":
    main()
