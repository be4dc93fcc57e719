"""Samples of the policy that a run trains, and what the policy that it starts from says of them.

They did not exist before, so their reference log-probabilities cannot be stored: the policy that the run starts from
stays in memory next to the one that is trained, only to compute them.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.batching import by_tokens
from scripts.lib.chat import Answer, Encoded
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.encoding import Encoder, Rules
from scripts.lib.ids import normalise, seed_of
from scripts.lib.logprobs import token_logprobs, token_states
from scripts.lib.sampling import TransformersSampler
from scripts.training.train import Prepared


class Online:
    """A run's policy as a source of responses. A response depends only on the policy, the run's seed, the step of the
    draw, the prompt, and its number among the prompt's samples.
    """

    def __init__(self, run: Prepared) -> None:
        self.run = run
        self.every, self.reuse = run.spec.online.refresh_every, run.spec.online.reuse
        self.reference = copy.deepcopy(run.model).eval().requires_grad_(False)
        self.sampler = TransformersSampler(run.model, run.tokenizer, run.spec.max_length)

    def state(self) -> dict[str, Any]:
        """What the next draw depends on, besides the policy."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""

    def answers(self, step: int, prompt_ids: Sequence[str]) -> list[Answer]:
        """Samples of the policy as it stands: ``online.samples`` of each prompt, prompt after prompt."""
        online = self.run.spec.online
        sampling = SamplingSpec(
            temperature=online.temperature,
            max_new_tokens=online.max_new_tokens,
            batch_tokens=online.batch_tokens,
            samples=online.samples,
            seed=seed_of("online", self.run.seed, step) % 2**32,  # in the range of configured seeds
        )
        with self.precision(self.run.model):
            samples = self.sampler.sample([self.run.store.prompts[each] for each in prompt_ids], prompt_ids, sampling)
        return [Answer(self.run.store.prompts[each.prompt_id], normalise(each.text), each.finished) for each in samples]

    def encoded(self, answers: Sequence[Answer]) -> list[Encoded]:
        """The samples within max_length: what was cut at max_new_tokens has no end of its turn."""
        encoded = Encoder(self.run.tokenizer, Rules(refused="drop")).answers(answers, str)
        return [Encoded([], []) if each is None else each.cut(self.run.spec.max_length) for each in encoded]

    def logprobs(self, model: PreTrainedModel, sequences: Sequence[Encoded]) -> list[Tensor]:
        """The log-probs (tokens,) of each response under a model, in nats; sequences may have none."""
        return self._read(token_logprobs, model, sequences)

    def states(self, sequences: Sequence[Encoded]) -> list[Tensor]:
        """The reference's hidden states (tokens, hidden) before each token of each response."""
        return self._read(token_states, self.reference, sequences)

    @torch.no_grad()
    def _read(self, values_of: Callable, model: PreTrainedModel, sequences: Sequence[Encoded]) -> list[Tensor]:
        found = [torch.empty(0, device=model.device)] * len(sequences)
        some = [at for at, each in enumerate(sequences) if each.response_ids]
        with self.precision(model):
            for places in by_tokens([len(sequences[at]) for at in some], self.run.spec.batch_tokens):
                batch = [some[at] for at in places]
                values = values_of(model, [sequences[at] for at in batch], self.run.tokenizer.pad_token_id)
                for at, of_one in zip(batch, values, strict=True):
                    found[at] = of_one
        return found

    def prompt_of(self, response_id: str) -> str:
        """The id of the prompt of a dataset's response."""
        return self.run.store.responses[response_id][0]

    def precision(self, model: PreTrainedModel) -> torch.autocast:
        return torch.autocast(model.device.type, torch.bfloat16, enabled=self.run.spec.precision == "bfloat16")
