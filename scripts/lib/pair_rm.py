"""PairRM and rankers in its layout: a DeBERTa-v2 that compares two responses (LLM-Blender, arXiv 2306.02561).

The state h at the prefix of each part is read: a head scores [h(source); h(candidate)], and the output is the score of
the first candidate minus that of the second: the log-odds that the first is better. Two layouts are published:

| layout    | config.json                                 | architecture and tokenizer                              |
|-----------|---------------------------------------------|---------------------------------------------------------|
| PairRM-hf | of a deberta-v2                             | its own                                                 |
| PairRM    | of the ranker, with model_name, the base    | the base's, with the prefixes added; its weights unused |

Both hold all weights under ``pretrained_model.`` and ``head_layer.``, read from model.safetensors only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedTokenizerFast,
)
from transformers.utils import cached_file

from scripts.lib.batching import by_tokens
from scripts.lib.classifiers import UNREADABLE
from scripts.lib.config.scorers import PairRMRanker
from scripts.lib.errors import InputError, in_short
from scripts.lib.ids import Messages
from scripts.lib.models import PRECISIONS, device
from scripts.lib.pair_rm_text import FIRST, PREFIXES, SECOND, SOURCE, PairText
from scripts.lib.pieces import in_batches
from scripts.lib.tables import read_json

KIND = "deberta-v2"
DROPOUT = 0.05
EMBEDDINGS, HEAD = "pretrained_model.embeddings.word_embeddings.weight", "head_layer.4.weight"
UNUSED = ".position_ids"
"""A buffer that older versions of transformers saved as a weight."""


class PairNetwork(nn.Module):
    """The network; its weights are named as published. tasks: outputs of the head, whose mean is the score."""

    def __init__(self, config: DebertaV2Config, tasks: int = 1) -> None:
        super().__init__()
        width = config.hidden_size
        self.pretrained_model = DebertaV2Model(config)
        self.head_layer = nn.Sequential(
            nn.Dropout(DROPOUT), nn.Linear(2 * width, width), nn.Tanh(), nn.Dropout(DROPOUT), nn.Linear(width, tasks)
        )

    def forward(self, ids: Tensor, mask: Tensor, prefixes: Sequence[int]) -> Tensor:
        """float32 (rows,): the log-odds that the first candidate is better, differentiable.

        ids, mask: (rows, tokens), padding at the end. prefixes: ids of source, first and second candidate.
        """
        hidden = self.pretrained_model(ids, attention_mask=mask).last_hidden_state
        rows = torch.arange(len(ids), device=ids.device)
        source, first, second = (hidden[rows, (ids == each).int().argmax(dim=1)] for each in prefixes)
        scores = [self.head_layer(torch.cat([source, each], dim=-1)) for each in (first, second)]
        return (scores[0] - scores[1]).mean(dim=-1).float()


class PairRM:
    """A network in eval mode and its tokenizer: a reader of ``scripts.lib.rankers``."""

    def __init__(self, name: str, network: PairNetwork, text: PairText) -> None:
        self.name = name
        self.network = network
        self.text = text

    def both_orders(self, prompt: Messages, first: str, second: str) -> tuple[list[int], list[int]]:
        """Token ids of the prompt with the first response first, and with the second one first."""
        return self.text.both_orders(prompt, first, second)

    @torch.inference_mode()
    def classify(self, sequences: Sequence[list[int]], batch_tokens: int) -> list[float]:
        """The log-odds for the candidate that comes first in each sequence of token ids, in the order given."""

        def read(batch: list[int]) -> list[float]:
            return self.outputs([sequences[at] for at in batch]).tolist()

        batches = by_tokens([len(each) for each in sequences], batch_tokens)
        values = in_batches(batches, read, f"compared by {self.name}")
        return [values[at] for at in range(len(sequences))]

    def outputs(self, sequences: Sequence[list[int]]) -> Tensor:
        """As classify, for one batch: (sequences,), differentiable."""
        width = max(len(each) for each in sequences)
        ids = torch.zeros((len(sequences), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, each in enumerate(sequences):
            ids[row, : len(each)] = torch.tensor(each)
            mask[row, : len(each)] = 1
        where = next(self.network.parameters()).device
        prefixes = [self.text.prefixes[each] for each in (SOURCE, FIRST, SECOND)]
        return self.network(ids.to(where), mask.to(where), prefixes)


def load_pair_rm(spec: PairRMRanker) -> PairRM:
    """The ranker in either published layout, on :func:`scripts.lib.models.device`.

    Raises InputError if it is unreadable, no DeBERTa-v2, not in safetensors or without some of its weights, if its
    tokenizer lacks the prefixes or has more tokens than the model, or if the model has too few positions.
    """
    try:
        settings = _json_of(spec, "config.json")
        base = _base_of(spec, settings)
        where = (spec.model, spec.revision) if base is None else (base, None)
        config = AutoConfig.from_pretrained(where[0], revision=where[1])
        tokenizer = _tokenizer(spec, base)
        path = cached_file(spec.model, "model.safetensors", revision=spec.revision)
        weights = load_file(path)
    except UNREADABLE as error:
        raise _unreadable(spec.model, in_short(error)) from error
    if config.model_type != KIND:
        raise _unreadable(spec.model, f"a {config.model_type} instead of a {KIND}")
    if missing := [name for name in (EMBEDDINGS, HEAD) if name not in weights]:
        raise _unreadable(spec.model, f"its weights lack {', '.join(missing)}")
    config.vocab_size = len(weights[EMBEDDINGS])  # a base's may be padded
    text = PairText(tokenizer, spec.source_length, spec.candidate_length, spec.as_conversation)
    _check_fit(spec, settings, config, text)
    network = _network(spec, config, weights)
    return PairRM(spec.model, network.to(device=device(), dtype=PRECISIONS[spec.precision]).eval(), text)


def _file(spec: PairRMRanker, name: str) -> str | None:
    return cached_file(spec.model, name, revision=spec.revision, _raise_exceptions_for_missing_entries=False)


def _json_of(spec: PairRMRanker, name: str) -> dict[str, Any]:
    path = _file(spec, name)
    return read_json(path) if path else {}


def _base_of(spec: PairRMRanker, settings: dict[str, Any]) -> str | None:
    """The base that a ranker's own configuration names; None where config.json is the network's."""
    if settings.get("model_type") == KIND:
        return None
    base = (settings | _json_of(spec, "ranker_config.json")).get("model_name")
    if not base:
        raise _unreadable(spec.model, f"its config.json is of no {KIND}, and names no base by model_name")
    return base


def _tokenizer(spec: PairRMRanker, base: str | None) -> PreTrainedTokenizerFast:
    """Its own tokenizer.json, to the letter: transformers rebuilds that of a DeBERTa by rules of its own. Else the
    base's, with the prefixes added.
    """
    if base is None or _file(spec, "tokenizer.json"):
        return PreTrainedTokenizerFast.from_pretrained(spec.model, revision=spec.revision)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(list(PREFIXES))
    return tokenizer


def _network(spec: PairRMRanker, config: DebertaV2Config, weights: dict[str, Tensor]) -> PairNetwork:
    network = PairNetwork(config, len(weights[HEAD]))
    known = {name: value for name, value in weights.items() if not name.endswith(UNUSED)}
    try:
        network.load_state_dict(known)
    except RuntimeError as error:  # names every weight that is missing, unknown or of another shape
        raise _unreadable(spec.model, in_short(error)) from error
    return network


def _check_fit(spec: PairRMRanker, settings: dict[str, Any], config: DebertaV2Config, text: PairText) -> None:
    if len(text.tokenizer) > config.vocab_size:
        raise _unreadable(spec.model, f"its tokenizer has {len(text.tokenizer)} tokens, its model {config.vocab_size}")
    names = {"source_prefix_id": SOURCE, "cand1_prefix_id": FIRST, "cand2_prefix_id": SECOND}
    for key, prefix in names.items():
        if settings.get(key, text.prefixes[prefix]) != text.prefixes[prefix]:
            raise _unreadable(
                spec.model, f"{prefix} is {text.prefixes[prefix]} in its tokenizer, {settings[key]} in its config"
            )
    longest = spec.source_length + 2 * spec.candidate_length
    if config.position_biased_input and longest > config.max_position_embeddings:
        raise InputError(
            spec.model,
            f"source_length + 2 candidate_length is {longest}, and it has {config.max_position_embeddings} positions",
            "lower the two in the ranker's entry",
        )


def _unreadable(model: str, problem: str) -> InputError:
    return InputError(
        model,
        f"no readable pairwise ranker ({problem})",
        "give a hub id or folder in the layout of llm-blender/PairRM-hf or llm-blender/PairRM, with model.safetensors. "
        "Pickled weights (.bin) can run code and are never read: save them as safetensors",
    )
