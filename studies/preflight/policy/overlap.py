"""How alike the two responses of each pair are to the policy: in their tokens, and in its last hidden layer.

With h(y) the sum of the last hidden states that predict the tokens of y (the inputs of the head), and |y| its tokens:

ches            <h(y+), h(y-)> - |h(y+)|^2: "Unintentional Unalignment" (arXiv 2410.08847), its CHES score
ches_by_length  <h(y+), h(y-)> / (|y+| |y-|) - |h(y+)|^2 / |y+|^2: the same of means, its length-normalised variant
push            |g+|^2 - <g+, g->, over |g+|^2, where g is the gradient of log pi(y) by the head's matrix: what a step
                on this pair alone does to log pi(y+), as a share of what a step on y+ alone would do. A negative push
                lowers the likelihood of the chosen response: the pair displaces it. CHES scores put pairs in order and
                have no zero that means anything; this has one.
token_overlap   2 |A and B| / (|A| + |B|) of the two multisets of tokens
shared_prefix   tokens before the two differ
same_tokens     1 where they are the same tokens, else 0
"""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from transformers import PreTrainedModel

from scripts.lib import cli
from scripts.lib.capability import reason_against
from scripts.lib.chat import Answer, Encoded
from scripts.lib.encoding import Encoder
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.packing import hidden_states, pack, packed_attention, rows_by_tokens
from scripts.lib.pieces import Pieces, digest_of, in_batches
from scripts.lib.schemas import RESPONSES
from scripts.lib.tables import read_table
from scripts.lib.texts import texts_of_pairs
from studies.preflight.measures import write_frame
from studies.preflight.policy.displacement import OF_HIDDEN, OF_TOKENS

Pair = tuple[Encoded, Encoded]
VOCABULARY = 1 << 13
"""Columns of the head's matrix at a time: the logits of a pair are never in memory as a whole."""


def of_tokens(pair: Pair) -> dict[str, float]:
    """OF_TOKENS of a pair as it is trained on, cut and with the end of turn."""
    chosen, rejected = (each.response_ids for each in pair)
    prefix = next((at for at, both in enumerate(zip(chosen, rejected, strict=False)) if both[0] != both[1]), None)
    common = (Counter(chosen) & Counter(rejected)).total()
    return {
        "shared_prefix": min(len(chosen), len(rejected)) if prefix is None else prefix,
        "token_overlap": 2 * common / (len(chosen) + len(rejected)),
        "same_tokens": float(chosen == rejected),
    }


def of_hidden(states: Sequence[Tensor], targets: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> list[float]:
    """OF_HIDDEN of a pair, chosen first.

    states: (tokens, hidden) of either response, float32; targets: its tokens. weight: the head's, (vocabulary, hidden).
    """
    both, tokens, chosen = torch.cat(list(states)), torch.cat(list(targets)), len(states[0])
    gram = (both @ both.T).double()
    own, across = gram[:chosen, :chosen].sum(), gram[:chosen, chosen:].sum()
    of_steps = gram * _logit_gradients(both, tokens, weight, bias)
    force, against = of_steps[:chosen, :chosen].sum(), of_steps[:chosen, chosen:].sum()
    rejected = len(both) - chosen
    return [
        float(across - own),
        float(across / (chosen * rejected) - own / chosen**2),
        float((force - against) / force) if force > 0 else math.nan,
    ]


def _logit_gradients(states: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """<e(y_k) - p_k, e(y_l) - p_l> for all positions k and l: (tokens, tokens), float64.

    In one pass over the vocabulary: sums so far are relative to the largest logit so far, as in an online softmax.
    """
    largest = states.new_full((len(states), 1), -math.inf)
    total = torch.zeros(len(states), 1, dtype=torch.float64, device=states.device)
    alike = torch.zeros(len(states), len(states), dtype=torch.float64, device=states.device)
    for start in range(0, len(weight), VOCABULARY):
        logits = states @ weight[start : start + VOCABULARY].T
        if bias is not None:
            logits += bias[start : start + VOCABULARY]
        larger = torch.maximum(largest, logits.amax(1, keepdim=True))
        p, before = logits.sub_(larger).exp_(), (largest - larger).double().exp()
        total = total * before + p.sum(1, keepdim=True)
        alike = alike * before * before.T + p @ p.T
        largest = larger
    at = states @ weight[tokens].T  # (k, l): the logit at k of the token at l
    p = ((at if bias is None else at + bias[tokens]) - largest).double().exp() / total
    return (tokens[:, None] == tokens[None, :]).double() - p - p.T + alike / total / total.T


@torch.inference_mode()
def compared(
    model: PreTrainedModel, pairs: list[Pair], pad_id: int, batch_tokens: int, pieces: Pieces | None = None
) -> list[list[float]]:
    """OF_HIDDEN of every pair, in packed rows if the model allows it, else pair by pair."""
    if not pairs:
        return []
    head = model.get_output_embeddings()
    weight = head.weight.float()
    bias = head.bias.float() if getattr(head, "bias", None) is not None else None
    longest = max(len(each) for pair in pairs for each in pair)
    is_packed = reason_against(model, longest, pad_id) is None

    def work(row: list[int]) -> list[list[float]]:
        states = iter((_packed if is_packed else _padded)(model, [pairs[at] for at in row], pad_id))
        found = []
        for at in row:
            targets = [torch.tensor(each.response_ids, device=weight.device) for each in pairs[at]]
            found.append(of_hidden([next(states).float(), next(states).float()], targets, weight, bias))
        return found

    sizes = [sum(map(len, pair)) for pair in pairs]
    rows = rows_by_tokens(sizes, batch_tokens) if is_packed else [[at] for at in range(len(pairs))]
    values = in_batches(rows, work, "hidden states", pieces)
    return [list(map(float, values[at])) for at in range(len(pairs))]


def _packed(model: PreTrainedModel, pairs: Sequence[Pair], _pad_id: int) -> list[Tensor]:
    row = pack(pairs, model.device)
    with packed_attention(model):
        return list(hidden_states(model, row).split(row.lengths))


def _padded(model: PreTrainedModel, pairs: Sequence[Pair], pad_id: int) -> list[Tensor]:
    """Padded on the right, so that no token attends to padding: what reaches the head is caught there."""
    sequences = [each for pair in pairs for each in pair]
    width = max(map(len, sequences))
    ids = [each.prompt_ids + each.response_ids + [pad_id] * (width - len(each)) for each in sequences]
    seen: list[Tensor] = []
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        model(input_ids=torch.tensor(ids, device=model.device), use_cache=False)
    finally:
        hook.remove()
    return [seen[0][at, len(each.prompt_ids) - 1 : len(each) - 1] for at, each in enumerate(sequences)]


def _finished(responses: Sequence[Path]) -> dict[str, bool]:
    """Response id -> whether it ends its turn; one that was cut short is compared without an end."""
    tables = [read_table(path, RESPONSES, ["response_id", "finished"]) for path in responses]
    return {key: value for table in tables for key, value in zip(table["response_id"], table["finished"], strict=True)}


def main() -> None:
    parser = cli.parser_of("studies.preflight.policy.overlap", __doc__)
    parser.add_argument("--policy", type=Path, required=True, help="policy.json")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True, help="the prompts behind the pairs")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the responses behind the pairs")
    parser.add_argument("--max-length", type=int, required=True, help="tokens of prompt and response when training")
    parser.add_argument("--batch-tokens", type=int, required=True, help="tokens a batch")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder for this job alone; empty at its end")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    card = read_policy(arguments.policy)
    tokenizer = load_tokenizer(card)
    texts = texts_of_pairs([arguments.pairs], arguments.prompts, arguments.responses)
    finished = _finished(arguments.responses)
    answers = [
        Answer(each.prompt, text, finished[key])
        for each in texts
        for key, text in ((each.chosen_id, each.chosen), (each.rejected_id, each.rejected))
    ]
    encoded = Encoder(tokenizer, card.rules).answers(answers, lambda at: f"{arguments.pairs}, row {at // 2}")
    cut = [None if each is None else each.cut(arguments.max_length) for each in encoded]
    sides = [(cut[at], cut[at + 1]) for at in range(0, len(cut), 2)]
    kept = {at: pair for at, pair in enumerate(sides) if all(each and each.response_ids for each in pair)}
    model = load_causal(card, card.logprob_precision)
    policy = arguments.policy.read_text(encoding="utf-8")
    job = [policy, arguments.max_length, arguments.batch_tokens, [texts[at].ids for at in kept]]
    pieces = Pieces(arguments.checkpoints, digest_of("studies.preflight.policy.overlap", *job))
    values = compared(model, list(kept.values()), tokenizer.pad_token_id, arguments.batch_tokens, pieces)
    rows = [
        {"pair": at, **of_tokens(pair), **dict(zip(OF_HIDDEN, value, strict=True))}
        for (at, pair), value in zip(kept.items(), values, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["pair", *OF_TOKENS, *OF_HIDDEN])
    write_frame(frame.set_index("pair").reindex(range(len(texts))).reset_index(), arguments.out)
    pieces.delete()


if __name__ == "__main__":
    cli.run(main)
