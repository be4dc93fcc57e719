"""One run: trains a policy on a pairs dataset, and stores the measurements of every step.

The reference is the policy that the run starts from, through its stored log-probs: it is never run again. Checkpoints
are outside the outputs; a killed run resumes from the last one and gives the same weights (promise P5).
"""

import argparse
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib import cli
from scripts.lib.chat import Encoded, encode
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.fingerprint import fingerprint
from scripts.lib.ids import Messages
from scripts.lib.models import PolicyCard, load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.schemas import LOGPROBS, PAIRS, PROMPTS, RESPONSES, TRAINING
from scripts.lib.tables import read_table, write_table
from scripts.training.checkpoints import Checkpoints
from scripts.training.loop import Renewal, train
from scripts.training.processes import Processes, joined
from scripts.training.step import Example

REPOSITORY = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Store:
    """The rows that a pairs dataset refers to: id -> prompt, (prompt id, text), token log-probs."""

    prompts: dict[str, Messages]
    responses: dict[str, tuple[str, str]]
    logprobs: dict[str, np.ndarray]


def read_store(
    pairs: pd.DataFrame, prompts: Sequence[Path], responses: Sequence[Path], logprobs: Sequence[Path]
) -> Store:
    """The rows of the tables that ``pairs`` needs; an id that occurs in several files is taken from the first."""
    wanted = set(pairs["chosen_id"]) | set(pairs["rejected_id"])
    store = Store({}, {}, {})
    for path in prompts:
        frame = read_table(path, PROMPTS)
        for key, prompt in zip(frame["prompt_id"], frame["prompt"], strict=True):
            store.prompts.setdefault(key, prompt)
    for path in responses:
        frame = read_table(path, RESPONSES)
        frame = frame[frame["response_id"].isin(wanted)]
        for key, prompt, text in zip(frame["response_id"], frame["prompt_id"], frame["response"], strict=True):
            store.responses.setdefault(key, (prompt, text))
    for path in logprobs:
        frame = read_table(path, LOGPROBS)
        frame = frame[frame["response_id"].isin(wanted)]
        for key, values in zip(frame["response_id"], frame["token_logprobs"], strict=True):
            store.logprobs.setdefault(key, values)
    return store


def examples_of(
    pairs: pd.DataFrame,
    store: Store,
    tokenizer: PreTrainedTokenizerFast,
    card: PolicyCard,
    max_length: int,
    where: Path,
) -> tuple[list[Example], int]:
    """The pairs as token ids with reference log-probs, in the table's order, and how many had no room.

    A pair has no room if its prompt leaves none for a token of the response within ``max_length`` tokens. Raises
    InputError, naming the row of ``where``, for an id that no table has, a response to another prompt, and log-probs
    that are missing or not as many as the response has tokens.
    """
    encoded: dict[str, tuple[Encoded, float] | None] = {}
    examples: list[Example] = []
    rows = zip(pairs["prompt_id"], pairs["chosen_id"], pairs["rejected_id"], strict=True)
    for row, (prompt_id, *response_ids) in enumerate(rows):
        for column, response_id in zip(("chosen_id", "rejected_id"), response_ids, strict=True):
            place = f"{where}, row {row}, {column} {response_id}"
            _refuse_unknown(prompt_id, response_id, store, place)
            if response_id not in encoded:
                encoded[response_id] = _with_reference(response_id, store, tokenizer, card, max_length, place)
        chosen, rejected = (encoded[each] for each in response_ids)
        if chosen and rejected:
            examples.append(Example(*response_ids, chosen[0], rejected[0], chosen[1], rejected[1]))
    return examples, len(pairs) - len(examples)


def _refuse_unknown(prompt_id: str, response_id: str, store: Store, place: str) -> None:
    if response_id not in store.responses:
        raise InputError(place, "is in no responses table", "give the responses.parquet that the pairs are made of")
    of_prompt = store.responses[response_id][0]
    if of_prompt != prompt_id:
        raise InputError(place, f"responds to {of_prompt}, the pair is of {prompt_id}", "make the pairs again")
    if prompt_id not in store.prompts:
        raise InputError(
            place, f"prompt {prompt_id} is in no prompts table", "give the prompts.parquet that the pairs are made of"
        )


def _with_reference(
    response_id: str,
    store: Store,
    tokenizer: PreTrainedTokenizerFast,
    card: PolicyCard,
    max_length: int,
    place: str,
) -> tuple[Encoded, float] | None:
    """A response cut to ``max_length`` and its reference log-probability; None if there is no room for it.

    Log-probs are stored up to the policy's max_length; the first n of them are those of the response cut to n tokens.
    """
    prompt_id, text = store.responses[response_id]
    whole = encode(tokenizer, store.prompts[prompt_id], text, card.max_length)
    stored = store.logprobs.get(response_id, np.empty(0, np.float32))
    if len(stored) != len(whole.response_ids):
        raise InputError(
            place,
            f"has {len(stored)} stored log-probs and {len(whole.response_ids)} tokens under policy {card.name}: "
            "the log-probs are stale, or of other families",
            f"delete results/logprobs/{card.name} and run snakemake again",
        )
    kept = whole.response_ids[: max(0, max_length - len(whole.prompt_ids))]
    if not kept:
        return None
    return Encoded(whole.prompt_ids, kept), float(np.sum(stored[: len(kept)], dtype=np.float64))


def digest_of(step: str, spec: Hyperparameters, seed: int, examples: Sequence[Example], policy: Path) -> str:
    """Hex digest of everything that a run's outcome depends on, except the machine. step: the module that trains it.

    The policy counts through its policy.json, which holds the hashes of its files or names a commit.
    """
    digest = hashlib.sha256()
    head = {
        "spec": spec.model_dump(),
        "seed": seed,
        "policy": policy.read_text(encoding="utf-8"),
        "code": fingerprint(step, REPOSITORY),
        "libraries": [torch.__version__, transformers.__version__],
    }
    digest.update(json.dumps(head, sort_keys=True).encode("utf-8"))
    for each in examples:
        row = [each.chosen_id, each.rejected_id, each.ref_chosen.hex(), each.ref_rejected.hex()]
        digest.update(json.dumps(row).encode("utf-8"))
    return digest.hexdigest()


def arguments_of(step: str, doc: str | None) -> argparse.Namespace:
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
    parser.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of this run's alone; emptied at the end"
    )
    parser.add_argument("--log", type=Path, required=True, help="table of the steps")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained policy")
    return parser.parse_args()


@dataclass(frozen=True)
class Prepared:
    """The inputs of a run, loaded."""

    spec: Hyperparameters
    seed: int
    card: PolicyCard
    tokenizer: PreTrainedTokenizerFast
    model: PreTrainedModel
    store: Store


def perform(step: str, arguments: argparse.Namespace, renewal_of: Callable[[Prepared], Renewal] | None = None) -> None:
    """The run that the command line describes; ``renewal_of`` renews the rejected responses of an online run."""
    with joined() as processes:
        _perform(step, arguments, renewal_of, processes)


def _perform(
    step: str,
    arguments: argparse.Namespace,
    renewal_of: Callable[[Prepared], Renewal] | None,
    processes: Processes | None,
) -> None:
    spec, card = arguments.spec, read_policy(arguments.policy)
    if (spec.online is None) != (renewal_of is None):
        raise InputError("--spec", f"online is {spec.online}", "train offline with train, online with train_online")
    if processes and renewal_of:
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
    pairs = read_table(arguments.pairs, PAIRS)
    store = read_store(pairs, arguments.prompts, arguments.responses, arguments.logprobs)
    examples, dropped = examples_of(pairs, store, tokenizer, card, spec.max_length, arguments.pairs)
    log.info("%d pairs; %d dropped: no room for a response in %d tokens", len(examples), dropped, spec.max_length)
    if not examples:
        raise InputError(arguments.pairs, f"no pair fits {spec.max_length} tokens", "raise training.max_length")

    digest = digest_of(step, spec, arguments.seed, examples, arguments.policy)
    checkpoints = Checkpoints(arguments.checkpoints, digest)
    model = load_causal(card)
    renewal = renewal_of(Prepared(spec, arguments.seed, card, tokenizer, model, store)) if renewal_of else None
    pad_id, stored = tokenizer.pad_token_id, card.logprob_precision
    rows = train(model, examples, spec, arguments.seed, pad_id, checkpoints, renewal, processes, stored)
    if processes:
        weights = processes.whole(model.state_dict())
        if processes.rank:
            return
        model = load_causal(card, device="cpu")
        model.load_state_dict(weights)
    write_table(rows, arguments.log, TRAINING)
    save_policy(
        arguments.out,
        model,
        tokenizer,
        name=arguments.name,
        kind="trained",
        max_length=card.max_length,
        logprob_precision=card.logprob_precision,
    )
    checkpoints.delete()


def main() -> None:
    perform("scripts.training.train", arguments_of("scripts.training.train", __doc__))


if __name__ == "__main__":
    cli.run(main)
