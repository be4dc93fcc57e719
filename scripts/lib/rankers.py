"""Rankers: models that read a prompt and two responses to it, and predict which one is better.

| kind    | the model                                                                               |
|---------|-----------------------------------------------------------------------------------------|
| scratch | a small Llama trained here: prompt, one response, a separator, the other; output at the end |
| pair_rm | PairRM (``scripts.lib.pair_rm``)                                                          |
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedTokenizerFast

from scripts.lib.chat import encode_prompt, encode_response
from scripts.lib.classifiers import Classifier, load_own
from scripts.lib.config.scorers import PairRMRanker, RankerSpec, ScratchRanker
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, prompt_id, response_id
from scripts.lib.templates import Refused

RANKER_CARD = "ranker.json"
"""The card of a ranker trained here, next to its files."""

SEPARATOR = "<versus>"
"""The token between the two responses in a ranker's input."""

SCALE = 0.5
"""Log-odds that the first response wins, per difference of the outputs for the two orders."""

log = logging.getLogger(__name__)

Comparison = tuple[Messages, str, str]
"""A prompt and two responses to it."""


class Reader(Protocol):
    """A model f of a prompt, one response and the other response."""

    name: str

    def both_orders(self, prompt: Messages, first: str, second: str) -> tuple[list[int], list[int]] | None:
        """Token ids of the prompt with the first response first, and with the second one first; None without room."""
        ...

    def classify(self, sequences: Sequence[list[int]], batch_tokens: int) -> list[float]:
        """f of each sequence of token ids, in the order given."""
        ...


class TrainedReader:
    """A sequence classifier trained by ``scripts.training.ranker``."""

    def __init__(self, classifier: Classifier, max_length: int) -> None:
        self.name = classifier.name
        self.classifier = classifier
        self.max_length = max_length

    def both_orders(self, prompt: Messages, first: str, second: str) -> tuple[list[int], list[int]] | None:
        """See :func:`both_orders`; None, too, for texts that the template refuses."""
        try:
            return both_orders(self.classifier.tokenizer, prompt, first, second, self.max_length)
        except Refused:
            return None

    def classify(self, sequences: Sequence[list[int]], batch_tokens: int) -> list[float]:
        """The classifier's outputs."""
        return self.classifier.classify(sequences, batch_tokens)


class Ranker:
    """A reader f, asked in both orders.

    The first of (a, b) wins with p = sigmoid((f(a, b) - f(b, a)) / 2), so that p(a, b) = 1 - p(b, a) whatever f is.
    """

    def __init__(self, reader: Reader, batch_tokens: int) -> None:
        self.reader = reader
        self.batch_tokens = batch_tokens

    def first_wins(self, comparisons: Sequence[Comparison]) -> list[float | None]:
        """The probability in [0, 1] that the first response is the better one.

        None if the prompt leaves no room for a token of each. Exactly 1 minus the probability for the two exchanged, in
        one call or in two calls with the same comparisons in the same order: both orders are read in one canonical
        order.
        """
        keys = [_key(prompt, first, second) for prompt, first, second in comparisons]
        items = {key: _sorted(comparison) for key, comparison in zip(keys, comparisons, strict=True)}
        odds = dict(zip(items, self._log_odds(list(items.values())), strict=True))
        wins: list[float | None] = []
        for key, (_, first, second) in zip(keys, comparisons, strict=True):
            value = odds[key]
            wins.append(None if value is None else win_probability(value if first <= second else -value))
        return wins

    def _log_odds(self, comparisons: Sequence[Comparison]) -> list[float | None]:
        encoded = [self.reader.both_orders(*comparison) for comparison in comparisons]
        kept = [at for at, each in enumerate(encoded) if each is not None]
        values = self.reader.classify([ids for at in kept for ids in encoded[at]], self.batch_tokens)
        odds: list[float | None] = [None] * len(comparisons)
        for at, one, other in zip(kept, values[::2], values[1::2], strict=True):
            odds[at] = self._finite(SCALE * (one - other), comparisons[at])
        return odds

    def _finite(self, value: float, comparison: Comparison) -> float:
        if not math.isfinite(value):
            prompt, first, second = comparison
            of_prompt = prompt_id(prompt)
            raise InputError(
                f"responses {response_id(of_prompt, first)} and {response_id(of_prompt, second)}",
                f"the log-odds between them by {self.reader.name} are {value}",
                "the ranker's weights are broken: delete its folder under results/ and run snakemake again, or give "
                "another model; where precision is bfloat16, float32 may do",
            )
        return value


def both_orders(
    tokenizer: PreTrainedTokenizerFast, prompt: Messages, first: str, second: str, max_length: int
) -> tuple[list[int], list[int]] | None:
    """Token ids of the prompt and both responses, with the first one first, and with the second one first.

    If they do not fit ``max_length``, both responses are cut to half the room, or only the longer one to what the other
    leaves. None if that leaves nothing of one of them.
    """
    before = encode_prompt(tokenizer, prompt)
    one, other = (encode_response(tokenizer, prompt, response) for response in (first, second))
    room = max_length - len(before) - 1
    if room < 2:
        return None
    if len(one) + len(other) > room:
        limit = max(room // 2, room - min(len(one), len(other)))
        one, other = one[:limit], other[:limit]
    between = [tokenizer.convert_tokens_to_ids(SEPARATOR)]
    return before + one + between + other, before + other + between + one


def win_probability(log_odds: float) -> float:
    """sigmoid(log_odds) in float64, such that the values for both signs add up to exactly 1."""
    likelier = 1.0 / (1.0 + math.exp(-abs(log_odds)))
    return likelier if log_odds >= 0 else 1.0 - likelier


def ranker_of(spec: RankerSpec, model_dir: Path | None = None) -> Ranker:
    """The ranker described by ``spec``. model_dir: folder of the trained model (kind scratch)."""
    match spec:
        case ScratchRanker():
            if model_dir is None:
                raise InputError("--model-dir", "a scratch ranker needs its folder", "add --model-dir")
            classifier = load_own(model_dir / RANKER_CARD, spec.max_length)
            return Ranker(TrainedReader(classifier, spec.max_length), spec.batch_tokens)
        case PairRMRanker():
            from scripts.lib.pair_rm import load_pair_rm

            return Ranker(load_pair_rm(spec), spec.batch_tokens)


def _key(prompt: Messages, first: str, second: str) -> tuple[str, str, str]:
    return (prompt_id(prompt), *sorted((first, second)))


def _sorted(comparison: Comparison) -> Comparison:
    prompt, first, second = comparison
    return (prompt, *sorted((first, second)))
