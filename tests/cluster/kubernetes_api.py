"""The part of Kubernetes' API that Snakemake's plugin uses: a job's command runs on this machine.

No cluster, no containers: it shows what pods would be asked to run, and that running it succeeds.
"""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml


class Pretended:
    """A server on loopback; ``jobs`` are the posted bodies, in order."""

    def __init__(self) -> None:
        self.jobs: list[dict] = []
        self.running: dict[str, subprocess.Popen] = {}
        self.refusals = 0
        """How many more queries about jobs are answered with an error."""
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/jobs"):
                    cluster.submit(body)
                self.answer(body)

            def do_GET(self) -> None:
                if self.path.startswith("/api/v1"):
                    self.answer({"items": []})
                elif cluster.refusals:
                    cluster.refusals -= 1
                    self.answer({}, 403)
                else:
                    status = cluster.running[self.path.split("/")[-2]].poll()
                    ended = {} if status is None else {"failed" if status else "succeeded": 1}
                    self.answer({"status": ended})

            def do_DELETE(self) -> None:
                self.answer({})

            def answer(self, body: dict, code: int = 200) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def submit(self, body: dict) -> None:
        self.jobs.append(body)
        container = body["spec"]["template"]["spec"]["containers"][0]
        command = [*container["command"], *container["args"]]
        # Not in Snakemake's folder: a pod starts in its own.
        self.running[body["metadata"]["name"]] = subprocess.Popen(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kubeconfig(self, path: Path) -> Path:
        where = {"server": f"http://127.0.0.1:{self.server.server_port}"}
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": where}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [context],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def stop(self) -> None:
        self.server.shutdown()
        for job in self.running.values():
            job.kill()
