"""Noise with which a greedy choice is a multinomial draw, from a seed of each row's own."""

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.ids import seed_of


class GumbelNoise(LogitsProcessor):
    """Temperature, top-k and top-p, then Gumbel noise from each row's seed, the step and the token."""

    def __init__(self, seeds: Sequence[int], prompt_width: int, spec: SamplingSpec) -> None:
        self.seeds = seeds
        self.prompt_width = prompt_width
        self.warpers = [TemperatureLogitsWarper(spec.temperature)] if spec.temperature != 1.0 else []
        self.warpers += [TopKLogitsWarper(spec.top_k)] if spec.top_k else []
        self.warpers += [TopPLogitsWarper(spec.top_p)] if spec.top_p < 1.0 else []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for warper in self.warpers:
            scores = warper(input_ids, scores)
        step = input_ids.shape[1] - self.prompt_width
        keys = torch.tensor([seed_of(seed, step) for seed in self.seeds], device=scores.device)
        return scores.double() + gumbel(keys, scores.shape[1])


def gumbel(keys: torch.Tensor, size: int) -> torch.Tensor:
    """Standard Gumbel noise (rows, size) in float64 from int64 keys (rows,), the same on every device.

    The first ``size`` outputs of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) seeded with each key; integer tensors
    wrap around, as the generator requires. One torch generator per row would run only on the CPU, or give other numbers
    on a GPU.
    """
    steps = torch.arange(1, size + 1, device=keys.device)
    bits = keys.unsqueeze(1) + steps * _signed(0x9E3779B97F4A7C15)
    bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
    bits = bits ^ _shifted(bits, 31)
    uniform = (_shifted(bits, 12).double() + 0.5) * 2.0**-52
    return -(-uniform.log()).log()


def _signed(constant: int) -> int:
    return constant - (1 << 64)


def _shifted(bits: torch.Tensor, by: int) -> torch.Tensor:
    """Logical right shift of int64, whose own shift repeats the sign bit."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
