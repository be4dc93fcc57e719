"""How a categorical distribution moves to a target under the two KL divergences: rates, and gradient flow.

p is the distribution, q its target, arrays (..., bins) with full support. Time is in units of the learning rate: one
step of gradient descent with learning rate h takes the time h. Two gradients:

logits   the gradient in softmax logits, which training takes
natural  the gradient under the Fisher metric, which does not depend on parameters; its flows have closed forms
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP = 0.05
"""Of the integration of a flow, in units of time."""


def kl(one: Array, other: Array) -> Array:
    """KL(one || other), (..., 1)."""
    return (one * np.log(one / other)).sum(axis=-1, keepdims=True)


def apart(one: Array, other: Array) -> Array:
    """Total variation (...)."""
    return 0.5 * np.abs(one - other).sum(axis=-1)


def forward(p: Array, q: Array) -> Array:
    """What descent on KL(q || p), the expected loss of maximum likelihood, does to the logits, per unit of time."""
    return q - p


def reverse(p: Array, q: Array) -> Array:
    """What descent on KL(p || q) does to the logits, per unit of time: each rate has its bin's mass as a factor."""
    return p * (np.log(q / p) + kl(p, q))


OBJECTIVES: dict[str, Callable[[Array, Array], Array]] = {"forward KL": forward, "reverse KL": reverse}
"""Objective -> its descent in logits."""


def of_mass(p: Array, logits: Array) -> Array:
    """The rates of the bins' masses, from those of the logits."""
    return p * (logits - (p * logits).sum(axis=-1, keepdims=True))


def flow(objective: str, start: Array, q: Array, times: Array) -> Array:
    """The distribution at some times, (times, ..., bins), under gradient flow in logits. times: ascending."""
    descent = OBJECTIVES[objective]

    def rate(theta: Array) -> Array:
        return descent(softmax(theta), q)

    theta, at, found = np.log(start), 0.0, []
    for time in times:
        steps = max(1, int(np.ceil((time - at) / STEP)))
        h = (time - at) / steps
        for _ in range(steps):  # Heun's method
            first = rate(theta)
            theta = theta + h / 2 * (first + rate(theta + h * first))
        at = time
        found.append(softmax(theta))
    return np.stack(found)


def natural(objective: str, start: Array, q: Array, times: Array) -> Array:
    """The same under the natural gradient, in closed form.

    Forward KL mixes masses, p(t) = q + (p(0) - q) exp(-t); reverse KL mixes their logarithms.
    """
    left = np.exp(-times).reshape(-1, *[1] * start.ndim)
    if objective == "forward KL":
        return q + (start - q) * left
    return softmax(left * np.log(start) + (1 - left) * np.log(q))


def softmax(theta: Array) -> Array:
    raised = np.exp(theta - theta.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def half_time(times: Array, path: Array, q: Array) -> Array:
    """When the total variation from q is first half of that at the first time, (...); infinite if it never is.

    path: (times, ..., bins).
    """
    distances = apart(path, q)
    is_near = distances <= distances[0] / 2
    return np.where(is_near.any(axis=0), times[is_near.argmax(axis=0)], np.inf)
