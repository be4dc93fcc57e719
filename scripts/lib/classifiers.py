"""Sequence classifiers with one output (reward models, rankers): loading, saving, and outputs in batches.

Weights are read from safetensors files only. Code that comes with a model is run only if the scorer's configuration
allows it.
"""

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from itertools import accumulate, count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from scripts.lib.batching import by_tokens
from scripts.lib.capability import tried
from scripts.lib.chat import Encoded, encode_conversation
from scripts.lib.errors import InputError, in_short
from scripts.lib.ids import Messages
from scripts.lib.models import PRECISIONS, device, remove_card, save_model, sha256_of
from scripts.lib.packing import NotPacked, hidden_states, pack_prompts, packed_attention, rows_by_prompt
from scripts.lib.pieces import Pieces, in_batches
from scripts.lib.products import large_products
from scripts.lib.tables import read_json, write_json
from scripts.lib.templates import own_template, settled
from scripts.lib.threads import cpu_threads

log = logging.getLogger(__name__)

CLASSIFIER_FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""The files of a classifier trained here, besides its card."""

UNREADABLE = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""What transformers raises for files from which it cannot load a model or tokenizer."""


class Classifier:
    """A model in eval mode and its tokenizer."""

    def __init__(self, name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer

    def encode(self, prompt: Messages, response: str, max_length: int) -> list[int] | None:
        """See :func:`encode_conversation`."""
        return encode_conversation(self.tokenizer, prompt, response, max_length)

    @torch.inference_mode()
    def classify(
        self,
        sequences: Sequence[list[int]],
        batch_tokens: int,
        pieces: Pieces | None = None,
        prompts: Sequence[Hashable] | None = None,
    ) -> list[float]:
        """The output for each sequence of token ids, in the order given.

        prompts: one per sequence. The beginning that sequences of one prompt share is computed once, in packed rows
        without padding, if the model allows it (:mod:`scripts.lib.capability`); otherwise batches of similar length are
        padded. In float32 the layout changes only the last digits of a value; in bfloat16 a value has at most three
        significant digits. ``pieces`` store finished outputs.

        Raises InputError if an output depends on the sequences beside it (:mod:`scripts.lib.capability`).
        """
        if not sequences:
            return []
        if reason := self.reason_against_rows(sequences, prompts):
            log.info("batches are padded: %s", reason)
            batches = by_tokens([len(each) for each in sequences], batch_tokens)

            def read(batch: list[int]) -> list[float]:
                return outputs(self.model, [sequences[at] for at in batch]).tolist()

        else:
            pad_id = self.model.config.get_text_config().pad_token_id
            encoded = beginning_alike([without_padding(each, pad_id) for each in sequences], prompts)
            batches = rows_by_prompt(encoded, batch_tokens)

            def read(batch: list[int]) -> list[float]:
                return packed_outputs(self.model, [encoded[at] for at in batch]).tolist()

        values = in_batches(batches, read, f"read by {self.name}", pieces)
        return [values[at] for at in range(len(sequences))]

    def reason_against_rows(self, sequences: Sequence[list[int]], prompts: Sequence[Hashable] | None) -> str | None:
        """Why the sequences are padded, or None. Raises InputError if the model can take no batch of them."""

        def padded(batch: Sequence[Encoded]) -> list[torch.Tensor]:
            return list(outputs(self.model, [each.prompt_ids + each.response_ids for each in batch]))

        def packed(groups: Sequence[Sequence[Encoded]]) -> list[torch.Tensor]:
            if not hasattr(self.model, "score"):
                raise NotPacked("its head is not one that reads the last token")
            read = [(each.prompt_ids + each.response_ids, at) for at, group in enumerate(groups) for each in group]
            return list(packed_outputs(self.model, beginning_alike(*zip(*read, strict=True))))

        sharing = prompts is not None and len(set(prompts)) < len(prompts)
        reason = tried(self.model, max(map(len, sequences)), padded, packed if sharing else None)
        return reason if sharing else "no two share a prompt"


def outputs(model: PreTrainedModel, sequences: Sequence[list[int]]) -> torch.Tensor:
    """The model's output for each sequence of token ids: float32 (sequences,), differentiable.

    A classifier on a causal model reads the last token that is not its config's pad_token_id. Sequences are padded on
    the right with exactly that token, so that the output is read at the same token as without padding.
    """
    with _padding(model.config.get_text_config(), {each[-1] for each in sequences}) as pad_id:
        width = max(len(each) for each in sequences)
        ids = torch.full((len(sequences), width), pad_id)
        mask = torch.zeros_like(ids)
        for row, each in enumerate(sequences):
            ids[row, : len(each)] = torch.tensor(each)
            mask[row, : len(each)] = 1
        # A cache is of no use here, and some architectures fail to make one for a sequence read at once.
        uncached = {"use_cache": False} if "use_cache" in signature(model.forward).parameters else {}
        found = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), **uncached)
        return found.logits[:, 0].float()


def packed_outputs(model: PreTrainedModel, sequences: Sequence[Encoded]) -> torch.Tensor:
    """As :func:`outputs`, for sequences made by :func:`beginning_alike`; those of one prompt are adjacent."""
    row = pack_prompts(sequences, model.device)
    with packed_attention(model), large_products(model):
        hidden = hidden_states(model, row)
    ends = torch.tensor(list(accumulate(row.lengths)), device=hidden.device) - 1
    return model.score(hidden[ends])[:, 0].float()


def beginning_alike(sequences: Sequence[list[int]], prompts: Sequence[Hashable]) -> list[Encoded]:
    """Sequences split into the beginning that all sequences of a prompt share, and the rest.

    Each gets one extra token at the end, which is not read: a row's hidden states are those before response tokens.
    """
    shared: dict[Hashable, list[int]] = {}
    for ids, prompt in zip(sequences, prompts, strict=True):
        known = shared.setdefault(prompt, ids)
        alike = next((at for at, (one, other) in enumerate(zip(known, ids, strict=False)) if one != other), None)
        shared[prompt] = known[: min(len(known), len(ids)) if alike is None else alike]
    begin = [max(1, len(shared[prompt])) for prompt in prompts]
    return [Encoded(ids[:at], [*ids[at:], ids[-1]]) for ids, at in zip(sequences, begin, strict=True)]


def without_padding(ids: list[int], pad_id: int | None) -> list[int]:
    """The sequence up to the token at which transformers reads the output: the last that is not padding."""
    end = len(ids)
    while end > 1 and ids[end - 1] == pad_id:
        end -= 1
    return ids[:end]


@contextmanager
def _padding(config: PretrainedConfig, last: set[int]) -> Iterator[int]:
    """The id to pad with. Without one in its config a model reads the last position: any id that ends no sequence."""
    own = config.pad_token_id
    if own is not None and 0 <= own < config.vocab_size:
        yield own
        return
    config.pad_token_id = next(each for each in count() if each not in last)
    try:
        yield config.pad_token_id
    finally:
        config.pad_token_id = own


def load_classifier(
    model: str,
    revision: str | None,
    precision: str,
    max_length: int,
    trust_remote_code: bool = False,
    template_date: str | None = None,
) -> Classifier:
    """A classifier from a hub id or a local folder, on :func:`scripts.lib.models.device`.

    Raises InputError if it is unreadable, not in safetensors, needs code that is not trusted, has more or fewer outputs
    than one, if the checkpoint lacks the classifier's head, if the tokenizer has no chat template or more tokens than
    the model, if the template writes today's date and there is no ``template_date``, or if the model has fewer
    positions than ``max_length``.
    """
    _, tokenizer = read_classifier(model, revision, max_length, trust_remote_code, template_date)
    try:
        network, found = AutoModelForSequenceClassification.from_pretrained(
            model,
            revision=revision,
            dtype=PRECISIONS[precision],
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    except UNREADABLE as error:
        raise _unreadable(model, error) from error
    refuse_missing(model, found["missing_keys"])
    return Classifier(model, network.to(device()).eval(), tokenizer)


def refuse_missing(model: str, weights: Iterable[str]) -> None:
    """Raises InputError if there are any ``weights``: those that a classifier's checkpoint lacks."""
    if missing := sorted(weights):
        raise InputError(
            model,
            f"its weights lack {', '.join(missing[:3])}: they would be made up",
            "give a reward model, not the language model that it was made of",
        )


def read_classifier(
    model: str,
    revision: str | None,
    max_length: int,
    trust_remote_code: bool = False,
    template_date: str | None = None,
) -> tuple[PretrainedConfig, PreTrainedTokenizerFast]:
    """A classifier's config and tokenizer. Raises InputError for load_classifier's reasons that they reveal."""
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(model, **where)
        tokenizer = AutoTokenizer.from_pretrained(model, **where)
    except UNREADABLE as error:
        raise _unreadable(model, error) from error
    tokenizer.chat_template = own_template(tokenizer)
    _check_fit(model, config, tokenizer, max_length)
    tokenizer.chat_template = settled(tokenizer.chat_template, template_date, model)
    return config, tokenizer


def _check_fit(model: str, config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast, max_length: int) -> None:
    if config.num_labels != 1:
        raise InputError(
            model, f"has {config.num_labels} outputs, a reward model has one", "give a classifier with num_labels: 1"
        )
    if not tokenizer.chat_template:
        raise InputError(
            model,
            "its tokenizer has no chat template",
            "put the one that it was trained with into a local copy, as chat_template.jinja",
        )
    text = config.get_text_config()
    if len(tokenizer) > text.vocab_size:
        raise InputError(
            model,
            f"its tokenizer has {len(tokenizer)} tokens, its model {text.vocab_size}",
            "give model and tokenizer that belong together",
        )
    positions = getattr(text, "max_position_embeddings", None)
    if positions is not None and max_length > positions:
        raise InputError(
            model,
            f"max_length {max_length} is more than the model's {positions} positions",
            f"set the scorer's max_length to {positions} or less",
        )


def _unreadable(model: str, error: Exception) -> InputError:
    return InputError(
        model,
        f"no readable classifier ({in_short(error)})",
        "give a hub id or folder of a sequence classifier that transformers knows, with safetensors weights, "
        "a tokenizer and without code of its own; or, once its code is read, say trust_remote_code: true in the "
        "scorer's entry. Pickled weights (.bin, .pt) can run code and are never read: save them as safetensors",
    )


def save_classifier(
    card: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, value: dict[str, Any]
) -> None:
    """Write CLASSIFIER_FILES next to ``card``, each atomically, then the card: ``value``, SHA-256 of files, threads.

    The old card is deleted first, so that a killed write never leaves a card next to files that are not its own.
    """
    remove_card(card)
    files = save_model(card.parent, model, tokenizer, CLASSIFIER_FILES)
    write_json({**value, "files": files, "threads": cpu_threads()}, card)


def load_own(card: Path, max_length: int) -> Classifier:
    """A classifier from :func:`save_classifier`, in float32. Raises InputError if its files do not match the card."""
    for file, digest in read_json(card)["files"].items():
        path = card.parent / file
        if not path.is_file() or sha256_of(path) != digest:
            problem = f"is not the file that {card.name} lists" if path.is_file() else "no such file"
            raise InputError(path, problem, f"delete {card} and run snakemake again")
    return load_classifier(str(card.parent), None, "float32", max_length)
