"""`make bench-data`: from sources to the pairs of Tables 1 to 4 at any size, on synthetic text.

Writes synthetic files in the formats of studies/what_matters/paper.yaml's four sources (texts as long as
UltraFeedback's, words by Zipf's law), lays its configuration over the default one, and runs Snakemake with two cores,
once per phase, as a user would. Scores come with the data, so that no model runs. Outputs of models are given: the
policy's samples with their scores, and the prompts of the evaluation suites.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import yaml

from scripts.lib.ids import prompt_id, response_id
from scripts.lib.schemas import PROMPTS, RESPONSES, SCORES
from scripts.lib.tables import write_json, write_table, writing
from tests.configurations import DEFAULT, merged

ROOT = Path(__file__).parents[2]
LINKED = ["Snakefile", "config.yaml", "params.yaml", "rules", "scripts", "studies", "profiles", "envs"]
SUITES = {"gsm8k": 1319, "lc_ae2": 805, "mmlu": 14042, "ifeval": 541, "truthfulqa": 817}
"""Questions of each suite, as published."""
ASPECTS = ("helpfulness", "honesty", "instruction_following", "truthfulness")
FIRST = 4
"""Responses per prompt in UltraFeedback itself; the others are Mistral's."""
SAMPLES = 8
GAPS = {
    "gap_sg_hq": {"mean_chosen": 0.70, "mean_gap": 0.7},
    "gap_lg_hq": {"mean_chosen": 0.85, "mean_gap": 1.6},
    "gap_lg_lq": {"mean_chosen": 0.30, "mean_gap": 1.2},
    "gap_sg_lq": {"mean_chosen": -0.15, "mean_gap": 0.75},
}
"""The targets of Table 3 for normally distributed scores."""
PHASES = {"load": ["load"], "curate": ["curate"], "score": ["score"], "tiers": ["tiers"]} | {
    "pairs": ["pair", "comparisons", "gap", "counterfactual", "mix"]
}
"""Phase -> its rules; no other rule may run in it."""


class Writer:
    """Synthetic text: prompts and responses of UltraFeedback's lengths, a few repeated or copied from the suites."""

    def __init__(self, seed: int, words: int) -> None:
        self.median = words
        self.draw = np.random.default_rng(seed)
        syllables = np.array([a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in ("", "n", "r", "s")])
        at = np.arange(50_000)
        self.words = syllables[at % 240] + np.char.add(syllables[at // 240 % 240], "")
        pool = self.some_words(2_000_000)
        self.pool = " ".join(pool)
        self.starts = np.r_[0, np.cumsum([len(word) + 1 for word in pool])]
        self.openings = [" ".join(self.some_words(int(n))) for n in self.draw.integers(4, 40, size=60)]

    def some_words(self, n: int) -> list[str]:
        return self.words[np.minimum(self.draw.zipf(1.2, size=n), len(self.words)) - 1].tolist()

    def prompt(self) -> str:
        """New words; three of ten prompts begin like others."""
        text = " ".join(self.some_words(self.length(65, 1.0)))
        return f"{self.openings[self.draw.integers(60)]}\n{text}" if self.draw.random() < 0.3 else text

    def response(self) -> str:
        """Consecutive words from a pool of two million; responses are never compared, so overlap does not matter."""
        n = self.length(self.median, 0.9)
        start = int(self.draw.integers(len(self.starts) - n - 1))
        return self.pool[self.starts[start] : self.starts[start + n] - 1]

    def length(self, median: float, spread: float) -> int:
        return int(np.clip(median * np.exp(spread * self.draw.normal()), 3, 4000))

    def prompts(self, n: int, questions: list[str]) -> Iterator[str]:
        """n prompts: 1 % copies, 2 % near-copies (one word of a long text changed), 0.3 % suites' questions."""
        earlier: list[str] = []
        for _ in range(n):
            kind, text = self.draw.random(), ""
            if kind < 0.03 and earlier:
                text = earlier[self.draw.integers(len(earlier))]
                if kind >= 0.01:
                    words = text.split(" ")
                    words[self.draw.integers(len(words))] = "other"
                    text = " ".join(words)
            elif kind < 0.033:
                text = questions[self.draw.integers(len(questions))]
                text = text if self.draw.random() < 0.5 else f"Question: {text}\nAnswer:"
            text = text or self.prompt()
            if len(earlier) < 2000:
                earlier.append(text)
            yield text


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def write_sources(folder: Path, prompts: int, responses: int, words: int) -> None:
    """The four sources of studies/what_matters/paper.yaml and the suites' prompts, row by row."""
    text = Writer(0, words)
    questions: list[str] = []
    for suite, size in SUITES.items():
        asked = list(dict.fromkeys(text.prompt() for _ in range(size)))
        questions += asked
        rows = [(prompt_id(user(each)), user(each), suite, "test") for each in asked]
        table = pd.DataFrame(rows, columns=list(PROMPTS.columns))
        write_table(table, folder / f"results/suites/{suite}/prompts.parquet", PROMPTS)
    names = ("ultrafeedback_original", "ultrafeedback_tulu3", "ultrafeedback_mistral")
    with ExitStack() as files:
        original, tulu, mistral = (files.enter_context(open(folder / f"{name}.jsonl", "w")) for name in names)
        for prompt in text.prompts(prompts, questions):
            scores = text.draw.normal(size=responses).round(4).tolist()
            answers = [text.response() for _ in scores]
            rows = []
            for at, (answer, score) in enumerate(zip(answers[:FIRST], scores, strict=False)):
                rated = {name: {"Rating": str(rating)} for name, rating in zip(ASPECTS, (3, 4, 5, 2), strict=True)}
                rated["rm_score"] = {"Rating": score}  # as Mistral's responses have: one scorer for all
                row = {"model": f"model_{at}", "response": answer, "overall_score": 7.5, "fine-grained_score": 4.25}
                rows.append(row | {"annotations": rated})
            original.write(json.dumps({"instruction": prompt, "completions": rows}) + "\n")
            tulu.write(json.dumps(binarized(prompt, answers[:FIRST], scores[:FIRST])) + "\n")
            row = binarized(prompt, answers[FIRST:], scores[FIRST:])
            row |= {"all_generated_responses": answers[FIRST:], "all_rm_scores": scores[FIRST:]}
            mistral.write(json.dumps(row) + "\n")
    with open(folder / "oasst2.jsonl", "w") as file:
        for at, prompt in enumerate(text.prompts(max(20, prompts // 6), questions)):
            root = {"message_id": f"p{at}", "parent_id": None, "role": "prompter", "text": prompt, "lang": "en"}
            file.write(json.dumps(root) + "\n")
            for rank in range(5):
                row = {"message_id": f"p{at}r{rank}", "parent_id": f"p{at}", "role": "assistant", "rank": rank}
                file.write(json.dumps(row | {"text": text.response(), "lang": "en"}) + "\n")


def binarized(prompt: str, answers: list[str], scores: list[float]) -> dict:
    sides = {}
    for side, at in (("chosen", int(np.argmax(scores))), ("rejected", int(np.argmin(scores)))):
        sides[side] = [*user(prompt), {"role": "assistant", "content": answers[at]}]
        sides[f"score_{side}"] = scores[at]
    return {"prompt": prompt} | sides


def configuration() -> dict:
    """The overlay on studies/what_matters/paper.yaml: its data from local files, its scorers annotations."""
    pairs = merged(*DEFAULT)["pairs"]
    files = ("oasst2", "ultrafeedback_original", "ultrafeedback_tulu3", "ultrafeedback_mistral")
    scorers = {"open_assistant": "rank", "ultrafeedback": "rm_score"}
    return {
        "sources": {name: {"path": f"{name}.jsonl"} for name in files},
        "scorers": {name: {"kind": "annotation", "annotation": name} for name in scorers.values()},
        "pairs": {
            name: {"scorer": scorers[entry["prompt_set"]]} | GAPS.get(name, {})
            for name, entry in pairs.items()
            if "prompt_set" in entry
        },
    }


def write_samples(folder: Path, words: int) -> None:
    """Stand-in for the outputs of a policy and its scorer on the prompt set: eight responses per prompt, and scores."""
    text = Writer(1, words)
    prompts = pq.read_table(folder / "results/prompt_sets/ultrafeedback/prompts.parquet", columns=["prompt_id"])
    family = "ultrafeedback.on_policy"
    paths = [folder / f"results/samples/tulu3_sft/{family}.responses.parquet"]
    paths.append(folder / f"results/scores/rm_score/{family}.parquet")
    with writing(paths[0], RESPONSES) as samples, writing(paths[1], SCORES) as scores:
        for batch in prompts.to_batches(8192):
            rows = [
                (response_id(its_id, answer), its_id, family, answer)
                for its_id in batch["prompt_id"].to_pylist()
                for answer in dict.fromkeys(text.response() for _ in range(SAMPLES))
            ]
            table = pd.DataFrame(rows, columns=RESPONSES.required)
            samples.write(table)
            scores.write(table[["response_id"]].assign(score=text.draw.normal(0.5, 1.0, size=len(table))))


@dataclass(frozen=True)
class Cost:
    """wall_s; cpu_s of a Snakemake call and all its steps; peak_gb of the largest process among them."""

    wall_s: float
    cpu_s: float
    peak_gb: float


def snakemake(folder: Path, rules: list[str], targets: list[str]) -> Cost:
    configs = ["--configfile", "studies/what_matters/paper.yaml", "bench.yaml"]
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", *configs]
    command += ["--allowed-rules", *rules, "--", *targets]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Cost(
        round(time.monotonic() - start, 1), round(used.ru_utime + used.ru_stime, 1), round(used.ru_maxrss / 1e6, 3)
    )


def targets(folder: Path) -> dict[str, list[str]]:
    """Phase -> its final files."""
    sets = ("open_assistant", "ultrafeedback")
    ranked = ("open_assistant.rank", "ultrafeedback.rm_score")
    pairs = merged(*DEFAULT)["pairs"]
    return {
        "load": [f"results/data/{path.stem}/card.json" for path in sorted(folder.glob("*.jsonl"))],
        "curate": [f"results/prompt_sets/{name}/card.json" for name in sets],
        "score": ["results/scores/rank/open_assistant.parquet", "results/scores/rm_score/ultrafeedback.parquet"],
        "tiers": [f"results/tiers/{name}.parquet" for name in ranked],
        "pairs": [f"results/pairs/{name}.parquet" for name in pairs],
    }


def jobs(folder: Path) -> dict[str, dict]:
    """Snakemake's own benchmark of every job: seconds, and peak memory as sampled, in MB."""
    found = {}
    for path in sorted((folder / "benchmarks").rglob("*.tsv")):
        row = pd.read_csv(path, sep="\t").iloc[0]
        name = str(path.relative_to(folder / "benchmarks").with_suffix(""))
        found[name] = {"wall_s": float(row["s"]), "cpu_s": float(row["cpu_time"]), "sampled_mb": float(row["max_rss"])}
    return found


def measure(folder: Path, prompts: int, responses: int, words: int) -> dict:
    """Run every phase from scratch in ``folder``, which keeps the results."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "bench.yaml").write_text(yaml.safe_dump(configuration()))
    write_sources(folder, prompts, responses, words)
    text = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
    print(f"{text / 1e9:.2f} GB of sources", file=sys.stderr)
    phases: dict[str, Cost] = {}
    for phase, its_targets in targets(folder).items():
        if phase == "pairs":
            write_samples(folder, words)
        phases[phase] = snakemake(folder, PHASES[phase], its_targets)
        print(f"{phase}: {phases[phase]}", file=sys.stderr)
    cards = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("results/prompt_sets/*/card.json")}
    return {
        "prompts": prompts,
        "responses_a_prompt": responses,
        "words_a_response": words,
        "sources_gb": round(text / 1e9, 3),
        "kept": {name: {key: card[key] for key in ("prompts", "responses", "dropped")} for name, card in cards.items()},
        "phases": {name: asdict(cost) for name, cost in phases.items()},
        "total": {
            "wall_s": round(sum(cost.wall_s for cost in phases.values()), 1),
            "cpu_s": round(sum(cost.cpu_s for cost in phases.values()), 1),
            "peak_gb": max(cost.peak_gb for cost in phases.values()),
        },
        "jobs": jobs(folder),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.data_phases", description=__doc__)
    parser.add_argument("--prompts", type=int, default=64_000, help="of UltraFeedback; Open Assistant has a sixth")
    parser.add_argument("--responses", type=int, default=9, help="a prompt of UltraFeedback, at least 6")
    parser.add_argument("--words", type=int, default=150, help="a response, in the median")
    parser.add_argument("--out", type=Path, default=Path("bench"))
    arguments = parser.parse_args()

    path = arguments.out / "data_phases.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    head = {"date": time.strftime("%Y-%m-%d"), "load_before": round(os.getloadavg()[0], 1)}
    head |= {"cores": os.cpu_count(), "python": platform.python_version()}
    run = head | measure(
        (arguments.out / "data_phases").absolute(), arguments.prompts, arguments.responses, arguments.words
    )
    write_json({"runs": [*runs, run]}, path)


if __name__ == "__main__":
    main()
