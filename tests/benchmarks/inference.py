"""`make bench`: sampling with transformers and with vLLM; scoring in batches and one response at a time.

In turns, one process each, on the same texts of real lengths; loading and the first few prompts are not counted.
vLLM is included if its Python is given.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from scripts.lib.tables import write_json
from tests.benchmarks import data, study
from tests.benchmarks.turns import spread

PROMPTS = 64
WARM_UP = 4
NEW_TOKENS = 64


def sampling(backend: str, folder: Path) -> dict:
    """New tokens per second; their number depends on where responses end, so none may end early."""
    from scripts.lib.chat import encode_prompt
    from scripts.lib.config.sampling import SamplingSpec
    from scripts.lib.models import read_policy
    from scripts.lib.sampling import sampler_of

    spec = SamplingSpec(backend=backend, precision="float32", max_new_tokens=NEW_TOKENS, batch_tokens=8192)
    sampler = sampler_of(read_policy(folder / "sampled" / "policy.json"), spec)
    prompts = [[{"role": "user", "content": prompt}] for prompt, _, _ in data.synthetic_texts(2 * PROMPTS)]
    room = data.MAX_LENGTH - NEW_TOKENS
    prompts = [each for each in prompts if len(encode_prompt(sampler.tokenizer, each)) <= room][: PROMPTS + WARM_UP]
    ids = [f"p{at}" for at in range(len(prompts))]
    sampler.sample(prompts[:WARM_UP], ids[:WARM_UP], spec)
    wall, processor = time.perf_counter(), time.process_time()
    samples = sampler.sample(prompts[WARM_UP:], ids[WARM_UP:], spec)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
    tokens = sum(len(sampler.tokenizer(each.text, add_special_tokens=False)["input_ids"]) for each in samples)
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "rate": tokens / seconds, "responses": len(samples)}


def scoring(batch_tokens: int, folder: Path) -> dict:
    """Responses per second."""
    from scripts.lib.config.scorers import RewardModelScorer
    from scripts.lib.rewards import scorer_of

    spec = RewardModelScorer(
        kind="reward_model",
        model=str(folder / "reward_model"),
        precision="float32",
        max_length=study.MAX_LENGTH,
        batch_tokens=batch_tokens,
    )
    rows = [json.loads(line) for line in (folder / "responses.jsonl").read_text(encoding="utf-8").splitlines()]
    items = [([{"role": "user", "content": row["prompt"]}], row["response"]) for row in rows]
    scorer = scorer_of(spec)
    scorer.score(items[:WARM_UP])
    wall, processor = time.perf_counter(), time.process_time()
    scores = scorer.score(items)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "rate": len(items) / seconds, "sum": sum(scores)}


VARIANTS = {
    "scoring": lambda folder: scoring(4096, folder),
    "scoring_one_at_a_time": lambda folder: scoring(1, folder),
    "sampling_transformers": lambda folder: sampling("transformers", folder),
    "sampling_vllm": lambda folder: sampling("vllm", folder),
}
RATIOS = {
    "ratio_scoring_one_at_a_time": ("scoring", "scoring_one_at_a_time"),
    "ratio_sampling_vllm": ("sampling_vllm", "sampling_transformers"),
}


def summary(turns: list[dict]) -> dict:
    """Medians and spreads of the ratios within turns."""
    found = {}
    for name, (mine, other) in RATIOS.items():
        if values := [turn[mine]["rate"] / turn[other]["rate"] for turn in turns if {mine, other} <= set(turn)]:
            found[name] = spread(values)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.inference", description=__doc__)
    parser.add_argument("--vllm-python", type=Path, help="a Python with vLLM, such as .venv-vllm/bin/python")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--measure", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    work = arguments.out / "inference"
    if arguments.measure:
        print(json.dumps(VARIANTS[arguments.measure](work)))
        return
    if not (work / "sampled" / "policy.json").exists():
        (work / "sampled").mkdir(parents=True, exist_ok=True)
        data.make(work / "sampled", list(data.synthetic_texts(1000)), pairs=10)
        study.make_given(work, 20)
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads), "HF_HUB_OFFLINE": "1"}
    turns: list[dict] = []
    for _ in range(arguments.turns):
        turns.append({})
        for variant in VARIANTS:
            python = arguments.vllm_python if variant == "sampling_vllm" else Path(sys.executable)
            if python is None:
                continue
            flags = ["--measure", variant, "--out", str(arguments.out)]
            command = [str(python), "-m", "tests.benchmarks.inference", *flags]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            turns[-1][variant] = json.loads(done.stdout.splitlines()[-1])
            print(variant, turns[-1][variant], file=sys.stderr)
        about = {"date": time.strftime("%Y-%m-%d"), "threads": arguments.threads, "cores": os.cpu_count()}
        write_json({**about, **summary(turns), "turns": turns}, arguments.out / "inference.json")


if __name__ == "__main__":
    main()
