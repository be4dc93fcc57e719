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
from typing import NamedTuple

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from scripts.lib.batching import by_tokens
from scripts.lib.chat import encode_prompt, end_of_turn
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.ids import Messages, seed_of
from scripts.lib.models import PolicyCard, load_causal, load_tokenizer
from scripts.lib.pieces import Pieces, in_batches

log = logging.getLogger(__name__)


class Sample(NamedTuple):
    """One response: its prompt's id, its number among the prompt's samples, its seed, its text (may be empty)."""

    prompt_id: str
    sample: int
    seed: int
    text: str


@dataclass(frozen=True)
class Row:
    """One response to sample. ids: of the prompt. room: most new tokens. turn_end: what the template puts after it."""

    prompt_id: str
    sample: int
    seed: int
    ids: list[int]
    room: int
    turn_end: tuple[int, ...]


class Sampler(ABC):
    """A policy that can be sampled.

    No response exceeds ``max_length`` tokens of prompt and response; a prompt that leaves no room gets the empty
    response.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length

    def sample(
        self, prompts: Sequence[Messages], ids: Sequence[str], spec: SamplingSpec, pieces: Pieces | None = None
    ) -> list[Sample]:
        """``spec.samples`` responses to each prompt, in the order of the prompts; ``pieces`` store finished ones."""
        rows = self._rows(prompts, ids, spec)
        roomy = [at for at, row in enumerate(rows) if row.room > 0]
        if len(roomy) < len(rows):
            log.warning("%d prompts leave no room for a response: empty", (len(rows) - len(roomy)) // spec.samples)
        batches = [[roomy[at] for at in batch] for batch in self.batches([rows[at] for at in roomy], spec)]

        def draw(batch: list[int]) -> list[str]:
            drawn = self.draw([rows[at] for at in batch], spec)
            return [self.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in drawn]

        texts = in_batches(batches, draw, "sampled", pieces)
        return [Sample(row.prompt_id, row.sample, row.seed, texts.get(at, "")) for at, row in enumerate(rows)]

    @abstractmethod
    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        """Indices into ``rows``, grouped into the rows that are sampled in one call."""

    @abstractmethod
    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        """The tokens of a response to each row, without those that end it."""

    def _rows(self, prompts: Sequence[Messages], ids: Sequence[str], spec: SamplingSpec) -> list[Row]:
        rows = []
        for prompt, prompt_id in zip(prompts, ids, strict=True):
            tokens = encode_prompt(self.tokenizer, prompt)
            room = min(spec.max_new_tokens, self.max_length - len(tokens))
            end = self.tokenizer(end_of_turn(self.tokenizer, prompt), add_special_tokens=False)["input_ids"]
            for sample in range(spec.samples):
                seed = seed_of(spec.seed, prompt_id, sample)
                rows.append(Row(prompt_id, sample, seed, tokens, room, tuple(end)))
        return rows


class TransformersSampler(Sampler):
    """Samples with transformers' ``generate``.

    Plain sampling uses the Gumbel-max trick: the greedy choice after adding noise to the log-probabilities is an exact
    multinomial draw. Beams are drawn by torch's own generator, one prompt per call.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, max_length: int) -> None:
        super().__init__(tokenizer, max_length)
        self.model = model

    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        if spec.num_beams > 1:
            return [[at] for at in range(len(rows))]
        return by_tokens([len(row.ids) + row.room for row in rows], spec.batch_tokens)

    @torch.inference_mode()
    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        width = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for at, row in enumerate(rows):
            ids[at, width - len(row.ids) :] = torch.tensor(row.ids)
            mask[at, width - len(row.ids) :] = 1
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
                input_ids=ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                generation_config=config,
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([_TurnIsOver(rows, width)]),
            )
        return [cut(row, tokens, stop) for row, tokens in zip(rows, output[:, width:].tolist(), strict=False)]


def sampler_of(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    """The policy, loaded into the backend that ``spec`` names."""
    return {"transformers": transformers, "vllm": vllm}[spec.backend](card, spec)


def transformers(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    return TransformersSampler(load_causal(card, spec.precision), load_tokenizer(card), card.max_length)


def vllm(card: PolicyCard, spec: SamplingSpec) -> Sampler:
    from scripts.lib.vllm_backend import VllmSampler

    return VllmSampler(card, spec)


def stop_ids(config: GenerationConfig, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The tokens that end a response: the model's and tokenizer's end of text, and a one-token end of turn."""
    of_model = config.eos_token_id
    ids = set(of_model if isinstance(of_model, list) else [of_model]) | {tokenizer.eos_token_id}
    end = tokenizer(end_of_turn(tokenizer, [{"role": "user", "content": ""}]), add_special_tokens=False)["input_ids"]
    if len(end) == 1:
        ids.add(end[0])
    return sorted(ids - {None})


class GumbelNoise(LogitsProcessor):
    """Temperature, top-k and top-p, then Gumbel noise from each row's seed, the step and the token."""

    def __init__(self, seeds: Sequence[int], prompt_width: int, spec: SamplingSpec) -> None:
        self.seeds = seeds
        self.prompt_width = prompt_width
        self.warpers = [TemperatureLogitsWarper(spec.temperature)] if spec.temperature != 1.0 else []
        self.warpers += [TopKLogitsWarper(spec.top_k)] if spec.top_k else []
        self.warpers += [TopPLogitsWarper(spec.top_p)] if spec.top_p < 1.0 else []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for warper in self.warpers:
            scores = warper(input_ids, scores)
        step = input_ids.shape[1] - self.prompt_width
        keys = torch.tensor([seed_of(seed, step) for seed in self.seeds], device=scores.device)
        return scores.double() + gumbel(keys, scores.shape[1])


def gumbel(keys: torch.Tensor, size: int) -> torch.Tensor:
    """Standard Gumbel noise (rows, size) in float64 from int64 keys (rows,), the same on every device.

    The first ``size`` outputs of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) seeded with each key; integer tensors
    wrap around, as the generator requires. One torch generator per row would run only on the CPU, or give other numbers
    on a GPU.
    """
    steps = torch.arange(1, size + 1, device=keys.device)
    bits = keys.unsqueeze(1) + steps * _signed(0x9E3779B97F4A7C15)
    bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
    bits = bits ^ _shifted(bits, 31)
    uniform = (_shifted(bits, 12).double() + 0.5) * 2.0**-52
    return -(-uniform.log()).log()


def _signed(constant: int) -> int:
    return constant - (1 << 64)


def _shifted(bits: torch.Tensor, by: int) -> torch.Tensor:
    """Logical right shift of int64, whose own shift repeats the sign bit."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


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


def cut(row: Row, tokens: Sequence[int], stop: Sequence[int]) -> list[int]:
    """The response's own tokens: up to its room, its end of turn or a stop token."""
    tokens = list(tokens[: row.room])
    for count, token in enumerate(tokens, start=1):
        if token in stop:
            return tokens[: count - 1]
        if count >= len(row.turn_end) and _ends(tokens[:count], row):
            return tokens[: count - len(row.turn_end)]
    return tokens
