"""`make bench`: the training step compared with TRL's DPOTrainer and a plain loop, in turns, on the same pairs.

Every measurement is a separate process, so that its peak memory is its own. A turn runs every variant on the same
pairs, one after the other, and gives one ratio each; turns differ in their pairs. The file is written after every
measurement, and a later call adds turns to it. The first step of a measurement, which alone allocates memory, counts
only in ratios named with_first. The ratios of tests.benchmarks.study are added to the file.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from scripts.lib.tables import write_json
from tests.benchmarks.turns import spread

TEXTS = 4000

WARM_UP = 1
"""Steps that are not counted."""

RATIOS = {
    "ratio_plain_loop": ("ours", ["plain_loop"]),
    "ratio_trl_default": ("ours", ["trl_default"]),
    "ratio_trl_precomputed": ("ours", ["trl_precomputed"]),
    "ratio_trl_tuned": ("ours", ["trl_tuned_1", "trl_tuned_2"]),
    "ratio_trl_bfloat16": ("ours_bfloat16", ["trl_bfloat16"]),
    "ratio_not_compiled": ("ours_compiled", ["ours"]),
}
"""Name -> (ours, theirs): pairs/s of ours over those of the best of theirs in the same turn."""


def measure(variant: str, folder: Path, first: int, steps: int, threads: int) -> dict:
    """Measure one variant on the pairs from the ``first`` on, in this process: ``steps`` steps after the warm-up."""
    import torch

    from scripts.training.loop import batches
    from tests.benchmarks import data
    from tests.benchmarks.variants import SEED, SPEC, VARIANTS

    torch.set_num_threads(threads)
    model, tokenizer = data.load(folder)
    pairs = data.read(folder, first, (WARM_UP + steps) * SPEC.batch_pairs)
    order = [at for step in batches(len(pairs), SPEC.batch_pairs, 1, SEED)[WARM_UP:] for at in step]
    tokens = sum(len(each) for at in order for each in pairs[at])
    outcome = VARIANTS[variant](model, tokenizer, pairs, folder)
    seconds, references = sum(outcome.seconds[WARM_UP:]), outcome.reference_seconds * len(order) / len(pairs)
    return {
        "pairs_per_s": len(order) / seconds,
        "tokens_per_s": tokens / seconds,
        "pairs_per_cpu_s": len(order) / sum(outcome.cpu_seconds[WARM_UP:]),
        "pairs_per_s_with_references": len(order) / (seconds + references),
        "pairs_per_s_with_first": len(pairs) / sum(outcome.seconds),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        **asdict(outcome),
    }


def in_process(variant: str, folder: Path, first: int, steps: int, threads: int) -> dict:
    """:func:`measure` in a fresh process."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    flags = [
        "--measure",
        variant,
        "--out",
        str(folder),
        "--first",
        str(first),
        "--steps",
        str(steps),
        "--threads",
        str(threads),
    ]
    command = [sys.executable, "-m", "tests.benchmarks.training", *flags]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def summary(turns: list[dict]) -> dict:
    """Medians and spreads over turns, of each variant's measurements and of the ratios within turns."""

    def ratios(key: str, mine: str, theirs: list[str]) -> list[float]:
        return [
            turn[mine][key] / max(turn[each][key] for each in theirs) for turn in turns if {mine, *theirs} <= set(turn)
        ]

    found = {}
    for name, (mine, theirs) in RATIOS.items():
        for suffix, key in (
            ("", "pairs_per_s"),
            ("_cpu", "pairs_per_cpu_s"),
            ("_with_references", "pairs_per_s_with_references"),
            ("_with_first", "pairs_per_s_with_first"),
        ):
            if values := ratios(key, mine, theirs):
                found[name + suffix] = spread(values)
    if memory := ratios("peak_gb", "ours", ["trl_default"]):
        found["memory_ratio_trl_default"] = spread(memory)
    variants = sorted({name for turn in turns for name in turn if isinstance(turn[name], dict)})
    keys = ("pairs_per_s", "pairs_per_cpu_s", "tokens_per_s", "pairs_per_s_with_references", "peak_gb")
    found["variants"] = {
        name: {key: spread([turn[name][key] for turn in turns if name in turn]) for key in keys} for name in variants
    }
    return found


def agreement(folder: Path, threads: int, updates: int = 5) -> dict:
    """The losses before each of some updates and after the last, ours compared with the plain loop's."""
    losses = {
        name: in_process(name, folder, 0, updates + 1 - WARM_UP, threads)["losses"] for name in ("ours", "plain_loop")
    }
    apart = [abs(mine - plain) / plain for mine, plain in zip(*losses.values(), strict=True)]
    return {**losses, "apart_at_first": apart[0], "apart_at_most": max(apart)}


def prepare(folder: Path, given: Path | None) -> dict:
    """The pairs and the policy in ``folder``, and their description; made once."""
    from tests.benchmarks import data

    about = folder / "about.json"
    if not about.exists():
        texts = list(islice(data.real_texts(given) if given else data.synthetic_texts(TEXTS), TEXTS))
        found = {"text": "real" if given else "synthetic", **data.make(folder, texts, pairs=400)}
        write_json(found, about)
    return json.loads(about.read_text())


def of_study(folder: Path) -> dict:
    """The ratios that tests.benchmarks.study wrote into this folder, if any."""
    path = folder / "study.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in found.items() if name.startswith("study_time_ratio")}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.training", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of UltraFeedback binarized; without it the text is synthetic")
    parser.add_argument("--turns", type=int, default=5, help="turns to add")
    parser.add_argument(
        "--steps", type=int, default=2, help="steps of 8 pairs in each measurement, after one to warm up"
    )
    parser.add_argument("--threads", type=int, default=2, help="of every measurement")
    parser.add_argument("--variants", nargs="+", help="only these")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(
            json.dumps(measure(arguments.measure, arguments.out, arguments.first, arguments.steps, arguments.threads))
        )
        return

    from tests.benchmarks.variants import SPEC, VARIANTS

    work = arguments.out / ("real" if arguments.data else "synthetic")
    about = prepare(work, arguments.data)
    print(f"{about['pairs']} pairs of {about['text']} text", file=sys.stderr)
    path = arguments.out / "training.json"
    turns = json.loads(path.read_text())["turns"] if path.exists() else []
    versions = {name: version(name) for name in ("torch", "transformers", "trl")}
    head = {
        "about": about,
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()},
        "versions": versions,
        **of_study(arguments.out),
    }
    for _ in range(arguments.turns):
        turn: dict = {
            "date": time.strftime("%Y-%m-%d"),
            "first": len(turns) * (WARM_UP + arguments.steps) * SPEC.batch_pairs,
            "steps": arguments.steps,
            "threads": arguments.threads,
        }
        turns.append(turn)
        for variant in arguments.variants or VARIANTS:
            turn[variant] = in_process(variant, work, turn["first"], arguments.steps, arguments.threads)
            speed, memory = turn[variant]["pairs_per_s"], turn[variant]["peak_gb"]
            print(f"{variant}: {speed:.3f} pairs/s, {memory:.2f} GB", file=sys.stderr)
            write_json(head | summary(turns) | {"turns": turns}, path)
    losses = agreement(work, arguments.threads)
    print(f"losses over five updates: {losses['apart_at_most']:.1e} from the plain loop's", file=sys.stderr)
    write_json(head | summary(turns) | {"losses": losses, "turns": turns}, path)


if __name__ == "__main__":
    main()
