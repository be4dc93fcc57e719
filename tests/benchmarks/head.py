"""`make bench`: memory and speed of the loss head alone, with a large vocabulary, compared with all logits at once.

Forward and backward from hidden states to the gradients of hidden states and weight, one process each, in turns.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from scripts.lib.tables import write_json
from tests.benchmarks.turns import spread


def measure(kind: str, vocabulary: int, tokens: int, hidden: int, responses: int, threads: int) -> dict:
    """Seconds, and the memory that the head needs besides its inputs, its weight and the gradients of both, in GB."""
    import torch
    from torch.nn.functional import cross_entropy

    from scripts.lib.head import Head

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    linear = torch.nn.Linear(hidden, vocabulary, bias=False)
    linear.weight.grad = torch.zeros_like(linear.weight)
    linear.weight.grad.fill_(0.0)
    states, targets = torch.randn(tokens, hidden), torch.randint(vocabulary, (tokens,))
    leaves = [leaf.requires_grad_() for leaf in states.split(tokens // responses if kind == "ours" else tokens)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    head = Head(linear, torch.float32)
    total = 0.0
    for leaf, wanted in zip(leaves, targets.split(len(leaves[0])), strict=True):
        if kind == "ours":
            loss = -head.logprobs(leaf, wanted).sum()
        else:
            loss = cross_entropy(linear(leaf), wanted, reduction="sum")
        loss.backward()
        total += loss.item()
    return {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - processor,
        "peak_gb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6,
        "loss": total,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.head", description=__doc__)
    parser.add_argument("--vocabulary", type=int, default=128_000)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--responses", type=int, default=16, help="of equal length, among which the tokens lie")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--measure", choices=["ours", "plain"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = ("vocabulary", "tokens", "hidden", "responses", "threads")
    sizes = {name: getattr(arguments, name) for name in names}
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, **sizes)))
        return
    turns: list[dict] = []
    for _ in range(arguments.turns):
        turns.append({})
        for kind in ("ours", "plain"):
            flags = [text for name, value in sizes.items() for text in (f"--{name}", str(value))]
            command = [sys.executable, "-m", "tests.benchmarks.head", "--measure", kind, *flags]
            environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            turns[-1][kind] = json.loads(done.stdout)
            print(kind, turns[-1][kind], file=sys.stderr)
    ratios = {
        f"ratio_{key}": spread([turn["plain"][key] / turn["ours"][key] for turn in turns])
        for key in ("seconds", "cpu_seconds", "peak_gb")
    }
    about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count()}
    write_json({**about, **sizes, **ratios, "turns": turns}, arguments.out / "head.json")


if __name__ == "__main__":
    main()
