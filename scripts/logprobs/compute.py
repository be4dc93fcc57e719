"""Per-token log-probabilities of every response of a family under a policy.

A response is cut so that prompt and response fit the policy's max_length. A response that was sampled and cut short has
no end of its turn. A response whose prompt leaves no room for one token has no row, and neither has one that the chat
template refuses, if the policy drops them; the card next to the table counts them.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel

from scripts.lib.batching import by_tokens
from scripts.lib.capability import reason_against
from scripts.lib.chat import Answer, Encoded
from scripts.lib.cli import parser_of, run
from scripts.lib.encoding import Encoder, digest_of_tokens
from scripts.lib.errors import InputError
from scripts.lib.head import Head
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.packing import pack_prompts, packed_logprobs, rows_by_prompt
from scripts.lib.pieces import Pieces, digest_of, in_batches
from scripts.lib.schemas import LOGPROBS, PROMPTS, RESPONSES
from scripts.lib.tables import card_of, read_table, write_json, write_table
from scripts.lib.threads import cpu_threads

log = logging.getLogger(__name__)


@torch.inference_mode()
def logprobs_of(
    model: PreTrainedModel,
    sequences: list[Encoded],
    pad_id: int,
    batch_tokens: int,
    pieces: Pieces | None = None,
) -> list[np.ndarray]:
    """Per-token log-probs of each sequence's response, as float32 arrays in the order given.

    The responses to a prompt share one pass over it, in packed rows without padding, if the model allows it
    (:mod:`scripts.lib.capability`); otherwise batches of similar length are padded.
    """
    head = Head(model.get_output_embeddings(), model.dtype)

    def packed(row: list[int]) -> list[np.ndarray]:
        packed_row = pack_prompts([sequences[at] for at in row], model.device)
        return [each.cpu().numpy() for each in packed_logprobs(model, head, packed_row)]

    def padded(batch: list[int]) -> list[np.ndarray]:
        found = token_logprobs(model, [sequences[at] for at in batch], pad_id)
        return [values.cpu().numpy() for values in found]

    if not sequences:
        return []
    if reason := reason_against(model, max(map(len, sequences)), pad_id):
        log.info("batches are padded: %s", reason)
        values = in_batches(by_tokens([len(each) for each in sequences], batch_tokens), padded, "log-probs", pieces)
    else:
        values = in_batches(rows_by_prompt(sequences, batch_tokens), packed, "log-probs", pieces)
    return [values[at] for at in range(len(sequences))]


def family_of_responses(prompts: pd.DataFrame, responses: pd.DataFrame, family: str, where: Path) -> pd.DataFrame:
    """The family's responses with their prompts (prompt), in the order of the table, whose row numbers are kept."""
    chosen = responses[responses["family"] == family]
    if chosen.empty:
        known = ", ".join(sorted(set(responses["family"])))
        raise InputError(where, f"no response of family {family}", f"name one of its families: {known}")
    texts = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    orphans = ~chosen["prompt_id"].isin(texts)
    if orphans.any():
        row = int(orphans[orphans].index[0])
        raise InputError(
            f"{where}, row {row}", "its prompt_id is not among the prompts", "give the prompts of the same prompt set"
        )
    return chosen.assign(prompt=[texts[prompt_id] for prompt_id in chosen["prompt_id"]])


def main() -> None:
    parser = parser_of("scripts.logprobs.compute", __doc__)
    parser.add_argument("--policy", type=Path, required=True, help="policy.json")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts.parquet of a prompt set")
    parser.add_argument("--responses", type=Path, required=True, help="responses.parquet of the same prompt set")
    parser.add_argument("--family", required=True, help="the family whose responses are scored")
    parser.add_argument("--batch-tokens", type=int, required=True, help="tokens a batch")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for this job alone; empty at its end")
    parser.add_argument(
        "--out", type=Path, required=True, help="the log-probs table to write; its card is written next to it"
    )
    arguments = parser.parse_args()

    card = read_policy(arguments.policy)
    prompts = read_table(arguments.prompts, PROMPTS)
    responses = read_table(arguments.responses, RESPONSES)
    rows = family_of_responses(prompts, responses, arguments.family, arguments.responses)

    tokenizer = load_tokenizer(card)
    encoder = Encoder(tokenizer, card.rules)
    answers = [Answer(*row) for row in zip(rows["prompt"], rows["response"], rows["finished"], strict=True)]
    numbers, ids, of_prompts = (rows.index.tolist(), rows["response_id"].tolist(), rows["prompt_id"].tolist())
    whole = encoder.answers(
        answers, lambda at: f"{arguments.responses}, row {numbers[at]}, prompt {of_prompts[at]}, response {ids[at]}"
    )
    encoded = [None if each is None else each.cut(card.max_length) for each in whole]
    kept = [at for at, each in enumerate(encoded) if each and each.response_ids]
    found = {
        "policy": card.name,
        "family": arguments.family,
        "responses": len(kept),
        "max_length": card.max_length,
        "threads": cpu_threads(),
        "cut_at_max_length": sum(len(whole[at]) > card.max_length for at in kept),
        "cut_when_sampled": sum(not answers[at].finished for at in kept),
        "control_in_text": encoder.spelt,
        "dropped": {"no_room_in_max_length": sum(each is not None for each in whole) - len(kept), **encoder.dropped},
    }
    log.info("%s", found)
    model = load_causal(card, card.logprob_precision)
    policy = arguments.policy.read_text(encoding="utf-8")
    ids = [ids[at] for at in kept]
    pieces = Pieces(arguments.checkpoints, digest_of("scripts.logprobs.compute", policy, arguments.batch_tokens, ids))
    sequences = [encoded[at] for at in kept]
    values = logprobs_of(model, sequences, tokenizer.pad_token_id, arguments.batch_tokens, pieces)
    tokens = [digest_of_tokens(each) for each in sequences]
    frame = pd.DataFrame({"response_id": ids, "token_logprobs": values, "tokens": tokens})
    write_table(frame, arguments.out, LOGPROBS)
    write_json(found, card_of(arguments.out))
    pieces.delete()


if __name__ == "__main__":
    run(main)
