"""Many small GPTs at once: every parameter has a first dimension over runs, and runs do not touch each other.

A prompt is one token; a sequence (runs, batch, 1 + length) is a prompt and its response. The logits at a position are
for the *next* token. No dropout: log-probs of the policy, the reference and the sampler would differ by its noise.
"""

import math

import torch
from torch import Tensor

Parameters = dict[str, Tensor]
"""Name -> (runs, ...)."""
LAYER = ("norm_1", "qkv", "out", "norm_2", "up", "up_bias", "down")
Past = list[tuple[Tensor, Tensor]]
"""Each layer's keys and values of the positions so far, (runs, batch, heads, positions, width / heads)."""


def initial(tokens: int, length: int, layers: int, width: int, generators: list[torch.Generator]) -> Parameters:
    """Parameters as GPT-2 initialises them, one run per generator."""

    def drawn(*shape: int, std: float = 0.02) -> Tensor:
        return torch.stack([std * torch.randn(*shape, generator=each) for each in generators])

    def ones(*shape: int) -> Tensor:
        return torch.ones(len(generators), *shape)

    found = {"token": drawn(tokens, width), "position": drawn(length + 1, width)}
    residual = 0.02 / math.sqrt(2 * layers)
    for layer in range(layers):
        found |= {
            f"{layer}.norm_1": ones(1, width),
            f"{layer}.qkv": drawn(width, 3 * width),
            f"{layer}.out": drawn(width, width, std=residual),
            f"{layer}.norm_2": ones(1, width),
            f"{layer}.up": drawn(width, 4 * width),
            f"{layer}.up_bias": torch.zeros(len(generators), 1, 4 * width),
            f"{layer}.down": drawn(4 * width, width, std=residual),
        }
    return found | {
        "norm": ones(1, width),
        "head": drawn(width, tokens),
        "head_bias": torch.zeros(len(generators), 1, tokens),
    }


def logits_of(parameters: Parameters, heads: int, tokens: Tensor, past: Past | None = None) -> tuple[Tensor, Past]:
    """The logits (runs, batch, positions, vocabulary) after each of some tokens (runs, batch, positions).

    past: of earlier positions, to go on from; with it, there is one new position.
    """
    runs, batch, positions = tokens.shape
    before = past[0][0].shape[3] if past else 0
    width = parameters["token"].shape[-1]
    at = torch.arange(runs)[:, None]
    x = parameters["token"][at, tokens.flatten(1)]
    x = x + parameters["position"][:, before : before + positions].repeat(1, batch, 1)
    now: Past = []
    layer = 0
    while f"{layer}.qkv" in parameters:
        of = {name: parameters[f"{layer}.{name}"] for name in LAYER}
        q, k, v = (
            each.reshape(runs, batch, positions, heads, -1).transpose(2, 3)
            for each in (normed(x, of["norm_1"]) @ of["qkv"]).split(width, dim=-1)
        )
        if past:
            k, v = (torch.cat([old, new], dim=3) for old, new in zip(past[layer], (k, v), strict=True))
        now.append((k, v))
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=not past)
        x = x + y.transpose(2, 3).reshape(runs, batch * positions, width) @ of["out"]
        x = x + torch.relu(normed(x, of["norm_2"]) @ of["up"] + of["up_bias"]) @ of["down"]
        layer += 1
    found = normed(x, parameters["norm"]) @ parameters["head"] + parameters["head_bias"]
    return found.reshape(runs, batch, positions, -1), now


def normed(x: Tensor, scale: Tensor) -> Tensor:
    """Root-mean-square normalisation."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6) * scale


def log_probs(parameters: Parameters, heads: int, sequences: Tensor, shifted: bool = True) -> Tensor:
    """log pi(response | prompt), (runs, batch), of sequences (runs, batch, 1 + length).

    shifted: the log-prob of a token is read where the token before it is the input, as sampling does. Without it, it is
    read where the token itself is the input, as the authors' code does in its losses; the prompt then counts too, and
    the numbers are no log-probs of sequences: their exponentials do not sum to 1.
    """
    inputs, read = (sequences[..., :-1], sequences[..., 1:]) if shifted else (sequences, sequences)
    logits, _ = logits_of(parameters, heads, inputs)
    return (logits.gather(-1, read[..., None])[..., 0] - logits.logsumexp(dim=-1)).sum(dim=-1)


@torch.no_grad()
def sample(parameters: Parameters, heads: int, prompts: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Responses to prompts (runs, batch), and what they were drawn from.

    uniform: numbers in [0, 1), (runs, batch, length), that decide the tokens. Returns the sequences
    (runs, batch, 1 + length), and the mean over positions of the probabilities that each token was drawn from,
    (runs, batch, vocabulary): its product with the tokens' rewards is an estimate of the response's expected reward
    without the noise of the tokens' own drawing.
    """
    sequence, past, mean = [prompts], None, 0.0
    for position in range(uniform.shape[-1]):
        logits, past = logits_of(parameters, heads, sequence[-1][..., None], past)
        chances = logits[..., -1, :].softmax(dim=-1)
        mean = mean + chances / uniform.shape[-1]
        below = chances.cumsum(dim=-1) <= uniform[..., position, None]
        sequence.append(below.sum(dim=-1).clamp(max=chances.shape[-1] - 1))
    return torch.stack(sequence, dim=-1), mean
