"""Watches responses that no pair holds, while a run trains: where does the likelihood go that its pairs lose?

"3D-Properties", Property 3 (dispersion): "the likelihood of generating out-of-distribution responses increases". The
watched responses are the start's own samples of the run's prompts. They are read and evaluated, and change no weight.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib.batching import by_tokens
from scripts.lib.chat import Answer, Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.encoding import Encoder
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import PolicyCard
from scripts.lib.schemas import LIKELIHOODS, RESPONSES
from scripts.lib.tables import read_table
from scripts.training.reading import Store

SHARE = 0.01
"""The part of a run's work that watching takes, besides the last step."""
BACKWARD = 2
"""The work of training on a token over that of evaluating it: what a pair shares is computed once."""
COLUMN = LIKELIHOODS[6]


class Watch:
    """The watched responses of a run, evaluated every so many steps and at the last one.

    tokens: of a step's pairs, on average. With as many responses as a step has pairs, of the same lengths, a watch is
    a quarter of a step's work, and takes place every 25th step.
    """

    def __init__(self, responses: Sequence[Encoded], spec: Hyperparameters, pad_id: int, tokens: float) -> None:
        self.responses = list(responses)
        self.spec = spec
        self.pad_id = pad_id
        self.every = max(1, math.ceil(sum(map(len, responses)) / (BACKWARD * SHARE * tokens)))

    def __call__(self, model: PreTrainedModel, step: int, steps: int) -> dict[str, float | None]:
        """The column of a step of so many, before its update: the mean log-prob per token, in nats; None: no watch."""
        is_watched = step % self.every == 0 or step + 1 == steps
        return {COLUMN: self._mean(model) if is_watched else None}

    @torch.no_grad()
    def _mean(self, model: PreTrainedModel) -> float:
        means = []
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.spec.precision == "bfloat16"):
            for batch in by_tokens([len(each) for each in self.responses], self.spec.batch_tokens):
                values = token_logprobs(model, [self.responses[at] for at in batch], self.pad_id)
                means += [each.double().mean().item() for each in values]
        return math.fsum(means) / len(means)


def read_watched(
    path: Path, store: Store, tokenizer: PreTrainedTokenizerFast, card: PolicyCard, spec: Hyperparameters
) -> list[Encoded]:
    """The responses to watch: of the run's prompts, in no pair, at most as many as a step has pairs, by their ids.

    store: what the run's pairs refer to. Ids are hashes, so that the choice is one at random.
    """
    frame = read_table(path, RESPONSES)
    of_pairs = {prompt_id for prompt_id, *_ in store.responses.values()}
    frame = frame[frame["prompt_id"].isin(of_pairs) & ~frame["response_id"].isin(store.responses.keys())]
    frame = frame.sort_values("response_id").head(spec.batch_pairs)
    answers = [
        Answer(store.prompts[of], text, done)
        for of, text, done in zip(frame["prompt_id"], frame["response"], frame["finished"], strict=True)
    ]
    ids = frame["response_id"].tolist()
    encoded = Encoder(tokenizer, card.rules).answers(answers, lambda at: f"{path}, response {ids[at]}")
    kept = [each.cut(spec.max_length) for each in encoded if each is not None]
    return [each for each in kept if each.response_ids]
