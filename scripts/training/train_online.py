"""One online run: the policy that is trained answers the prompts of the coming steps, and learns from its answers.

Without a scorer the chosen responses stay, and the policy's answers replace the dataset's rejected ones: "Online DPO
with Fixed Chosen Samples" ("What Matters in Data for DPO?", section 4.2). With a scorer only the dataset's prompts are
used, and all responses are the policy's (scripts/training/rewarded.py).
"""

from dataclasses import replace
from itertools import islice

from transformers import PreTrainedModel

from scripts.lib import cli
from scripts.lib.ids import response_id
from scripts.training.lessons import Example
from scripts.training.loop import Batch, Renewal
from scripts.training.online import Online
from scripts.training.rewarded import Rewarded
from scripts.training.train import Prepared, arguments_of, perform

STEP = "scripts.training.train_online"


class OnlineRejected(Online):
    """Rejected responses sampled from the current policy, for all batches until the next call.

    A pair keeps its own rejected response where the draw has no token to learn from.
    """

    def __call__(self, model: PreTrainedModel, step: int, batches: list[list[Example]]) -> list[Batch]:
        examples = [each for batch in batches for each in batch]
        ids = [self.prompt_of(each.chosen_id) for each in examples]
        answers = self.answers(step, ids)
        drawn = self.encoded(answers)
        logps = [float(each.double().sum()) for each in self.logprobs(self.reference, drawn)]
        keys = [response_id(key, each.response, each.finished) for key, each in zip(ids, answers, strict=True)]
        renewed = iter(
            [
                replace(each, rejected_id=key, rejected=tokens, ref_rejected=logp) if tokens.response_ids else each
                for each, key, tokens, logp in zip(examples, keys, drawn, logps, strict=True)
            ]
        )
        return [Batch(list(islice(renewed, len(each))), {"samples": len(each)}) for each in batches]


def renewal_of(run: Prepared) -> Renewal:
    """What makes a run's batches."""
    return Rewarded(run) if run.scorer else OnlineRejected(run)


def main() -> None:
    perform(STEP, arguments_of(STEP, __doc__), renewal_of)


if __name__ == "__main__":
    cli.run(main)
