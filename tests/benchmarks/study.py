"""`make bench`: one study of 14 runs, from raw responses to evaluations, compared with each run from scratch.

Policy and reward model are given, with random weights; the reward model has nearly four times the policy's parameters
(27B and 8B in the paper). All 14 datasets pair the responses of one prompt set, nine per prompt. A separate run is the
same Snakemake call in an empty results folder, for only one evaluation: it scores all nine responses, since tiers need
them. Separate runs do the same amount of work whatever their tiers, so only some need to be measured.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import yaml

from scripts.lib.tables import write_json
from scripts.lib.vocabulary import TIERS
from tests.benchmarks import data
from tests.benchmarks.turns import spread
from tests.workflow.house import House

MAX_LENGTH = 512
POLICY = {"hidden_size": 256, "layers": 4}
REWARD_MODEL = {"hidden_size": 512, "layers": 5}
RUNS = [
    *(f"bench.{chosen}_{rejected}.bench.s0" for chosen, rejected in combinations(TIERS, 2)),
    *(f"bench.{chosen}_{rejected}.bench.s1" for chosen, rejected in list(combinations(TIERS, 2))[:4]),
]


def make_given(folder: Path, prompts: int) -> None:
    """A user's input: policy, reward model and raw responses."""
    import torch
    from transformers import LlamaForCausalLM, LlamaForSequenceClassification

    from scripts.lib.config.policies import Architecture
    from scripts.lib.scratch import tiny_llama_config, train_tokenizer

    texts = list(data.synthetic_texts(prompts * 5))
    tokenizer = train_tokenizer("bpe", (text for each in texts for text in each), 8000)
    torch.manual_seed(0)
    for name, kind, sizes in (
        ("policy", LlamaForCausalLM, POLICY),
        ("reward_model", LlamaForSequenceClassification, REWARD_MODEL),
    ):
        config = tiny_llama_config(
            Architecture(tokenizer="bpe", vocabulary=8000, heads=8, **sizes), tokenizer, MAX_LENGTH
        )
        if name == "reward_model":
            config.num_labels = 1
        kind(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    with open(folder / "responses.jsonl", "w", encoding="utf-8") as file:
        for index in range(prompts):
            of_prompt = texts[index * 5 : index * 5 + 5]
            responses = [text for each in of_prompt for text in each[1:]][:9]
            for number, response in enumerate(responses):
                row = {"prompt": of_prompt[0][0], "response": response, "generator": f"model_{number}"}
                file.write(json.dumps(row) + "\n")


def configuration(given: Path) -> dict:
    training = {"batch_pairs": 8, "batch_tokens": 2048, "max_length": MAX_LENGTH, "precision": "float32", "epochs": 2}
    return {
        "sources": {"bench": {"kind": "responses", "path": str(given / "responses.jsonl")}},
        "prompt_sets": {"bench": {"sources": ["bench"], "min_responses": 5}},
        "scorers": {
            "bench": {
                "kind": "reward_model",
                "model": str(given / "reward_model"),
                "precision": "float32",
                "max_length": MAX_LENGTH,
            }
        },
        "policies": {"bench": {"kind": "given", "model": str(given / "policy"), "max_length": MAX_LENGTH}},
        "pairs": {
            f"{chosen}_{rejected}": {
                "kind": "tiers",
                "prompt_set": "bench",
                "scorer": "bench",
                "chosen": chosen,
                "rejected": rejected,
            }
            for chosen, rejected in combinations(TIERS, 2)
        },
        "training": {"variants": {"bench": training}},
    }


def timed(house: House, targets: list[str], cores: int) -> dict:
    """Elapsed seconds, and CPU seconds of all processes, of one call in a folder without results."""
    for name in ("results", "checkpoints", "logs", "benchmarks", ".snakemake"):
        shutil.rmtree(house.folder / name, ignore_errors=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", "bench.yaml", "--", *targets]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=house.folder, env=environment, capture_output=True, text=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return {"seconds": seconds, "cpu_seconds": sum(after[:2]) - sum(before[:2])}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.study", description=__doc__)
    parser.add_argument("--prompts", type=int, default=48)
    parser.add_argument("--separate", type=int, default=5, help="how many of the separate runs to measure")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("bench"))
    arguments = parser.parse_args()
    work = arguments.out.resolve() / "study"
    shutil.rmtree(work, ignore_errors=True)
    given = work / "given"
    given.mkdir(parents=True)
    make_given(given, arguments.prompts)
    house = House.build(work / "house")
    (house.folder / "bench.yaml").write_text(yaml.safe_dump(configuration(given), sort_keys=False))
    targets = [f"results/evaluations/{run}/mmlu.json" for run in RUNS]
    shared = timed(house, targets, arguments.cores)
    print("shared", shared, file=sys.stderr)
    separate = []
    for target in targets[:: max(1, len(targets) // arguments.separate)][: arguments.separate]:
        separate.append(timed(house, [target], arguments.cores) | {"target": target})
        print("separate", separate[-1], file=sys.stderr)

    def ratio(key: str) -> dict:
        return spread([shared[key] / (len(RUNS) * each[key]) for each in separate])

    write_json(
        {
            "date": time.strftime("%Y-%m-%d"),
            "runs": len(RUNS),
            "prompts": arguments.prompts,
            "cores": arguments.cores,
            "study_time_ratio": ratio("seconds"),
            "study_time_ratio_cpu": ratio("cpu_seconds"),
            "shared": shared,
            "separate": separate,
        },
        arguments.out / "study.json",
    )


if __name__ == "__main__":
    main()
