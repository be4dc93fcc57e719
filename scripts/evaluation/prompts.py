"""The prompts of a suite: excluded from training data and, for win rates, the prompts that policies answer.

Harness suite: each question as its task words it, without few-shot examples. Win-rate suite: the instructions in the
order of the data, along with the reference's outputs in the same order. Reward suite: the prompts in the order of the
data.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from huggingface_hub import hf_hub_download

from scripts.evaluation.rows import read_rows
from scripts.evaluation.suite_files import ALPACA_EVAL
from scripts.lib import cli
from scripts.lib.config.evaluation import HarnessSuite, RewardSuite, SuiteSpec, WinRateSuite
from scripts.lib.errors import InputError
from scripts.lib.ids import normalise, prompt_id, response_id
from scripts.lib.parent import ASKED
from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.tables import write_table
from scripts.lib.world.suites import prompt_of

log = logging.getLogger(__name__)

HUB_FILES = {ALPACA_EVAL: f"{ALPACA_EVAL}/alpaca_eval_gpt4_baseline.json"}
"""The file to read if a suite names a dataset that is a loading script: AlpacaEval 2's reference outputs."""


def prompt_table(suite: str, texts: Iterable[str]) -> pd.DataFrame:
    """PROMPTS of one user turn each, in order; repeated prompts are left out."""
    prompts = [[{"role": "user", "content": normalise(text)}] for text in texts]
    table = pd.DataFrame({"prompt_id": [prompt_id(each) for each in prompts], "prompt": prompts})
    return table.assign(source=suite, split="test").drop_duplicates("prompt_id", ignore_index=True)


def harness_texts(name: str, suite: HarnessSuite, data: Path | None, asked: bool) -> list[str]:
    """The questions' texts; for tasks whose options are the question, the options.

    asked: whether a policy will be asked them; then what its answers' scoring needs must be here.
    """
    if suite.data == "world":
        return [prompt_of(row) for row in read_rows(_made(name, data))[: suite.limit]]

    from scripts.evaluation.tasks import load_tasks, task_manager  # ten seconds that the world does not need

    texts = []
    loaded = load_tasks(task_manager({name: suite}), name, suite, data, scored=asked)
    for _, task in sorted(loaded["tasks"].items()):
        for _, doc in task.doc_iterator(limit=suite.limit):
            text = task.doc_to_text(doc)
            texts.append(text if isinstance(text, str) else "\n".join(task.doc_to_choice(doc)))
    return texts


def reward_texts(name: str, suite: RewardSuite, data: Path | None) -> list[str]:
    """The first ``limit`` prompts. Raises InputError for a row without one."""
    path, column = _path(name, suite, data), suite.column
    rows = read_rows(path)[: suite.limit]
    if suite.data == "world":
        return [prompt_of(row) for row in rows]
    for at, row in enumerate(rows):
        if not isinstance(row.get(column), str) or not normalise(row[column]):
            raise InputError(f"{path}, row {at}", f"no text in {column}", "fix the row, or name the suite's column")
    return [row[column] for row in rows]


def reference_rows(name: str, suite: WinRateSuite, data: Path | None) -> list[dict[str, str]]:
    """The first ``limit`` rows (instruction, output, generator), of one generator if ``baseline`` names it.

    Raises InputError if a row lacks one of the three or repeats an instruction.
    """
    path = _path(name, suite, data)
    rows = list(enumerate(read_rows(path)))
    columns = suite.columns
    if suite.baseline is not None:
        generators = sorted({str(row.get(columns.generator)) for _, row in rows})
        rows = [(at, row) for at, row in rows if row.get(columns.generator) == suite.baseline]
        if not rows:
            known = ", ".join(generators[:30])
            raise InputError(path, f"has no output of {suite.baseline}", f"set baseline to one of {known}")
    found: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    for at, row in rows[: suite.limit]:
        for column in (columns.instruction, columns.output, columns.generator):
            if not isinstance(row.get(column), str) or not normalise(row[column]):
                raise InputError(
                    f"{path}, row {at}", f"no text in {column}", "fix the row: a reference needs all three"
                )
        first = seen.setdefault(normalise(row[columns.instruction]), at)
        if first != at:
            raise InputError(
                f"{path}, row {at}", f"the instruction of row {first} again", "keep one of them, or name a baseline"
            )
        found.append(
            {
                "instruction": row[columns.instruction],
                "output": row[columns.output],
                "generator": row[columns.generator],
            }
        )
    return found


def reference_table(rows: Sequence[dict[str, str]]) -> pd.DataFrame:
    """RESPONSES of the reference, one per instruction, in the order of the rows."""
    ids = [prompt_id([{"role": "user", "content": row["instruction"]}]) for row in rows]
    outputs = [normalise(row["output"]) for row in rows]
    return pd.DataFrame(
        {
            "response_id": [response_id(of_prompt, output) for of_prompt, output in zip(ids, outputs, strict=True)],
            "prompt_id": ids,
            "family": [row["generator"] for row in rows],
            "response": outputs,
        }
    )


def _path(name: str, suite: WinRateSuite | RewardSuite, data: Path | None) -> Path:
    return _made(name, data) if suite.data == "world" else data or _file(name, suite.data)


def _made(name: str, data: Path | None) -> Path:
    if data is None:
        raise InputError(f"suite {name}", "its questions are made, not downloaded", "pass --data FILE")
    return data


def _file(name: str, data: str) -> Path:
    """A local file, or a file of a hub dataset, written owner/dataset/file."""
    if Path(data).is_file():
        return Path(data)
    owner, _, rest = HUB_FILES.get(data, data).partition("/")
    dataset, _, file = rest.partition("/")
    remedy = "name a local file, or a hub dataset's file as owner/dataset/file"
    if not file:
        raise InputError(f"suite {name}", f"no file {data}", remedy)
    try:
        return Path(hf_hub_download(f"{owner}/{dataset}", file, repo_type="dataset"))
    except (OSError, ValueError) as error:
        raise InputError(f"suite {name}", f"{data} cannot be had from the hub ({error})", remedy) from error


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.prompts", __doc__)
    parser.add_argument("--suite", required=True, help="its name")
    parser.add_argument("--spec", type=cli.spec_of(SuiteSpec), required=True, help="JSON of the suite")
    parser.add_argument("--data", type=Path, help="the file of its questions, where they are made here")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reference", type=Path, help="a win-rate suite's reference outputs are written here")
    arguments = parser.parse_args()

    spec = arguments.spec
    if isinstance(spec, WinRateSuite) != (arguments.reference is not None):
        parser.error("--reference goes with win-rate suites, and they need it")
    if isinstance(spec, HarnessSuite):
        asked = arguments.suite in os.environ.get(ASKED, arguments.suite).split()
        texts = harness_texts(arguments.suite, spec, arguments.data, asked)
    elif isinstance(spec, RewardSuite):
        texts = reward_texts(arguments.suite, spec, arguments.data)
    else:
        rows = reference_rows(arguments.suite, spec, arguments.data)
        texts = [row["instruction"] for row in rows]
        write_table(reference_table(rows), arguments.reference, RESPONSES)
    table = prompt_table(arguments.suite, texts)
    write_table(table, arguments.out, PROMPTS)
    log.info("%s: %d prompts, %d repeated ones left out", arguments.suite, len(table), len(texts) - len(table))


if __name__ == "__main__":
    cli.run(main)
