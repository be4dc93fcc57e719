"""Samples a policy's responses to every prompt of a table: SamplingSpec.samples per prompt, each with its own seed.

A response may be empty: it is stored as the empty text, never as null, so that every prompt has its rows. One that was
cut at max_new_tokens is marked as not finished, and is learnt without an end of its turn; the card counts them. If the
samples are to be scored and paired, their distinct non-empty responses form a family.
"""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib.cli import parser_of, run, spec_of
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.encoding import Encoder
from scripts.lib.ids import normalise, response_id
from scripts.lib.models import load_tokenizer, read_policy
from scripts.lib.pieces import Pieces, digest_of
from scripts.lib.sampling import Sample, sampler_of
from scripts.lib.schemas import PROMPTS, RESPONSES, SAMPLES
from scripts.lib.tables import card_of, read_table, write_json, write_table
from scripts.samples.gather import distinct

log = logging.getLogger(__name__)


def table_of(samples: list[Sample], family: str) -> pd.DataFrame:
    """Samples as rows of the samples table, their texts normalised."""
    texts = [normalise(each.text) for each in samples]
    return pd.DataFrame(
        {
            "response_id": [
                response_id(each.prompt_id, text, each.finished) for each, text in zip(samples, texts, strict=True)
            ],
            "prompt_id": [each.prompt_id for each in samples],
            "family": family,
            "response": texts,
            "finished": [each.finished for each in samples],
            "seed": [each.seed for each in samples],
            "sample": [each.sample for each in samples],
        }
    )


def card_of_samples(samples: list[Sample], refused: Counter, spelt: int) -> dict[str, Any]:
    """What became of the prompts: counts of samples; of prompts, those refused, by reason, and with control tokens."""
    texts = [normalise(each.text) for each in samples]
    return {
        "samples": len(samples),
        "empty": texts.count(""),
        "cut_at_max_new_tokens": sum(
            bool(text) and not each.finished for text, each in zip(texts, samples, strict=True)
        ),
        "read_as_other_tokens": sum(not each.as_drawn for each in samples),
        "prompts_with_control_in_text": spelt,
        "refused_prompts": dict(refused),
    }


def shard_of(prompts: pd.DataFrame, shard: int, shards: int) -> pd.DataFrame:
    """Part number ``shard``, counted from 1, of a table cut into ``shards`` consecutive parts of nearly equal size."""
    first, end = (len(prompts) * at // shards for at in (shard - 1, shard))
    return prompts.iloc[first:end]


def some_of(prompts: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """So many prompts, in the table's order: those with the smallest ids, which are hashes."""
    return prompts[prompts["prompt_id"].isin(sorted(prompts["prompt_id"])[:limit])]


def main() -> None:
    parser = parser_of("scripts.samples.sample", __doc__)
    parser.add_argument("--policy", type=Path, required=True, help="policy.json")
    parser.add_argument("--family", required=True, help="the family that the samples are")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts.parquet")
    parser.add_argument("--limit", type=int, help="answer so many of them, chosen by their ids")
    parser.add_argument("--shard", type=int, nargs=2, default=(1, 1), help="which part of how many: 2 4 is the second")
    parser.add_argument("--spec", type=spec_of(SamplingSpec), required=True, help="SamplingSpec as JSON")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for this job alone; empty at its end")
    parser.add_argument(
        "--out", type=Path, required=True, help="the samples table to write; its card is written next to it"
    )
    parser.add_argument("--responses", type=Path, help="the distinct responses are written here")
    arguments = parser.parse_args()

    asked = some_of(read_table(arguments.prompts, PROMPTS), arguments.limit)
    prompts = shard_of(asked, *arguments.shard)
    ids, rows = prompts["prompt_id"].tolist(), prompts.index
    policy_card = read_policy(arguments.policy)
    encoder = Encoder(load_tokenizer(policy_card), policy_card.rules)
    # before the model is loaded, so that a refusal comes early
    encoder.prompts(prompts["prompt"].tolist(), lambda at: f"{arguments.prompts}, row {rows[at]}, prompt {ids[at]}")
    sampler = sampler_of(policy_card, arguments.spec)
    policy = arguments.policy.read_text(encoding="utf-8")
    digest = digest_of("scripts.samples.sample", arguments.spec.model_dump(), policy, ids)
    pieces = Pieces(arguments.checkpoints, digest)
    samples = sampler.sample(prompts["prompt"].tolist(), ids, arguments.spec, pieces)
    frame = table_of(samples, arguments.family)
    card = card_of_samples(samples, encoder.dropped, encoder.spelt)
    log.info("%s: %s", arguments.family, card)
    write_table(frame, arguments.out, SAMPLES)
    write_json(card, card_of(arguments.out))
    if arguments.responses:
        write_table(distinct(frame), arguments.responses, RESPONSES)
    pieces.delete()


if __name__ == "__main__":
    run(main)
