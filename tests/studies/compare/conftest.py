"""The files that the configuration of docs/your_data.md names, in small: pairs, a model folder, a benchmark."""

import json
import random
import re
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from scripts.lib.config.policies import Architecture
from scripts.lib.models import save_policy
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from tests.workflow.house import ROOT

PAGE = ROOT / "docs/your_data.md"
WORDS = "what is plus ? so the answer 0 1 2 3 4 5 6 7 8 9"
MAX_LENGTH = 2048


@pytest.fixture(scope="session")
def configuration() -> str:
    """The configuration that the page prints."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return text


@pytest.fixture(scope="session")
def own_files(tmp_path_factory) -> Path:
    """A folder of them. The benchmark's answer is always 1; mine prefers to say so, theirs to say 0."""
    folder = tmp_path_factory.mktemp("own")
    tokenizer = train_tokenizer("words", [WORDS], 64)
    architecture = Architecture(tokenizer="words", vocabulary=64, hidden_size=16, layers=2, heads=2)
    config = tiny_llama_config(architecture, tokenizer, max_length=MAX_LENGTH)
    config.initializer_range = 0.3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    save_policy(folder / "my-model", model, tokenizer, name="tiny", kind="scratch", max_length=MAX_LENGTH)
    (folder / "my-model/policy.json").unlink()  # what no model folder of a user's has

    rng = random.Random(0)
    questions = rng.sample(
        [f"what is {a} plus {b} {c} ?" for a in range(10) for b in range(10) for c in range(10)], 100
    )
    for name, right, wrong in (("mine", 1, 0), ("theirs", 0, 1)):
        rows = [
            {
                "prompt": each,
                "chosen": f"the answer is {right} so {right}",
                "rejected": f"the answer is {wrong} so {wrong}",
            }
            for each in questions[:70]
        ]
        write(folder / f"{name}.jsonl", rows)
    write(folder / "gsm8k/test.jsonl", [{"question": each, "answer": "1 #### 1"} for each in questions[70:]])
    return folder


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
