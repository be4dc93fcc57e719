"""One online run: the policy that is trained answers the prompts of the coming steps, and learns from its answers.

Without a scorer the chosen responses stay, and the policy's answers replace the dataset's rejected ones: "Online DPO
with Fixed Chosen Samples" ("What Matters in Data for DPO?", section 4.2). With a scorer only the dataset's prompts are
used, and all responses are the policy's (scripts/training/rewarded.py).
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path

from transformers import PreTrainedModel

from scripts.lib import cli
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.ids import response_id
from scripts.lib.rewards import SCORER_CARD, scorer_of
from scripts.training.lessons import Example
from scripts.training.online import Online
from scripts.training.renewal import Batch
from scripts.training.rewarded import Rewarded
from scripts.training.train import Sampled, parser_of, perform

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


def sampled_by(spec: Hyperparameters, scorer: ScorerSpec | None, model_dir: Path | None) -> Sampled:
    """What a run learns from. scorer: the entry of the scorer in ``spec``. model_dir: its folder, if trained here.

    Raises InputError unless there is a scorer exactly if ``spec`` names one.
    """
    if (scorer is None) != (spec.online is None or spec.online.scorer is None):
        raise InputError("--scorer", "goes with a scorer in online of --spec", "give both or neither")
    if scorer is None:
        return Sampled(OnlineRejected)
    card = [(model_dir / SCORER_CARD).read_text(encoding="utf-8")] if model_dir else []  # it has the files' hashes
    scores = scorer_of(scorer, model_dir=model_dir)
    return Sampled(lambda run: Rewarded(run, scores), [scorer.model_dump_json(), *card], prompts_only=True)


def main() -> None:
    parser = parser_of(STEP, __doc__)
    parser.add_argument("--scorer", type=cli.spec_of(ScorerSpec), help="JSON of the scorer's entry, if online has one")
    parser.add_argument("--model-dir", type=Path, help="folder of a scorer trained here")
    arguments = parser.parse_args()
    perform(STEP, arguments, sampled_by(arguments.spec, arguments.scorer, arguments.model_dir))


if __name__ == "__main__":
    cli.run(main)
