"""A DVC remote over HTTP that dies after some answers: python -m tests.faults.http_store FOLDER PORT ANSWERS."""

import os
import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Store(BaseHTTPRequestHandler):
    folder: Path
    answers: int

    def log_message(self, *_) -> None:
        """Keep requests out of a test's output."""

    def place(self) -> Path:
        return self.folder / self.path.strip("/")

    def send(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2])
            if Store.answers <= 0:  # in the middle of a file; threads may count below zero
                self.wfile.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            self.wfile.write(content[len(content) // 2 :])
            Store.answers -= 1

    def do_GET(self) -> None:
        content = self.place().read_bytes() if self.place().is_file() else None
        self.send(404 if content is None else 200, content or b"")

    do_HEAD = do_GET

    def chunks(self) -> Iterator[bytes]:
        """The body: of a known length, or in chunks with their own lengths, as DVC sends streamed data."""
        if "Content-Length" in self.headers:
            yield self.rfile.read(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def do_PUT(self) -> None:
        content = b"".join(self.chunks())
        self.place().parent.mkdir(parents=True, exist_ok=True)
        self.place().write_bytes(content)
        self.send(201)


if __name__ == "__main__":
    Store.folder, Store.answers = Path(sys.argv[1]), int(sys.argv[3])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Store).serve_forever()
