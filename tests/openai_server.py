"""A small OpenAI-compatible endpoint on loopback. Prefers the longer output, or writes texts; can be made to fail."""

import json
import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OUTPUT = re.compile(r'"output": """(.*?)"""\n    \}', re.DOTALL)


def wins(first: str, second: str) -> float:
    """The endpoint's probability that the second of two outputs is better."""
    return 1 / (1 + math.exp(-0.1 * (len(second) - len(first))))


class Endpoint:
    """Counts requests. healthy: requests answered before it fails with ``status``; delay: per request, in s.

    written: prompt -> the text of an answer and why it ends, in place of a preference.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: list[dict] = []
        self.failed = 0
        self.healthy = math.inf
        self.status = 500
        self.tokens = ("m", "M")
        self.logprobs = True
        self.delay = 0.0
        self.url = ""
        self.written: Callable[[str], tuple[str | None, str]] | None = None

    @property
    def answered(self) -> int:
        return len(self.asked)

    def reply(self, body: dict, authorization: str) -> tuple[int, dict]:
        with self.lock:
            if len(self.asked) >= self.healthy:
                self.failed += 1
                return self.status, {"error": {"message": f"cannot serve {authorization} now", "type": "server"}}
            self.asked.append({**body, "authorization": authorization})
        if self.written:
            return 200, completion(body, *self.written(body["messages"][-1]["content"]), None)
        first, second = OUTPUT.findall(body["messages"][-1]["content"])
        share = wins(first, second)
        likely = [
            {"token": token, "logprob": math.log(part), "bytes": None}
            for token, part in zip(self.tokens, (1 - share, share), strict=True)
        ]
        content = [{**max(likely, key=lambda each: each["logprob"]), "top_logprobs": likely}]
        return 200, completion(body, content[0]["token"], "length", {"content": content} if self.logprobs else None)


def kill_in_the_middle(endpoint: Endpoint, imported: str, call: str) -> int:
    """Run ``call`` in a process of its own, kill it after three answers, and return how many there were.

    imported: what the call needs, as after ``from``.
    """
    endpoint.delay = 0.3
    code = f"from pathlib import Path\nfrom {imported}\n{call}"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as job:
        while endpoint.answered < 3 and job.poll() is None:
            time.sleep(0.01)
        job.kill()
    endpoint.delay = 0.0
    return endpoint.answered


def completion(body: dict, text: str | None, finish: str, logprobs: dict | None) -> dict:
    """The body of an answer with one choice."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": finish, "message": message, "logprobs": logprobs}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }


@contextmanager
def serving():
    """An Endpoint that answers at ``url`` inside the block."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            time.sleep(endpoint.delay)
            status, reply = endpoint.reply(body, self.headers["Authorization"])
            text = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield endpoint
        finally:
            server.shutdown()
            thread.join()
