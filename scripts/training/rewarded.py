"""What a run learns from samples with scores: the best and the worst of a prompt's, or all of them with rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib.chat import Answer, Encoded
from scripts.lib.errors import InputError
from scripts.lib.ids import response_id
from scripts.lib.rewards import Scorer
from scripts.training.advantages import ValueHead, against_the_others, returns, token_rewards
from scripts.training.lessons import Example, PairLesson, Rollout, lesson_of
from scripts.training.online import Online
from scripts.training.renewal import Batch
from scripts.training.train import Prepared


@dataclass(frozen=True)
class Sample:
    """A sample that has tokens and a score. old, ref: its log-probs (tokens,), as in a rollout.

    states: the reference's hidden states (tokens, hidden) before each token; empty without a value head.
    """

    answer: Answer
    encoded: Encoded
    reward: float
    old: Tensor
    ref: Tensor
    states: Tensor


class Rewarded(Online):
    """Batches of samples of the current policy: pairs, or rollouts for an objective with a reward.

    A prompt that occurs more than once in a draw is sampled once. Samples without a token or a score are left out; a
    prompt that has none left is too.
    """

    def __init__(self, run: Prepared, scorer: Scorer) -> None:
        super().__init__(run)
        self.scorer = scorer
        lesson = lesson_of(run.spec)
        self.pairs = isinstance(lesson, PairLesson)
        self.ties = self.pairs and not lesson.both
        by_value = run.spec.online.baseline == "value" and not self.pairs
        self.head = ValueHead(run.model.get_output_embeddings().weight.shape[1]) if by_value else None

    def __call__(self, model: PreTrainedModel, step: int, batches: list[list[Example]]) -> list[Batch]:
        ids = [[self.prompt_of(each.chosen_id) for each in batch] for batch in batches]
        drawn = self._drawn(model, step, list(dict.fromkeys(key for batch in ids for key in batch)))
        made, seen = [], set()
        for batch in ids:
            kept = [(key, drawn[key]) for key in batch if drawn[key]]
            made.append(self._batch(step, kept, len(set(batch) - seen)))
            seen |= set(batch)
        if self.head:
            samples = [each for of_prompt in drawn.values() for each in of_prompt]
            found = [returns(each) for each in self._earned(samples)]
            self.head.learn(torch.cat([each.states for each in samples]), torch.cat(found))
        return made

    def state(self) -> dict[str, Any]:
        return self.head.state() if self.head else {}

    def restore(self, state: dict[str, Any]) -> None:
        if self.head:
            self.head.restore(state)

    def _drawn(self, model: PreTrainedModel, step: int, prompt_ids: list[str]) -> dict[str, list[Sample]]:
        """Prompt id -> its samples."""
        answers = self.answers(step, prompt_ids)
        scores = self.scorer.score([(each.prompt, each.response) for each in answers])
        encoded = self.encoded(answers)
        old, ref = (self.logprobs(each, encoded) for each in (model, self.reference))
        states = self.states(encoded) if self.head else [torch.empty(0)] * len(encoded)
        rows = list(zip(answers, encoded, scores, old, ref, states, strict=True))
        count = self.run.spec.online.samples
        return {
            key: [
                Sample(*row)
                for row in rows[at * count : (at + 1) * count]
                if row[1].response_ids and row[2] is not None
            ]
            for at, key in enumerate(prompt_ids)
        }

    def _batch(self, step: int, drawn: Sequence[tuple[str, list[Sample]]], new: int) -> Batch:
        """A batch of prompts and their samples; new: of how many prompts they are not another batch's as well."""
        if not drawn:
            raise InputError(
                f"training step {step}",
                "no sample of its prompts has a token to learn from and a score",
                "raise online.max_new_tokens or max_length, or name a scorer that scores what the policy says",
            )
        items = [self._pair(*each) for each in drawn] if self.pairs else self._rollouts([each for _, each in drawn])
        samples = [each for _, of_prompt in drawn for each in of_prompt]
        columns = {
            "reward": sum(each.reward for each in samples) / len(samples),
            "kl": sum(float((each.old - each.ref).double().sum()) for each in samples) / len(samples),
            "samples": new * self.run.spec.online.samples,
        }
        return Batch(items, columns)

    def _pair(self, prompt_id: str, samples: list[Sample]) -> Example:
        """The best sample against the worst; it counts if their scores are far enough apart."""
        best, worst = max(samples, key=lambda each: each.reward), min(samples, key=lambda each: each.reward)
        keys = [response_id(prompt_id, each.answer.response, each.answer.finished) for each in (best, worst)]
        logps = [float(each.ref.double().sum()) for each in (best, worst)]
        counts = self.ties or best.reward - worst.reward > self.run.spec.online.min_gap
        return Example(*keys, best.encoded, worst.encoded, *logps, counts)

    def _rollouts(self, drawn: Sequence[list[Sample]]) -> list[Rollout]:
        return [
            Rollout(
                samples=tuple(each.encoded for each in of_prompt),
                rewards=tuple(each.reward for each in of_prompt),
                old=tuple(each.old for each in of_prompt),
                ref=tuple(each.ref for each in of_prompt),
                advantages=tuple(self._advantages(of_prompt)),
            )
            for of_prompt in drawn
        ]

    def _advantages(self, samples: Sequence[Sample]) -> list[Tensor]:
        """Of the tokens of one prompt's samples: against the others, or against what the value head expects."""
        earned = self._earned(samples)
        if self.head is None:
            return against_the_others(earned)
        expected = [self.head.values(each.states).to(each.states.device) for each in samples]
        return [returns(each) - value for each, value in zip(earned, expected, strict=True)]

    def _earned(self, samples: Sequence[Sample]) -> list[Tensor]:
        return [token_rewards(each.reward, each.old, each.ref, self.run.spec.beta) for each in samples]
