"""Trains a small policy from random weights: its tokenizer, then a Llama on a prompt set's responses.

With a `words` tokenizer the loss is only on the responses: the didactic world's prompts are random, and learning them
would cost steps. With a `bpe` tokenizer the loss is on prompts too: a model without any pretraining learns its language
from little text, and needs all of it. Responses of which nothing fits max_length are left out; the log counts them.
"""

import logging
from pathlib import Path

import pandas as pd
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from scripts.lib.chat import Answer, Encoded
from scripts.lib.cli import parser_of, run, spec_of
from scripts.lib.config.policies import ScratchPolicy
from scripts.lib.encoding import Encoder
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import device, save_policy
from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.scratch import fit, tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_table

log = logging.getLogger(__name__)


def demonstrations(prompts: pd.DataFrame, responses: pd.DataFrame, share: float) -> list[Answer]:
    """The responses to the given share of the prompts: those with the lowest hashes of their ids."""
    ids = sorted(prompts["prompt_id"], key=lambda prompt_id: seed_of("demonstration", prompt_id))
    chosen = set(ids[: round(share * len(ids))])
    texts = dict(zip(prompts["prompt_id"], prompts["prompt"], strict=True))
    rows = zip(responses["prompt_id"], responses["response"], responses["finished"], strict=True)
    return [Answer(texts[prompt_id], *row) for prompt_id, *row in rows if prompt_id in chosen]


def training_sequences(tokenizer: PreTrainedTokenizerFast, answers: list[Answer], spec: ScratchPolicy) -> list[Encoded]:
    """The training sequences: the tokens in ``response_ids`` are learned, given those in ``prompt_ids``."""
    encoder = Encoder(tokenizer)
    encoded = [
        each.cut(spec.max_length)
        for each in encoder.answers(answers, lambda at: f"demonstration {at} of {spec.demonstrations}")
    ]
    kept = [each for each in encoded if each.response_ids]
    log.info("%d demonstrations, %d left out: their prompts fill max_length", len(kept), len(encoded) - len(kept))
    if spec.tokenizer == "words":
        return kept
    return [Encoded(each.prompt_ids[:1], each.prompt_ids[1:] + each.response_ids) for each in kept]


def train(model: LlamaForCausalLM, sequences: list[Encoded], spec: ScratchPolicy, pad_id: int) -> None:
    """Train ``model`` in place to minimise the mean negative log-likelihood of a batch's tokens."""

    def loss_of(batch: list[int]) -> torch.Tensor:
        return -torch.cat(token_logprobs(model, [sequences[at] for at in batch], pad_id)).mean()

    for step, steps, loss in fit(model, [len(each) for each in sequences], loss_of, spec):
        if step % max(1, steps // 20) == 0:
            log.info("step %d of %d: loss %.4f", step, steps, loss)


def main() -> None:
    parser = parser_of("scripts.training.pretrain", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--spec", type=spec_of(ScratchPolicy), required=True, help="ScratchPolicy as JSON")
    parser.add_argument("--prompts", type=Path, required=True, help="prompts.parquet of the demonstrations")
    parser.add_argument("--responses", type=Path, required=True, help="responses.parquet of the demonstrations")
    parser.add_argument("--out", type=Path, required=True, help="the policy's folder")
    arguments = parser.parse_args()
    spec = arguments.spec

    prompts = read_table(arguments.prompts, PROMPTS)
    responses = read_table(arguments.responses, RESPONSES)
    texts = [turn["content"] for prompt in prompts["prompt"] for turn in prompt] + responses["response"].tolist()
    tokenizer = train_tokenizer(spec.tokenizer, texts, spec.vocabulary)
    log.info("tokenizer: %d tokens", len(tokenizer))

    sequences = training_sequences(tokenizer, demonstrations(prompts, responses, spec.share), spec)
    if not sequences:
        raise InputError(arguments.responses, "nothing to learn from", "raise the policy's share or max_length")
    torch.manual_seed(spec.seed)
    model = LlamaForCausalLM(tiny_llama_config(spec, tokenizer, spec.max_length)).to(device())
    log.info("model: %d parameters", model.num_parameters())
    train(model, sequences, spec, tokenizer.pad_token_id)
    save_policy(
        arguments.out,
        model,
        tokenizer,
        name=arguments.name,
        kind=spec.kind,
        max_length=spec.max_length,
        logprob_precision=spec.logprob_precision,
    )


if __name__ == "__main__":
    run(main)
