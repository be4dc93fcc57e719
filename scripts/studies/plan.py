"""Plans a study before it runs: responses to score and sample, forward passes, training, questions, and time.

Counts are over the curated prompt sets and over the conversations that policies are supervised on; nothing else needs
to exist. It is assumed that a pairs dataset has one pair per prompt, and that a response yet to be sampled is as long
as the prompt set's average. Tokens are UTF-8 bytes / 4, a good approximation for English and most tokenizers; in the
training and log-probs of runs, no more per text than `max_length`. `separate` is what the study's runs would need one
by one: each scores all responses behind its pairs, samples its own responses and computes the references of its own
pairs; and what each study needs besides runs, such as a preflight's. `cached` is what exists under results/; only
snakemake -n can tell whether it is up to date. Hours are for what is not cached, from the throughputs of a machine
stated in the configuration; requests to LLMs take a machine of their own, and none of these hours. Their tokens are
those of prompts, answers and instructions, without reference answers.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.config.hardware import HardwareSpec
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.schemas import CONVERSATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_batches, read_table
from scripts.studies import truncation
from scripts.studies.truncation import BYTES_A_TOKEN, Cut, effect

Kind = Literal["score", "sample", "logprobs", "supervise", "train", "ask", "request"]
QUANTITIES: dict[Kind, str] = {
    "score": "scored responses",
    "sample": "sampled responses",
    "logprobs": "forward passes (responses)",
    "supervise": "training conversations",
    "train": "training pairs",
    "ask": "questions of lm-eval",
    "request": "requests to LLMs",
}
COLUMNS = ["work", "needed", "separate", "cached", "tokens_needed", "tokens_left", "jobs_left"]


class Job(Spec):
    """One output of the DAG and the amount of work in it.

    of: a family, ``<prompt set or suite>/prompts``, or ``<source>/conversations``. times: samples or epochs per row.
    most: rows, if not all are worked on. longest: the tokens to which each text is cut. length: of one unit of work,
    relative to a row: a question includes its few-shot examples. added: tokens beyond that, such as an LLM's
    instructions. share: of a job, if one job makes several outputs. separate: how often separate runs would do it, as a
    multiple; the references of runs' own pairs are counted apart, by their training.
    """

    kind: Kind
    out: str
    of: str
    times: float = 1.0
    most: int | None = None
    longest: int | None = None
    length: float = 1.0
    added: float = 0.0
    share: float = 1.0
    separate: float = 1.0


@dataclass(frozen=True, eq=False)
class Texts:
    """The rows of a family, prompt set or suite, and the tokens of each text: a row, with a response to it if any."""

    rows: int
    sizes: np.ndarray

    def tokens(self, longest: int | None = None) -> float:
        """Their mean, each cut to ``longest``; 0 without a text."""
        if not len(self.sizes):
            return 0.0
        return float((self.sizes if longest is None else np.minimum(self.sizes, longest)).mean())


def sizes_of(prompts: pd.DataFrame) -> dict[str, int]:
    """Prompt id -> bytes of its turns."""
    return {key: _bytes(prompt) for key, prompt in zip(prompts["prompt_id"], prompts["prompt"], strict=True)}


def _bytes(turns: Iterable[Mapping[str, str]]) -> int:
    return sum(len(turn["content"].encode()) for turn in turns)


def texts_of(name: str, prompts: pd.DataFrame, responses: pd.DataFrame | None) -> dict[str, Texts]:
    """The families of a prompt set or suite, and ``<name>/prompts``: its prompts, each with an average response."""
    of_prompt = sizes_of(prompts)
    if responses is None:
        return {f"{name}/prompts": Texts(len(prompts), np.array([*of_prompt.values()]) / BYTES_A_TOKEN)}
    size = responses["response"].map(lambda text: len(text.encode())) + responses["prompt_id"].map(of_prompt)
    found = {
        str(family): Texts(len(own), own.to_numpy() / BYTES_A_TOKEN)
        for family, own in size.groupby(responses["family"])
    }
    return found | {f"{name}/prompts": Texts(len(prompts), size.to_numpy() / BYTES_A_TOKEN)}


def texts_of_conversations(path: Path) -> dict[str, Texts]:
    """``<source>/conversations`` of a source's table, which is read in parts."""
    sizes: list[int] = []
    for part in read_batches(path, CONVERSATIONS, ["conversation"]):
        sizes += map(_bytes, part["conversation"].to_pylist())
    return {f"{path.parent.name}/conversations": Texts(len(sizes), np.array(sizes) / BYTES_A_TOKEN)}


def plan(jobs: Sequence[Job], texts: Mapping[str, Texts], hardware: Mapping[str, HardwareSpec]) -> list[dict]:
    """One row per kind of work, and one for all of it; two columns per machine: device hours and elapsed hours.

    Raises InputError for a job over texts that were not counted.
    """
    rows = []
    references = sum(2 * texts[job.of].rows for job in jobs if job.kind == "train")  # each run's own pairs, once
    for kind, work in QUANTITIES.items():
        own = [job for job in jobs if job.kind == kind]
        for job in own:
            if job.of not in texts:
                raise InputError(job.out, f"works through {job.of}, which is not counted", "give its prompts")
        count = {job.out: min(texts[job.of].rows, job.most or math.inf) * job.times for job in own}
        sides = 2 if kind == "train" else 1  # a pair is two sequences
        each = {job.out: job.length * texts[job.of].tokens(job.longest) + job.added for job in own}
        tokens = {out: sides * count[out] * mean for out, mean in each.items()}
        left = [job for job in own if not Path(job.out).exists()]
        row = {
            "work": work,
            "needed": round(sum(count.values())),
            "separate": round(sum(count[job.out] * job.separate for job in own) + references * (kind == "logprobs")),
            "cached": round(sum(count.values()) - sum(count[job.out] for job in left)),
            "tokens_needed": round(sum(tokens.values())),
            "tokens_left": round(sum(tokens[job.out] for job in left)),
            "jobs_left": round(sum(job.share for job in left)),
        }
        for name, machine in hardware.items():
            speed = math.inf if kind == "request" else getattr(machine, "train" if kind == "supervise" else kind)
            start = 0.0 if kind == "request" else machine.start_seconds
            seconds = [job.share * start + tokens[job.out] / speed for job in left]
            rounds = math.ceil(row["jobs_left"] / machine.devices)
            row[f"{name}_device_hours"] = sum(seconds) / 3600
            row[f"{name}_hours"] = max(sum(seconds) / machine.devices, rounds * min(seconds, default=0.0)) / 3600
        rows.append(row)
    total = {"work": "all"} | dict.fromkeys(COLUMNS[1:4])
    return [*rows, total | {name: sum(row[name] for row in rows) for name in rows[0] if name not in total}]


def table_of(rows: Sequence[dict]) -> str:
    """The rows as text for a terminal: whole numbers as such, hours to two places."""

    def cell(value: object) -> str:
        return "" if value is None else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"

    shown = [{name: value if isinstance(value, str) else cell(value) for name, value in row.items()} for row in rows]
    return pd.DataFrame(shown).rename(columns=lambda name: name.replace("_", " ")).to_string(index=False)


def told(effects: Sequence[dict]) -> str:
    """The datasets of which max_length cuts something, or may yet cut something, as text for a terminal."""
    lose = [row for row in effects if row["longer"] or truncation.TO_COME in row["counted"]]
    others = len(effects) - len(lose)
    text = f"max_length: nothing is longer in {others} of {len(effects)} datasets\n" if others else ""
    return text + (f"{table_of(lose)}\n{truncation.LEGEND}" if lose else "")


def main() -> None:
    parser = cli.parser_of("scripts.studies.plan", __doc__)
    parser.add_argument("--jobs", type=cli.spec_of(list[Job]), required=True, help="JSON: the outputs to come")
    parser.add_argument(
        "--hardware", type=cli.spec_of(dict[str, HardwareSpec]), required=True, help="JSON: machine -> throughputs"
    )
    parser.add_argument(
        "--texts",
        type=Path,
        nargs="*",
        required=True,
        help="folders with prompts.parquet and, except for questions, the responses to them",
    )
    parser.add_argument("--conversations", type=Path, nargs="*", default=[], help="conversations.parquet of sources")
    parser.add_argument("--cuts", type=cli.spec_of(list[Cut]), required=True, help="JSON: what runs learn from")
    parser.add_argument("--out", type=Path, required=True, help="beside it: <name>_truncation.csv")
    arguments = parser.parse_args()

    texts: dict[str, Texts] = {}
    sizes: dict[str, int] = {}
    answers = [RESPONSES.arrow.empty_table().to_pandas()]
    for folder in arguments.texts:
        paths = [path for name in ("responses", "reference") if (path := folder / f"{name}.parquet").exists()]
        prompts = read_table(folder / "prompts.parquet", PROMPTS)
        responses = read_table(paths[0], RESPONSES) if paths else None
        texts |= texts_of(folder.name, prompts, responses)
        sizes |= sizes_of(prompts)
        answers += [] if responses is None else [responses]
    for path in arguments.conversations:
        texts |= texts_of_conversations(path)
    rows = plan(arguments.jobs, texts, arguments.hardware)
    responses = pd.concat(answers)
    effects = [effect(cut, sizes, responses) for cut in arguments.cuts]
    write_csv(rows, list(rows[0]), arguments.out)
    write_csv(effects, truncation.COLUMNS, arguments.out.with_name(f"{arguments.out.stem}_truncation.csv"))
    sys.stdout.write(f"{table_of(rows)}\n{told(effects)}")


if __name__ == "__main__":
    cli.run(main)
