"""The toy policy: one-hot prompt -> three-layer network -> categorical distribution over responses; many at once.

Weights are a list of tensors (instances, ...): instances share nothing, so that one step trains all of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from studies.three_d.toy.setting import PROMPTS, RESPONSES

FIT_STEPS, FIT_RATE, FIT_TOLERANCE = 3000, 2e-2, 1e-3
"""Of the fit to the initial likelihoods: the most steps, Adam's first learning rate, the largest error accepted."""


def initial(width: int, seeds: Sequence[int]) -> list[Tensor]:
    """Weights and biases (seeds, ...) of a network with two hidden layers, drawn as PyTorch's Linear draws them."""
    shapes = [(PROMPTS, width), (width,), (width, width), (width,), (width, RESPONSES), (RESPONSES,)]
    fans = [PROMPTS, PROMPTS, width, width, width, width]

    def of(seed: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed_of("three_d", "weights", width, seed))
        return [
            (2 * torch.rand(shape, generator=generator) - 1) / fan**0.5 for shape, fan in zip(shapes, fans, strict=True)
        ]

    return [torch.stack(each) for each in zip(*map(of, seeds), strict=True)]


def log_likelihoods(weights: Sequence[Tensor]) -> Tensor:
    """log pi(response | prompt), (instances, 4, 10). The first layer of a one-hot input is a row of its weights."""
    first, first_bias, second, second_bias, third, third_bias = weights
    hidden = torch.relu(first + first_bias[:, None])
    hidden = torch.relu(torch.baddbmm(second_bias[:, None], hidden, second))
    return torch.log_softmax(torch.baddbmm(third_bias[:, None], hidden, third), dim=-1)


def fitted(weights: Sequence[Tensor], labels: Tensor) -> list[Tensor]:
    """The weights after training on labels (instances, 10), the same for every prompt, with cross-entropy.

    Raises InputError if a likelihood is then further than FIT_TOLERANCE from its label.
    """
    free = [each.clone().requires_grad_() for each in weights]
    target = labels.float()[:, None]
    optimiser = torch.optim.Adam(free, FIT_RATE, fused=True)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.01 ** (1 / FIT_STEPS))
    for _ in range(FIT_STEPS):
        logps = log_likelihoods(free)
        error = (logps.detach().exp() - target).abs().max().item()
        if error < FIT_TOLERANCE / 2:
            break
        optimiser.zero_grad()
        (-(target * logps).sum()).backward()
        optimiser.step()
        decay.step()
    if error > FIT_TOLERANCE:
        raise InputError("three_d", f"a network's initial likelihoods are off by {error:.3f}", "raise its width")
    return [each.detach() for each in free]
