"""Small tables of pairs for tests that train, made with the policy that they are for."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from scripts.lib.chat import encode
from scripts.lib.config.training import Hyperparameters
from scripts.lib.encoding import digest_of_tokens
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.schemas import LOGPROBS, PAIRS, PROMPTS, RESPONSES
from scripts.lib.tables import write_table
from scripts.training.lessons import Example
from scripts.training.reading import Pair, examples_of, read_pairs, read_store

LETTERS = ["a", "b", "c", "d", "e", "f", "g", "h"]
SPEC = Hyperparameters(precision="float32", learning_rate=3e-3, batch_pairs=8, epochs=2, max_length=64, beta=0.5)


def spec_of(**changes) -> Hyperparameters:
    """SPEC with changes."""
    return Hyperparameters(**(SPEC.model_dump() | changes))


class Data:
    """Tables of pairs in ``folder``: copy a list; the chosen are right, the rejected are not.

    world: prompts are the didactic world's, whose oracle scores any response.
    """

    def __init__(self, folder: Path, policy: Path, pairs: int = 20, world: bool = False) -> None:
        self.folder, self.policy = folder, policy
        self.card = read_policy(policy / "policy.json")
        self.tokenizer, self.model = load_tokenizer(self.card), load_causal(self.card)
        draw = np.random.default_rng(0)
        self.prompts, self.responses, self.pairs = [], [], []
        for at in range(pairs):
            letters = draw.choice(LETTERS, size=2 + at % 12).tolist()
            request = "copy this list :" if world else f"copy the list : {at % 10}"
            prompt = [{"role": "user", "content": f"{request} {' '.join(letters)}"}]
            chosen, rejected = " ".join(letters), " ".join(draw.choice(LETTERS, size=1 + at % 5).tolist()) + " no"
            of_prompt = prompt_id(prompt)
            self.prompts.append({"prompt_id": of_prompt, "prompt": prompt, "source": "here", "split": "train"})
            self.pairs.append({"prompt_id": of_prompt, "chosen_score": 1.0, "rejected_score": 0.0, "origin": "x"})
            for column, text in (("chosen_id", chosen), ("rejected_id", rejected)):
                row = {"prompt_id": of_prompt, "family": "all", "response": text}
                self.responses.append({"response_id": response_id(of_prompt, text)} | row)
                self.pairs[-1][column] = self.responses[-1]["response_id"]
        self.logprobs = [values for row in self.responses if (values := self.reference(row)) is not None]

    def reference(self, row: dict) -> dict | None:
        """A row of log-probs; none where the prompt leaves no room for the response."""
        prompt = next(each["prompt"] for each in self.prompts if each["prompt_id"] == row["prompt_id"])
        encoded = encode(self.tokenizer, prompt, row["response"], self.card.max_length, row.get("finished", True))
        if not encoded.response_ids:
            return None
        with torch.no_grad():
            values = token_logprobs(self.model, [encoded], self.tokenizer.pad_token_id)[0].tolist()
        return {
            "response_id": row["response_id"],
            "token_logprobs": values,
            "tokens": digest_of_tokens(encoded),
        }

    def write(self) -> None:
        tables = {"prompts": PROMPTS, "responses": RESPONSES, "pairs": PAIRS, "logprobs": LOGPROBS}
        for name, schema in tables.items():
            write_table(pd.DataFrame(getattr(self, name)), self.folder / f"{name}.parquet", schema)

    def arguments(self, run: str, spec: Hyperparameters) -> list[str]:
        flags = {name: self.folder / f"{name}.parquet" for name in ("pairs", "prompts", "responses", "logprobs")}
        flags |= {"name": run, "spec": spec.model_dump_json(), "seed": 1, "policy": self.policy / "policy.json"}
        flags |= {"checkpoints": self.checkpoints(run), "log": self.folder / f"{run}.parquet", "out": self.folder / run}
        return [text for name, value in flags.items() for text in (f"--{name}", str(value))]

    def checkpoints(self, run: str) -> Path:
        return self.folder / "checkpoints" / run

    def read(self) -> list[Pair]:
        self.write()
        paths = [[self.folder / f"{name}.parquet"] for name in ("prompts", "responses", "logprobs")]
        pairs = pd.DataFrame(self.pairs)
        return read_pairs(pairs, read_store(pairs, *paths), self.tokenizer, self.card, Path("pairs.parquet"))

    def examples(self, max_length: int = 64) -> list[Example]:
        return examples_of(self.read(), max_length, "cut")[0]
