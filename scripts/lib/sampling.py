"""Samples responses from policies, each with a seed of its own.

A row's seed is ``seed_of(spec.seed, prompt_id, sample)`` and nothing else enters its noise, so in float32 a text does
not depend on the batch that it was sampled in, on the order of the prompts or, with transformers, on the device. In
bfloat16 the logits themselves depend on the batch's shape, and a text is reproducible only in the same call. Backends
derive different noise from a seed: only their greedy texts are the same.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteria,
    StoppingCriteriaList,
)

from scripts.lib.batching import by_tokens
from scripts.lib.capability import Company, company
from scripts.lib.chat import Answer, Encoded, encode_all, end_ids
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.encoding import RULES, Encoder, Rules
from scripts.lib.ids import Messages, normalise, seed_of
from scripts.lib.models import PolicyCard, load_causal, load_tokenizer
from scripts.lib.noise import GumbelNoise
from scripts.lib.pieces import Pieces, in_batches
from scripts.lib.templates import Refused

HALF = "\ufffd"
"""What a decoder makes of a part of a character."""

WITH = {"as long": "those of as many tokens", "none": "no others"}

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One response: its prompt's id, its number among the prompt's samples, its seed, its text (may be empty).

    finished: whether the policy ended its turn; it did not if its room was used up, or if there was none. as_drawn:
    whether the text is read back as the tokens that were drawn.
    """

    prompt_id: str
    sample: int
    seed: int
    text: str
    finished: bool = True
    as_drawn: bool = True


class Drawn(NamedTuple):
    """The tokens of a response, without those that end it, and whether there are any that do."""

    tokens: list[int]
    finished: bool


@dataclass(frozen=True)
class Row:
    """One response to sample. ids: of the prompt. room: most new tokens. turn_end: what the template puts after it."""

    prompt: Messages
    prompt_id: str
    sample: int
    seed: int
    ids: list[int]
    room: int
    turn_end: tuple[int, ...]


class Sampler(ABC):
    """A policy that can be sampled.

    No response exceeds ``max_length`` tokens of prompt and response; a prompt that leaves no room, or that is refused
    and dropped by the rules, gets the empty response.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_length: int, rules: Rules = RULES) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.rules = rules

    def sample(
        self, prompts: Sequence[Messages], ids: Sequence[str], spec: SamplingSpec, pieces: Pieces | None = None
    ) -> list[Sample]:
        """``spec.samples`` responses to each prompt, in the order of the prompts; ``pieces`` store finished ones."""
        rows = self._rows(prompts, ids, spec)
        roomy = [at for at, row in enumerate(rows) if row.room > 0]
        if len(roomy) < len(rows):
            log.warning("%d prompts leave no room for a response: empty", (len(rows) - len(roomy)) // spec.samples)
        batches = [[roomy[at] for at in batch] for batch in self.batches([rows[at] for at in roomy], spec)]

        def draw(batch: list[int]) -> list[dict[str, Any]]:
            asked = [rows[at] for at in batch]
            return self._read(asked, self.draw(asked, spec))

        read = in_batches(batches, draw, "sampled", pieces)
        none = {"text": "", "finished": False, "as_drawn": True}
        return [Sample(row.prompt_id, row.sample, row.seed, **read.get(at, none)) for at, row in enumerate(rows)]

    @abstractmethod
    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        """Indices into ``rows``, grouped into the rows that are sampled in one call."""

    @abstractmethod
    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[Drawn]:
        """A response to each row."""

    def _rows(self, prompts: Sequence[Messages], ids: Sequence[str], spec: SamplingSpec) -> list[Row]:
        encoded = Encoder(self.tokenizer, self.rules).prompts(prompts, lambda at: f"prompt {ids[at]}")
        rows = []
        for prompt, prompt_id, tokens in zip(prompts, ids, encoded, strict=True):
            room = 0 if tokens is None else min(spec.max_new_tokens, self.max_length - len(tokens))
            end = () if tokens is None else end_ids(self.tokenizer, prompt)
            for sample in range(spec.samples):
                seed = seed_of(spec.seed, prompt_id, sample)
                rows.append(Row(prompt, prompt_id, sample, seed, tokens or [], room, end))
        return rows

    def _read(self, rows: Sequence[Row], drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
        """The text of each response, whether it is finished, and whether its text is read as the tokens drawn."""
        texts = [text_of(self.tokenizer, each) for each in drawn]
        answers = [
            Answer(row.prompt, normalise(text), each.finished)
            for row, text, each in zip(rows, texts, drawn, strict=True)
        ]
        again = encode_all(self.tokenizer, answers)
        return [
            {"text": text, "finished": each.finished, "as_drawn": _are_tokens_of(each, encoded)}
            for text, each, encoded in zip(texts, drawn, again, strict=True)
        ]


class TransformersSampler(Sampler):
    """Samples with transformers' ``generate``.

    Plain sampling uses the Gumbel-max trick: the greedy choice after adding noise to the log-probabilities is an exact
    multinomial draw. Beams are drawn by torch's own generator, one prompt per call.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, max_length: int, rules: Rules = RULES
    ) -> None:
        super().__init__(tokenizer, max_length, rules)
        self.model = model

    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        if spec.num_beams > 1 or len(rows) < 2 or self.company == "none":
            return [[at] for at in range(len(rows))]
        lengths = [len(row.ids) for row in rows]
        alike = [range(len(rows))]
        if self.company == "as long":
            alike = [[at for at, each in enumerate(lengths) if each == length] for length in sorted(set(lengths))]
        return [
            [of_length[at] for at in batch]
            for of_length in alike
            for batch in by_tokens([lengths[at] + rows[at].room for at in of_length], spec.batch_tokens)
        ]

    @cached_property
    def company(self) -> Company:
        """Which prompts are sampled together."""

        def next_logits(prompts: Sequence[list[int]]) -> torch.Tensor:
            config = GenerationConfig(
                min_new_tokens=2,  # the second comes from the cache
                max_new_tokens=2,
                pad_token_id=self.tokenizer.pad_token_id,
                output_logits=True,
                return_dict_in_generate=True,
            )
            found = self.model.generate(**self._padded(prompts), generation_config=config)
            return torch.cat(found.logits, dim=1).float()

        found = company(self.model, self.max_length - 2, next_logits)
        if found != "any":
            log.info("prompts are sampled with %s: what follows one depends on more", WITH[found])
        return found

    def _padded(self, prompts: Sequence[list[int]]) -> dict[str, torch.Tensor]:
        """Prompts as one batch, padded on the left."""
        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for at, each in enumerate(prompts):
            ids[at, width - len(each) :] = torch.tensor(each)
            mask[at, width - len(each) :] = 1
        return {"input_ids": ids.to(self.model.device), "attention_mask": mask.to(self.model.device)}

    @torch.inference_mode()
    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[Drawn]:
        width = max(len(row.ids) for row in rows)
        stop = stop_ids(self.model.generation_config, self.tokenizer)
        config = GenerationConfig(
            max_new_tokens=max(row.room for row in rows),
            eos_token_id=stop,
            pad_token_id=self.tokenizer.pad_token_id,
            num_beams=spec.num_beams,
        )
        processors = LogitsProcessorList()
        if spec.temperature > 0 and spec.num_beams > 1:
            config.update(do_sample=True, temperature=spec.temperature, top_p=spec.top_p, top_k=spec.top_k or 0)
        elif spec.temperature > 0:
            processors.append(GumbelNoise([row.seed for row in rows], width, spec))
        with torch.random.fork_rng():
            torch.manual_seed(rows[0].seed)  # for beams, one row per call; GumbelNoise uses no generator
            output = self.model.generate(
                **self._padded([row.ids for row in rows]),
                generation_config=config,
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([_TurnIsOver(rows, width)]),
            )
        return [cut(row, tokens, stop) for row, tokens in zip(rows, output[:, width:].tolist(), strict=False)]


def sampler_of(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    """The policy, loaded into the backend that ``spec`` names."""
    return {"transformers": transformers, "vllm": vllm}[spec.backend](card, spec)


def transformers(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    return TransformersSampler(load_causal(card, spec.precision), load_tokenizer(card), card.max_length, card.rules)


def vllm(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    from scripts.lib.vllm_backend import VllmSampler

    return VllmSampler(card, spec)


def stop_ids(config: GenerationConfig, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The tokens that end a response: the model's and tokenizer's end of text, and a one-token end of turn."""
    of_model = config.eos_token_id
    ids = set(of_model if isinstance(of_model, list) else [of_model]) | {tokenizer.eos_token_id}
    end = end_ids(tokenizer, [{"role": "user", "content": ""}])
    if len(end) == 1:
        ids.add(end[0])
    return sorted(ids - {None})


class _TurnIsOver(StoppingCriteria):
    """Ends a row when its room is used up or at an end of turn of several tokens."""

    def __init__(self, rows: Sequence[Row], prompt_width: int) -> None:
        self.rows = rows
        self.prompt_width = prompt_width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_kwargs) -> torch.Tensor:
        new = input_ids.shape[1] - self.prompt_width
        rows = self.rows if len(self.rows) == len(input_ids) else list(self.rows) * len(input_ids)
        over = [new >= row.room for row in rows]
        longest = max(len(row.turn_end) for row in rows)
        if longest > 1:
            tails = input_ids[:, -longest:].tolist()
            over = [done or _ends(tail, row) for done, tail, row in zip(over, tails, rows, strict=True)]
        return torch.tensor(over, device=input_ids.device)


def _ends(tokens: list[int], row: Row) -> bool:
    return tuple(tokens[-len(row.turn_end) :]) == row.turn_end


def cut(row: Row, tokens: Sequence[int], stop: Sequence[int]) -> Drawn:
    """The response's own tokens: up to its room, its end of turn or a stop token."""
    tokens = list(tokens[: row.room])
    for count, token in enumerate(tokens, start=1):
        if token in stop:
            return Drawn(tokens[: count - 1], True)
        if count >= len(row.turn_end) and _ends(tokens[:count], row):
            return Drawn(tokens[: count - len(row.turn_end)], True)
    return Drawn(tokens, False)


def text_of(tokenizer: PreTrainedTokenizerFast, drawn: Drawn) -> str:
    """The text of a response as its tokens spell it, without the part of a character at which it was cut."""
    text = tokenizer.decode(drawn.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text if drawn.finished else text.rstrip(HALF)


def _are_tokens_of(drawn: Drawn, encoded: Encoded | Refused) -> bool:
    """Whether a response is read as the tokens drawn, up to its end."""
    return isinstance(encoded, Encoded) and encoded.response_ids[: len(drawn.tokens)] == drawn.tokens
