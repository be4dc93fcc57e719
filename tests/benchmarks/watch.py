"""`python -m tests.benchmarks.watch`: a run with watched responses and without, in turns, at the default study's sizes.

The policy has the shape of the default configuration's and random weights; prompts and responses are the didactic
world's, and the run has as many steps. Turns alternate which comes first, and each is a pair of runs on the same pairs;
their losses must be equal bit for bit. Seconds are CPU time of the training loop alone, and elapsed time beside it.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.lib.chat import Encoded, encode
from scripts.lib.logprobs import token_logprobs
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import write_json
from scripts.lib.world.generators import respond
from scripts.lib.world.skills import make_prompts
from scripts.training.lessons import Example
from scripts.training.loop import train
from scripts.training.watch import Watch
from scripts.workflow.configuration import checked
from tests.benchmarks.turns import spread
from tests.configurations import DEFAULT, merged

POLICY, VARIANT = "medium", "dpo"
PAIRS = 416
"""Those of a default run: 52 steps."""
COMPETENCE = (0.9, 0.3, 0.6)
"""Of who wrote the chosen, the rejected and the watched responses."""


@dataclass(frozen=True)
class Setting:
    """The default run, built here."""

    spec: object
    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    examples: list[Example]
    watched: list[Encoded]

    def watch(self) -> Watch:
        tokens = sum(each.tokens for each in self.examples) * self.spec.batch_pairs / len(self.examples)
        return Watch(self.watched, self.spec, self.tokenizer.pad_token_id, tokens)


def setting() -> Setting:
    """The policy, the pairs with their reference, and as many watched responses as a step has pairs."""
    config = checked(merged(*DEFAULT), DEFAULT)
    shape, spec = config.policies[POLICY], config.training.variant(VARIANT)
    draw = random.Random(0)
    texts = [(text, *(respond(text, able, draw) for able in COMPETENCE)) for text in make_prompts(2 * PAIRS, 0)]
    tokenizer = train_tokenizer(shape.tokenizer, (text for each in texts for text in each), shape.vocabulary)
    torch.manual_seed(0)
    model = LlamaForCausalLM(tiny_llama_config(shape, tokenizer, shape.max_length)).eval()
    kept = [each for each in texts if each[1] != each[2]][:PAIRS]
    examples = [_example(model, tokenizer, spec.max_length, *each[:3]) for each in kept]
    watched = [_encoded(tokenizer, each[0], each[3], spec.max_length) for each in kept[: spec.batch_pairs]]
    return Setting(spec, model, tokenizer, examples, watched)


def _encoded(tokenizer: PreTrainedTokenizerFast, prompt: str, response: str, max_length: int) -> Encoded:
    return encode(tokenizer, [{"role": "user", "content": prompt}], response, max_length)


@torch.no_grad()
def _example(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, max_length: int, prompt: str, *sides: str
) -> Example:
    both = [_encoded(tokenizer, prompt, side, max_length) for side in sides]
    sums = [values.double().sum().item() for values in token_logprobs(model, both, tokenizer.pad_token_id)]
    return Example(*sides, *both, *sums)


def timed(of: Setting, is_watched: bool) -> tuple[dict[str, float], list[float]]:
    """The seconds of one run, from the same weights each time, and its losses."""
    start = {name: value.clone() for name, value in of.model.state_dict().items()}
    watch = of.watch() if is_watched else None
    wall, cpu = time.perf_counter(), time.process_time()
    rows = train(of.model, of.examples, of.spec, seed=0, pad_id=of.tokenizer.pad_token_id, watch=watch)
    seconds = {"cpu": time.process_time() - cpu, "elapsed": time.perf_counter() - wall}
    of.model.load_state_dict(start)
    return seconds, rows["loss"].tolist()


def summary(turns: Sequence[dict]) -> dict:
    """Medians and spreads over the turns: both runs' seconds, and what watching adds in percent."""
    found = {}
    for what in ("cpu", "elapsed"):
        for how in ("watched", "alone"):
            found[f"{what}_seconds_{how}"] = spread([turn[how][what] for turn in turns])
        found[f"{what}_percent"] = spread([100 * (turn["watched"][what] / turn["alone"][what] - 1) for turn in turns])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.watch", description=__doc__)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("bench"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    of = setting()
    timed(of, True)  # the first run allocates memory
    turns: list[dict] = []
    for number in range(arguments.turns):
        turn, losses = {}, {}
        for how in ("watched", "alone")[:: -1 if number % 2 else 1]:
            turn[how], losses[how] = timed(of, how == "watched")
        if losses["watched"] != losses["alone"]:
            raise SystemExit("the losses differ")
        turns.append(turn)
        shown = " ".join(f"{how} {seconds['cpu']:.2f} s" for how, seconds in turn.items())
        print(f"turn {number}: {shown} of CPU time", file=sys.stderr)
        about = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "load": os.getloadavg()}
        about |= {"steps": len(losses["alone"]), "watched": len(of.watched), "every": of.watch().every}
        write_json({**about, **summary(turns), "turns": turns}, arguments.out / "watch.json")
    for name, each in summary(turns).items():
        print(f"{name}: {each['median']:.2f} ({each['low']:.2f} to {each['high']:.2f})")


if __name__ == "__main__":
    main()
