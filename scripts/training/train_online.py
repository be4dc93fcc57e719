"""One online run: the chosen responses stay, the rejected are sampled from the policy during training.

"Online DPO with Fixed Chosen Samples" ("What Matters in Data for DPO?", section 4.2): every few steps the current
policy answers the prompts of the coming steps, and its answers replace the dataset's rejected responses. They did not
exist before, so their reference log-probabilities cannot be stored: the policy that the run starts from stays in memory
next to the one that is trained, only to compute them.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from transformers import PreTrainedModel

from scripts.lib import cli
from scripts.lib.batching import by_tokens
from scripts.lib.chat import Answer, Encoded
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.encoding import Encoder, Rules
from scripts.lib.ids import normalise, response_id, seed_of
from scripts.lib.logprobs import token_logprobs
from scripts.lib.sampling import TransformersSampler
from scripts.training.step import Example
from scripts.training.train import Prepared, arguments_of, perform

STEP = "scripts.training.train_online"


class OnlineRejected:
    """Rejected responses sampled from the current policy, for all steps until the next call.

    A response depends only on the policy, the run's seed, the step of the call and the prompt. A pair keeps its own
    rejected response where the draw has no token to learn from.
    """

    def __init__(self, run: Prepared) -> None:
        self.run = run
        self.every = run.spec.online.refresh_every
        self.reference = copy.deepcopy(run.model).eval().requires_grad_(False)
        self.sampler = TransformersSampler(run.model, run.tokenizer, run.spec.max_length)

    def __call__(self, model: PreTrainedModel, step: int, examples: list[Example]) -> list[Example]:
        ids = [self.run.store.responses[each.chosen_id][0] for each in examples]
        prompts = [self.run.store.prompts[each] for each in ids]
        online = self.run.spec.online
        sampling = SamplingSpec(
            temperature=online.temperature,
            max_new_tokens=online.max_new_tokens,
            batch_tokens=online.batch_tokens,
            seed=seed_of("online", self.run.seed, step) % 2**32,  # in the range of configured seeds
        )
        with self._precision(model):
            samples = self.sampler.sample(prompts, ids, sampling)
        answers = [
            Answer(prompt, normalise(each.text), each.finished) for prompt, each in zip(prompts, samples, strict=True)
        ]
        drawn = self._encoded(answers)
        logps = self._reference_logps(drawn)
        return [
            replace(each, rejected_id=key, rejected=tokens, ref_rejected=logp) if tokens.response_ids else each
            for each, key, tokens, logp in zip(examples, self._ids_of(ids, answers), drawn, logps, strict=True)
        ]

    def _encoded(self, answers: Sequence[Answer]) -> list[Encoded]:
        """The draws within max_length: what was cut at max_new_tokens has no end of its turn."""
        encoded = Encoder(self.run.tokenizer, Rules(refused="drop")).answers(answers, str)
        return [Encoded([], []) if each is None else each.cut(self.run.spec.max_length) for each in encoded]

    def _ids_of(self, prompt_ids: Sequence[str], answers: Sequence[Answer]) -> list[str]:
        return [response_id(key, each.response, each.finished) for key, each in zip(prompt_ids, answers, strict=True)]

    @torch.no_grad()
    def _reference_logps(self, sequences: Sequence[Encoded]) -> list[float]:
        """The log-probability of each response under the policy that the run starts from, in nats."""
        found = [0.0] * len(sequences)
        with self._precision(self.reference):
            some = [at for at, each in enumerate(sequences) if each.response_ids]
            for places in by_tokens([len(sequences[at]) for at in some], self.run.spec.batch_tokens):
                batch = [some[at] for at in places]
                values = token_logprobs(
                    self.reference, [sequences[at] for at in batch], self.run.tokenizer.pad_token_id
                )
                for at, of_one in zip(batch, values, strict=True):
                    found[at] = float(of_one.double().sum())
        return found

    def _precision(self, model: PreTrainedModel) -> torch.autocast:
        return torch.autocast(model.device.type, torch.bfloat16, enabled=self.run.spec.precision == "bfloat16")


def main() -> None:
    perform(STEP, arguments_of(STEP, __doc__), OnlineRejected)


if __name__ == "__main__":
    cli.run(main)
