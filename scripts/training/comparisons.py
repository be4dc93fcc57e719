"""Trains small classifiers on preference pairs: the code shared by reward models and rankers.

A pair becomes two token sequences, and the classifier f learns to give the first a higher output, with the loss of
Bradley and Terry (1952), -log sigmoid(scale (f(winning) - f(losing))). A tenth of the prompts, selected by the hash of
their ids, is held out; the card gives the accuracy on their pairs.
"""

import argparse
import logging
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import logsigmoid
from transformers import LlamaForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib import cli
from scripts.lib.classifiers import Classifier, outputs, save_classifier
from scripts.lib.config.scorers import ScratchRanker, ScratchScorer
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.models import device
from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.scratch import fit, tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_table
from scripts.lib.templates import Refused
from scripts.lib.texts import PairTexts, texts_of_pairs

HELD_OUT = 10
"""One prompt in this many is held out."""

Spec = ScratchScorer | ScratchRanker
Sequences = tuple[list[int], list[int]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Learner:
    """The differences between a reward model and a ranker.

    encode: (tokenizer, pair, max_length) -> token ids of the winning and the losing sequence; None without room. scale:
    log-odds per difference of the outputs. extra: tokens besides the texts'. card: the card's file name.
    """

    encode: Callable[[PreTrainedTokenizerFast, PairTexts, int], Sequences | None]
    scale: float
    extra: tuple[str, ...]
    card: str


def is_held_out(prompt_id: str) -> bool:
    """Whether a prompt is held out: the same in every dataset."""
    return seed_of("held out", prompt_id) % HELD_OUT == 0


def train(model: PreTrainedModel, pairs: Sequence[Sequences], scale: float, spec: Spec) -> None:
    """Train ``model`` in place. Raises InputError if the loss becomes infinite or NaN."""

    def loss_of(batch: list[int]) -> torch.Tensor:
        sequences = [pairs[at][0] for at in batch] + [pairs[at][1] for at in batch]
        winning, losing = outputs(model, sequences).chunk(2)
        return -logsigmoid(scale * (winning - losing)).mean()

    lengths = [max(len(winning), len(losing)) for winning, losing in pairs]
    for step, steps, loss in fit(model, lengths, loss_of, spec):
        if not math.isfinite(loss):
            raise InputError(f"step {step} of {steps}", f"the loss is {loss}", "lower learning_rate")
        if step % max(1, steps // 20) == 0:
            log.info("step %d of %d: loss %.4f", step, steps, loss)


def accuracy(classifier: Classifier, pairs: Sequence[Sequences], batch_tokens: int) -> float | None:
    """The share of pairs whose winning sequence has the higher output; None if there are no pairs."""
    if not pairs:
        return None
    values = classifier.classify([sequence for pair in pairs for sequence in pair], batch_tokens)
    right = sum(winning > losing for winning, losing in zip(values[::2], values[1::2], strict=True))
    return right / len(pairs)


def arguments_of(parser: argparse.ArgumentParser, kind: type[Spec]) -> argparse.Namespace:
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--spec", type=cli.spec_of(kind), required=True, help="JSON of its entry in the config")
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="of the prompt sets behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="of the same prompt sets")
    parser.add_argument("--out", type=Path, required=True, help="the model's folder")
    return parser.parse_args()


def learn(learner: Learner, arguments: argparse.Namespace) -> None:
    """Read the pairs, train a tokenizer and a model on them, and write both with their card.

    Pairs that occur in several files count once. Pairs without room in max_length, whose two sequences are equal, or
    that the template of such models refuses, are dropped and counted; with truncation drop, longer ones as well.
    """
    spec: Spec = arguments.spec
    rows = texts_of_pairs(arguments.pairs, arguments.prompts, arguments.responses)
    pairs = list({pair.ids: pair for pair in rows}.values())

    tokenizer = train_tokenizer(spec.tokenizer, _texts(arguments.prompts, arguments.responses), spec.vocabulary)
    if learner.extra:
        tokenizer.add_tokens(list(learner.extra), special_tokens=True)
    encoded = [(is_held_out(pair.prompt_id), fitted(learner, tokenizer, pair, spec)) for pair in pairs]
    training = [each for apart, each in encoded if not isinstance(each, str) and not apart]
    held_out = [each for apart, each in encoded if not isinstance(each, str) and apart]
    reasons = Counter({"repeated_pair": len(rows) - len(pairs), "no_room_in_max_length": 0})
    reasons.update(each for _, each in encoded if isinstance(each, str))
    dropped = dict(reasons)
    log.info("%d pairs to learn from, %d held out, dropped: %s", len(training), len(held_out), dropped)
    if not training:
        raise InputError(
            arguments.pairs[0],
            f"none of {len(pairs)} pairs is left to learn from",
            f"give more pairs, or raise max_length ({spec.max_length})",
        )

    model = new_model(spec, tokenizer)
    train(model, training, learner.scale, spec)
    right = accuracy(Classifier(arguments.name, model, tokenizer), held_out, spec.batch_tokens)
    log.info("accuracy on what was held out: %s", right)
    card = {
        "name": arguments.name,
        "kind": spec.kind,
        "pairs": spec.pairs,
        "held_out_accuracy": right,
        "n_train": len(training),
        "n_held_out": len(held_out),
        "dropped": dropped,
        "truncation": spec.truncation,
    }
    save_classifier(arguments.out / learner.card, model, tokenizer, card)


def fitted(learner: Learner, tokenizer: PreTrainedTokenizerFast, pair: PairTexts, spec: Spec) -> Sequences | str:
    """A pair's two sequences, or the reason to leave it out: nothing can be learnt from two equal ones."""
    try:
        sequences = learner.encode(tokenizer, pair, spec.max_length)
        whole = learner.encode(tokenizer, pair, sys.maxsize)
    except Refused as refusal:
        return refusal.reason
    if sequences is None:
        return "no_room_in_max_length"
    if spec.truncation == "drop" and sequences != whole:
        return "longer_than_max_length"
    if sequences[0] == sequences[1]:
        return "equal_tokens" if whole[0] == whole[1] else "equal_after_cut"
    return sequences


def new_model(spec: Spec, tokenizer: PreTrainedTokenizerFast) -> LlamaForSequenceClassification:
    """A Llama with one output and random weights from the spec's seed."""
    torch.manual_seed(spec.seed)
    config = tiny_llama_config(spec, tokenizer, spec.max_length)
    config.num_labels = 1
    model = LlamaForSequenceClassification(config).to(device())
    log.info("model: %d parameters, %d tokens in its vocabulary", model.num_parameters(), len(tokenizer))
    return model


def _texts(prompts: Sequence[Path], responses: Sequence[Path]) -> list[str]:
    texts = [turn["content"] for path in prompts for prompt in read_table(path, PROMPTS)["prompt"] for turn in prompt]
    return texts + [text for path in responses for text in read_table(path, RESPONSES)["response"]]
