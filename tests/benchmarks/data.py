"""Pairs and policy shared by all variants of a benchmark."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.lib.chat import Encoded, encode
from scripts.lib.config.policies import Architecture
from scripts.lib.errors import InputError
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.scratch import tiny_llama_config, train_tokenizer

SHAPE = Architecture(tokenizer="bpe", vocabulary=32_000, hidden_size=512, layers=4, heads=8)
INTERMEDIATE = 1536
"""30 million parameters, half of them in the vocabulary; sizes that suit matrix products, as in large models."""

MAX_LENGTH = 512

Texts = tuple[str, str, str]
"""Prompt, chosen and rejected response."""


def real_texts(folder: Path) -> Iterator[Texts]:
    """The pairs in a file (jsonl or parquet, train by its name) of a folder of UltraFeedback binarized."""
    files = [path for path in folder.rglob("*") if path.suffix in (".jsonl", ".parquet")]
    files.sort(key=lambda path: ("train" not in path.name, path))
    if not files:
        raise InputError(folder, "holds no .jsonl and no .parquet file", "give a folder of UltraFeedback binarized")
    if files[0].suffix == ".parquet":
        rows = pd.read_parquet(files[0]).to_dict("records")
    else:
        rows = [json.loads(line) for line in files[0].read_text(encoding="utf-8").splitlines()]
    for row in rows:
        yield tuple(_text(row[name]) for name in ("prompt", "chosen", "rejected"))


def _text(value) -> str:
    return value if isinstance(value, str) else value[-1]["content"]


def synthetic_texts(pairs: int) -> Iterator[Texts]:
    """Random text: words by Zipf's law; lengths log-normal in words, as UltraFeedback's."""
    draw = np.random.default_rng(0)
    syllables = [first + vowel + last for first in "bdfgklmnprst" for vowel in "aeiou" for last in ("", "n", "r", "s")]

    def text(median: float, spread: float) -> str:
        ranks = np.minimum(draw.zipf(1.2, size=max(1, round(median * np.exp(spread * draw.normal())))), 40_000)
        return " ".join(syllables[rank % 240] + syllables[rank // 240 % 240] for rank in ranks.tolist())

    for _ in range(pairs):
        yield text(65, 1.0), text(160, 0.9), text(135, 1.0)


def make(folder: Path, texts: list[Texts], pairs: int) -> dict[str, float]:
    """Make a tokenizer from ``texts``, a policy with random weights, and ``pairs`` pairs as ids, all in ``folder``.

    Returns a description of the policy and the pairs.
    """
    tokenizer = train_tokenizer(SHAPE.tokenizer, (text for pair in texts for text in pair), SHAPE.vocabulary)
    torch.manual_seed(0)
    config = tiny_llama_config(SHAPE, tokenizer, MAX_LENGTH)
    config.intermediate_size = INTERMEDIATE
    model = LlamaForCausalLM(config)
    save_policy(folder, model, tokenizer, name="benchmark", kind="scratch", max_length=MAX_LENGTH)
    about = make_pairs(folder, tokenizer, texts, pairs, MAX_LENGTH)
    return {"parameters": model.num_parameters(), "vocabulary": len(tokenizer), **about}


def make_pairs(
    folder: Path, tokenizer: PreTrainedTokenizerFast, texts: list[Texts], pairs: int, max_length: int
) -> dict[str, float]:
    """Write at most ``pairs`` of the texts as ids into ``folder``, for :func:`read`.

    Returns their statistics: mean tokens of prompts and responses, and the share that is cut.
    """
    encoded = []
    for prompt, *responses in texts:
        messages = [{"role": "user", "content": prompt}]
        both = [encode(tokenizer, messages, text, max_length) for text in responses]
        if all(each.response_ids for each in both) and responses[0] != responses[1]:
            encoded.append(both)
    order = np.random.default_rng(0).permutation(len(encoded))[:pairs]
    kept = [encoded[at] for at in order]
    ids = [[each[0].prompt_ids, each[0].response_ids, each[1].response_ids] for each in kept]
    (folder / "pairs.json").write_text(json.dumps(ids))
    lengths = np.array([[len(part) for part in each] for each in ids])
    cut = (lengths[:, :1] + lengths[:, 1:] == max_length).any(axis=1)
    return {
        "pairs": len(ids),
        "prompt_tokens": float(lengths[:, 0].mean()),
        "response_tokens": float(lengths[:, 1:].mean()),
        "share_cut": float(cut.mean()),
    }


def read(folder: Path, first: int, count: int) -> list[tuple[Encoded, Encoded]]:
    """``pairs`` pairs from the ``first`` on, continuing at the beginning when they end."""
    ids = json.loads((folder / "pairs.json").read_text())
    return [
        (Encoded(prompt, chosen), Encoded(prompt, rejected))
        for prompt, chosen, rejected in (ids[at % len(ids)] for at in range(first, first + count))
    ]


def load(folder: Path):
    """The policy and its tokenizer."""
    card = read_policy(folder / "policy.json")
    return load_causal(card, device="cpu"), load_tokenizer(card)
