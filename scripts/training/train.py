"""One run: trains a policy on a pairs dataset, and stores the measurements of every step.

The reference is the policy that the run starts from, through its stored log-probs: it is never run again. Checkpoints
are outside the outputs; a killed run resumes from the last one and gives the same weights (promise P5).
"""

import argparse
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib import cli
from scripts.lib.config.training import Hyperparameters
from scripts.lib.encoding import digest_of_tokens
from scripts.lib.errors import InputError
from scripts.lib.fingerprint import fingerprint
from scripts.lib.models import PolicyCard, load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.schemas import PAIRS, TRAINING
from scripts.lib.tables import card_of, read_table, write_json, write_table
from scripts.training.checkpoints import Checkpoints
from scripts.training.lessons import Example
from scripts.training.loop import train
from scripts.training.processes import Processes, joined, whole_model
from scripts.training.reading import Store, examples_of, read_pairs, read_store, truncated
from scripts.training.renewal import Renewal
from scripts.training.watch import Watch, read_watched

REPOSITORY = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


def digest_of(
    step: str, spec: Hyperparameters, seed: int, examples: Sequence[Example], policy: Path, told: Sequence[str] = ()
) -> str:
    """Hex digest of everything that a run's outcome depends on, except the machine. step: the module that trains it.

    The policy counts through its policy.json, which holds the hashes of its files or names a commit. told: texts
    that tell it from other online runs.
    """
    digest = hashlib.sha256()
    head = {
        "spec": spec.model_dump(),
        "seed": seed,
        "policy": policy.read_text(encoding="utf-8"),
        "told": list(told),
        "code": fingerprint(step, REPOSITORY),
        "libraries": [torch.__version__, transformers.__version__],
    }
    digest.update(json.dumps(head, sort_keys=True).encode("utf-8"))
    for each in examples:
        tokens = [digest_of_tokens(each.chosen), digest_of_tokens(each.rejected)]
        row = [each.chosen_id, each.rejected_id, each.ref_chosen.hex(), each.ref_rejected.hex(), *tokens]
        digest.update(json.dumps(row).encode("utf-8"))
    return digest.hexdigest()


def one_of_each_prompt(examples: Sequence[Example], store: Store) -> list[Example]:
    """The first pair of each prompt, in order."""
    found: dict[str, Example] = {}
    for each in examples:
        found.setdefault(store.responses[each.chosen_id][0], each)
    return list(found.values())


def card_of_run(name: str, examples: Sequence[Example], dropped: Counter, store: Store) -> dict[str, Any]:
    """What a run learns from, and what not."""
    learnt = {each for example in examples for each in (example.chosen_id, example.rejected_id)}
    return {
        "run": name,
        "pairs": len(examples),
        "dropped": dict(sorted(dropped.items())),
        "responses": len(learnt),
        "cut_when_sampled": sum(not store.responses[each][2] for each in learnt),
    }


def parser_of(step: str, doc: str | None) -> argparse.ArgumentParser:
    """The command line of a run."""
    parser = cli.parser_of(step, doc)
    parser.add_argument("--name", required=True, help="the run's name, and that of the policy it makes")
    parser.add_argument("--spec", type=cli.spec_of(Hyperparameters), required=True, help="JSON of the hyperparameters")
    parser.add_argument("--seed", type=int, required=True, help="of the order of the pairs")
    parser.add_argument("--policy", type=Path, required=True, help="policy.json of the policy to start from")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--responses", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--logprobs", type=Path, nargs="+", required=True, help="of the families that the pairs draw on"
    )
    parser.add_argument("--watched", type=Path, help="responses table, of which some that no pair holds are watched")
    parser.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of this run's alone; emptied at the end"
    )
    parser.add_argument(
        "--log", type=Path, required=True, help="table of the steps; the card of what is learnt is written next to it"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained policy")
    return parser


@dataclass(frozen=True)
class Prepared:
    """The inputs of a run, loaded."""

    spec: Hyperparameters
    seed: int
    card: PolicyCard
    tokenizer: PreTrainedTokenizerFast
    model: PreTrainedModel
    store: Store


@dataclass(frozen=True)
class Sampled:
    """What an online run learns from. renewal_of: makes its batches. told: texts that tell it from others, besides its
    hyperparameters. prompts_only: whether all that it takes from its pairs is their prompts, each once.
    """

    renewal_of: Callable[[Prepared], Renewal]
    told: Sequence[str] = ()
    prompts_only: bool = False


def perform(step: str, arguments: argparse.Namespace, sampled: Sampled | None = None) -> None:
    """The run that the command line describes; ``sampled`` if it is online."""
    with joined() as processes:
        _perform(step, arguments, sampled, processes)


def _perform(step: str, arguments: argparse.Namespace, sampled: Sampled | None, processes: Processes | None) -> None:
    spec, card = arguments.spec, read_policy(arguments.policy)
    if (spec.online is None) != (sampled is None):
        raise InputError("--spec", f"online is {spec.online}", "train offline with train, online with train_online")
    if processes and sampled:
        raise InputError(
            step, f"{processes.count} processes, and online runs take one", "set the resource gpu of train_online to 1"
        )
    if spec.max_length > card.max_length:
        raise InputError(
            "--spec",
            f"max_length {spec.max_length} is above the {card.max_length} of policy {card.name}'s log-probs",
            "lower training.max_length, or raise the policy's",
        )
    tokenizer = load_tokenizer(card)
    table = read_table(arguments.pairs, PAIRS)
    store = read_store(table, arguments.prompts, arguments.responses, arguments.logprobs)
    pairs = read_pairs(table, store, tokenizer, card, arguments.pairs)
    examples, dropped = examples_of(pairs, spec.max_length, spec.truncation)
    found = card_of_run(arguments.name, examples, dropped, store)
    found |= {"truncation": {"choice": spec.truncation, **truncated(pairs, spec.max_length)}}
    log.info("%s", found)
    if not examples:
        raise InputError(
            arguments.pairs,
            f"no pair fits {spec.max_length} tokens with truncation {spec.truncation} ({dict(dropped)})",
            "raise training.max_length, or set training.truncation to cut",
        )

    if sampled and sampled.prompts_only:
        examples = one_of_each_prompt(examples, store)
    digest = digest_of(step, spec, arguments.seed, examples, arguments.policy, sampled.told if sampled else ())
    checkpoints = Checkpoints(arguments.checkpoints, digest)
    model = load_causal(card)
    renewal = sampled.renewal_of(Prepared(spec, arguments.seed, card, tokenizer, model, store)) if sampled else None
    pad_id, stored = tokenizer.pad_token_id, card.logprob_precision
    watched = read_watched(arguments.watched, store, tokenizer, card, spec) if arguments.watched else []
    tokens = sum(each.tokens for each in examples) * spec.batch_pairs / len(examples)
    watch = Watch(watched, spec, pad_id, tokens) if watched else None
    found |= {"watched": {"responses": len(watched), "every": watch.every if watch else None}}
    rows = train(model, examples, spec, arguments.seed, pad_id, checkpoints, renewal, processes, stored, watch)
    model = whole_model(model, card, processes)
    if model is None:
        return
    write_table(rows, arguments.log, TRAINING)
    write_json(found, card_of(arguments.log))
    save_policy(
        arguments.out,
        model,
        tokenizer,
        name=arguments.name,
        kind="trained",
        max_length=card.max_length,
        logprob_precision=card.logprob_precision,
        rules=card.rules,
    )
    checkpoints.delete()


def main() -> None:
    perform("scripts.training.train", parser_of("scripts.training.train", __doc__).parse_args())


if __name__ == "__main__":
    cli.run(main)
