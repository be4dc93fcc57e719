"""Small tables and classifiers for tests that score and rank, with a rule that a model can learn."""

import random
from pathlib import Path

import pandas as pd
import torch
from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast

from scripts.lib.classifiers import Classifier
from scripts.lib.config.policies import Architecture
from scripts.lib.ids import Messages, prompt_id, response_id
from scripts.lib.schemas import ANNOTATIONS, PAIRS, PROMPTS, RESPONSES
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import write_table

WORDS = "say something about apples pears and plums 0 1 2 3 4 5 6 7 8 9 good bad fine poor well ill so thus"
GOOD, BAD = ("good", "fine", "well"), ("bad", "poor", "ill")

SCORER = {
    "kind": "scratch",
    "pairs": ["comparisons"],
    "tokenizer": "words",
    "vocabulary": 64,
    "hidden_size": 16,
    "layers": 1,
    "heads": 2,
    "max_length": 48,
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "batch_tokens": 512,
}


def user(text: str) -> Messages:
    return [{"role": "user", "content": text}]


def tiny_classifier(vocabulary: str = WORDS, **config) -> Classifier:
    """A 2-layer Llama with random weights, sharp enough that all tokens matter, and a ``words`` tokenizer."""
    tokenizer = train_tokenizer("words", [vocabulary], 64)
    shape = Architecture(tokenizer="words", vocabulary=64, hidden_size=16, layers=2, heads=2)
    settings = tiny_llama_config(shape, tokenizer, max_length=64)
    settings.update({"num_labels": 1, "initializer_range": 0.3} | config)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForSequenceClassification(settings)
    return Classifier("tiny", model.eval(), tokenizer)


def save_plain(classifier: Classifier, folder: Path) -> Path:
    """The classifier as a folder in the Hugging Face layout."""
    classifier.model.save_pretrained(folder)
    classifier.tokenizer.save_pretrained(folder)
    return folder


def rendered(tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str) -> str:
    return tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": response}], tokenize=False)


def alone(model, ids: list[int]) -> float:
    """By brute force: the head's output at the last token of a sequence without any padding."""
    with torch.no_grad():
        hidden = model.model(input_ids=torch.tensor([ids])).last_hidden_state
        return model.score(hidden[0, -1]).item()


class Data:
    """Prompts with two responses each; those of the chosen contain good words, those of the rejected bad ones."""

    def __init__(self, folder: Path, prompts: int = 60) -> None:
        self.folder = folder
        draw = random.Random(0)
        self.prompts, self.responses, self.annotations, self.pairs = [], [], [], []
        for at in range(prompts):
            prompt = user(f"say something about {draw.choice(('apples', 'pears', 'plums'))} {' '.join(str(at))}")
            of_prompt = prompt_id(prompt)
            self.prompts.append({"prompt_id": of_prompt, "prompt": prompt, "source": "here", "split": "train"})
            pair = {"prompt_id": of_prompt, "chosen_score": 1.0, "rejected_score": 0.0, "origin": "test"}
            for column, words, family in (("chosen_id", GOOD, "fruit.kind"), ("rejected_id", BAD, "fruit.unkind")):
                text = " ".join(["so", *draw.choices(words, k=draw.randint(1, 6)), "and", "thus"])
                pair[column] = response_id(of_prompt, text)
                row = {"response_id": pair[column], "prompt_id": of_prompt, "family": family, "response": text}
                self.responses.append(row)
            self.pairs.append(pair)
        for at, row in enumerate(self.responses[::2]):
            names = {"stars": 4.5} | ({"rank": 1.0} if at == 0 else {})
            self.annotations += [
                {"response_id": row["response_id"], "annotation": name, "score": value} for name, value in names.items()
            ]

    def write(self) -> "Data":
        for name, schema in self.schemas.items():
            write_table(pd.DataFrame(getattr(self, name)), self.path(name), schema)
        return self

    schemas = {"prompts": PROMPTS, "responses": RESPONSES, "annotations": ANNOTATIONS, "pairs": PAIRS}  # noqa: RUF012

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def flags(self, *tables: str, **others: object) -> list[str]:
        """A command line with these tables and other flags (an underscore becomes a hyphen)."""
        values = {name: self.path(name) for name in tables} | others
        return [text for name, value in values.items() for text in (f"--{name.replace('_', '-')}", str(value))]
