"""Step: trains a reward model or a DPO policy from one start on the same pairs, and measures it on held-out ones.

One row per step: step, loss, accuracy (on the step's own pairs), held_out (accuracy; blank between measurements).
"""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.lib import cli
from scripts.lib.config.training import Hyperparameters
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.models import PolicyCard, load_causal, load_tokenizer, read_policy
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_table
from scripts.training.lessons import Example
from scripts.training.loop import train
from scripts.training.reading import examples_of, read_pairs, read_store
from studies.three_d.reward_model import reward
from studies.three_d.reward_model.held_out import TIE, HeldOut, implicit_margins, is_held_out

KINDS = ("rm", "dpo")
COLUMNS = ["step", "loss", "accuracy", "held_out"]

log = logging.getLogger(__name__)


def rows_of(
    kind: str,
    card: PolicyCard,
    seen: Sequence[Example],
    unseen: Sequence[Example],
    spec: Hyperparameters,
    seed: int,
    every: int,
    pad_id: int,
) -> list[dict[str, Any]]:
    """A row per step, and a last one after training, which has held_out alone besides its step."""
    if kind == "rm":
        model, tie = reward.from_policy(card, pad_id, seed), 0.0
        held_out = HeldOut(partial(reward.margins, pairs=unseen), every, tie)
        rows = reward.train(model, seen, spec, seed, held_out)
    else:
        model, tie = load_causal(card), TIE
        held_out = HeldOut(partial(implicit_margins, pairs=unseen, pad_id=pad_id), every, tie)
        rows = train(model, seen, spec, seed, pad_id, stored=card.logprob_precision, watch=held_out)[COLUMNS].to_dict(
            "records"
        )
    end = HeldOut(held_out.margins, 1, tie)(model, 0, len(rows))
    rows = [{**row, "held_out": None if row["held_out"] != row["held_out"] else row["held_out"]} for row in rows]
    return [*rows, {"step": len(rows), "loss": None, "accuracy": None, **end}]


def main() -> None:
    parser = cli.parser_of("studies.three_d.reward_model.run", __doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--spec", type=cli.spec_of(Hyperparameters), required=True, help="JSON of the hyperparameters")
    parser.add_argument("--seed", type=int, required=True, help="of the order of the pairs, and of the new output")
    parser.add_argument("--held-out", type=float, required=True, help="the share of the prompts")
    parser.add_argument("--every", type=int, required=True, help="steps between measurements")
    parser.add_argument("--policy", type=Path, required=True, help="policy.json of the start")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--responses", type=Path, nargs="+", required=True)
    parser.add_argument("--logprobs", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec, card = arguments.spec, read_policy(arguments.policy)
    tokenizer = load_tokenizer(card)
    table = read_table(arguments.pairs, PAIRS)
    store = read_store(table, arguments.prompts, arguments.responses, arguments.logprobs)
    pairs = read_pairs(table, store, tokenizer, card, arguments.pairs)
    examples, dropped = examples_of(pairs, spec.max_length, spec.truncation)
    apart = [is_held_out(store.responses[each.chosen_id][0], arguments.held_out) for each in examples]
    seen = [each for each, out in zip(examples, apart, strict=True) if not out]
    unseen = [each for each, out in zip(examples, apart, strict=True) if out]
    log.info("%d pairs to learn from, %d held out, dropped: %s", len(seen), len(unseen), dict(dropped))
    if not seen or not unseen:
        raise InputError(
            arguments.pairs,
            f"{len(seen)} pairs to learn from and {len(unseen)} held out",
            "give more pairs, or another share to hold out",
        )
    rows = rows_of(arguments.kind, card, seen, unseen, spec, arguments.seed, arguments.every, tokenizer.pad_token_id)
    write_csv(rows, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
