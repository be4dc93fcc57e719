"""The part of the vLLM tests that runs in vLLM's own Python: ``python -m tests.vllm_child <job> <out>``."""

import sys
from pathlib import Path

from scripts.lib import pieces, vllm_backend
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.scorers import RewardModelScorer
from scripts.lib.models import read_policy
from scripts.lib.pieces import Pieces
from scripts.lib.rewards import scorer_of
from scripts.lib.sampling import sampler_of
from scripts.lib.tables import read_json, write_json


def sampling(job: dict) -> dict:
    """Greedy texts; samples in two orders and in calls of two sizes; prompts and log-probs as the engine has them."""
    from vllm import SamplingParams

    greedy, drawn = (SamplingSpec(**job[name]) for name in ("greedy", "drawn"))
    prompts, ids = job["prompts"], job["ids"]
    sampler = sampler_of(read_policy(job["policy"]), greedy)
    seen = noted(sampler.llm)
    found = {"greedy": sampler.sample(prompts, ids, greedy), "seen": list(seen)}
    found["drawn"] = sampler.sample(prompts, ids, drawn)
    vllm_backend.REQUESTS = 7
    found["drawn_otherwise"] = sampler.sample(prompts[::-1], ids[::-1], drawn)
    found["resumed"] = resumed(sampler, prompts, ids, drawn, Path(job["checkpoints"]))
    asked = [{"prompt_token_ids": tokens} for tokens in job["sequences"]]
    outputs = sampler.llm.generate(asked, SamplingParams(max_tokens=1, prompt_logprobs=0, detokenize=False))
    found["logprobs"] = [
        [given[token].logprob for token, given in zip(each.prompt_token_ids[1:], each.prompt_logprobs[1:], strict=True)]
        for each in outputs
    ]
    return found


def resumed(sampler, prompts, ids, spec, folder: Path) -> list:
    """Samples of a job that is killed midway and started again."""
    pieces.EVERY = 0.0
    save, draw, calls = Pieces.save, sampler.draw, []

    def save_and_end(self, values):
        save(self, values)
        if len(calls) == 5:
            raise KeyboardInterrupt

    sampler.draw = lambda *arguments: calls.append(1) or draw(*arguments)
    Pieces.save = save_and_end
    try:
        sampler.sample(prompts, ids, spec, Pieces(folder, "0" * 64))
    except KeyboardInterrupt:
        Pieces.save = save
    samples = sampler.sample(prompts, ids, spec, Pieces(folder, "0" * 64))
    assert len(calls) == -(-len(samples) // vllm_backend.REQUESTS), calls
    return samples


def scoring(job: dict) -> dict:
    """Scores of conversations, in two orders; and of the sequences of ids, from the engine directly."""
    spec = RewardModelScorer(**job["scorer"])
    scorer = scorer_of(spec)
    items = [(prompt, response) for prompt, response in job["items"]]
    return {
        "scores": scorer.score(items),
        "otherwise": scorer.score(items[::-1])[::-1],
        "of_ids": scorer.classifier.classify(job["sequences"], spec.batch_tokens),
    }


def noted(llm) -> list[list[int]]:
    """The ids of every prompt that the engine answers from now on, as reported by the engine."""
    seen: list[list[int]] = []
    generate = llm.generate

    def with_notes(*arguments, **options):
        outputs = generate(*arguments, **options)
        seen.extend(list(each.prompt_token_ids) for each in outputs)
        return outputs

    llm.generate = with_notes
    return seen


def main() -> None:
    job = read_json(sys.argv[1])
    write_json({"sampling": sampling, "scoring": scoring}[job["what"]](job), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
