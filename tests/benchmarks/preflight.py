"""Preflight without a model at any size, on synthetic text: time and memory of the whole way in.

    python -m tests.benchmarks.preflight --pairs 64000

Texts are as long as UltraFeedback's (tests/benchmarks/data_phases.py), 1 % of the prompts copies and 2 % near-copies.
Runs ``python -m scripts.preflight`` on two cores in a folder of its own, as a user would, and prints the seconds that
passed, the processor time of all steps, the greatest memory that one held, and the same step by step.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from tests.benchmarks.data_phases import LINKED, ROOT, Writer


def write_pairs(path: Path, pairs: int, words: int) -> None:
    """Pairs of two responses, with the name of who wrote them and a score."""
    text = Writer(0, words)
    questions = [text.prompt() for _ in range(100)]
    with path.open("w", encoding="utf-8") as file:
        for prompt in text.prompts(pairs, questions):
            scores = sorted(text.draw.normal(size=2).round(3).tolist())
            row = {"prompt": prompt, "chosen": text.response(), "rejected": text.response()}
            file.write(json.dumps(row | {"chosen_score": scores[1], "rejected_score": scores[0]}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=64_000)
    parser.add_argument("--words", type=int, default=180, help="median words of a response")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in LINKED:
            (folder / part).symlink_to(ROOT / part)
        write_pairs(folder / "pairs.jsonl", arguments.pairs, arguments.words)
        start = time.monotonic()
        command = [sys.executable, "-m", "scripts.preflight", "pairs.jsonl", "--cores", "2"]
        done = subprocess.run(command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"})
        seconds = time.monotonic() - start
        steps = {}
        for file in sorted((folder / "benchmarks").rglob("*.tsv")):
            row = pd.read_csv(file, sep="\t").iloc[0]
            steps[str(file.relative_to(folder / "benchmarks").with_suffix(""))] = {
                "seconds": row["s"],
                "cpu_seconds": row["cpu_time"],
                "memory_mb": row["max_rss"],
            }
        size = (folder / "results/preflight.html").stat().st_size
    found = {"pairs": arguments.pairs, "exit": done.returncode, "seconds": round(seconds, 1)}
    found |= {"cpu_seconds": round(sum(each["cpu_seconds"] for each in steps.values()), 1)}
    found |= {"memory_mb": max(each["memory_mb"] for each in steps.values()), "page_bytes": size}
    print(json.dumps(found | {"steps": steps}, indent=2))


if __name__ == "__main__":
    main()
