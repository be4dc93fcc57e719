"""Log-probabilities of given tokens from hidden states, without the logits of a whole batch ever in memory.

Logits, their softmax and their gradient are each tokens x vocabulary numbers, far more than the rest of a model's
activations. Here logits lie in one buffer: they are turned in place into probabilities, and in backward in place into
their own gradient, which goes on at once to the hidden states and to the weight. Both without what scales a row: that
is left to the hidden states, which are shorter. Where the tokens of one call fit into the buffer that takes the three
products of the plain computation; chunks that do not are computed again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from scripts.lib.gradients import gradient_of
from scripts.lib.products import product

KEPT = 1 << 27
"""Logits in the buffer at most (half a gigabyte)."""

JOINED = 1 << 22
"""Logits up to which short responses are worked through together."""

IN_CACHE = 1 << 19
"""Logits whose softmax is taken at a time on a CPU, so that they stay in its cache from pass to pass."""


class Head:
    """The linear map from hidden states to logits of one model.

    linear: has ``weight`` (vocabulary, hidden) and perhaps ``bias``; once they have changed, :meth:`renew`. dtype: of
    the products; softmax and sums are in float32. Gradients of weight and bias are added to their ``.grad`` directly.
    The buffer is kept from call to call.
    """

    def __init__(self, linear: torch.nn.Module, dtype: torch.dtype, kept: int = KEPT) -> None:
        self.weight, self.bias = linear.weight, getattr(linear, "bias", None)
        self.matrix = self.weight.detach().to(dtype)
        self.vocabulary = len(self.weight)
        self.rows = max(1, kept // self.vocabulary)
        self.buffer = torch.empty(0, self.vocabulary, device=self.weight.device)
        self.totals = torch.empty(0, device=self.weight.device)
        self.holds: object = None

    def renew(self) -> None:
        """Take the weight as it is now."""
        if self.matrix.dtype != self.weight.dtype:
            self.matrix.copy_(self.weight.detach())
        self.holds = None

    def logprobs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """log p(target), in nats: float32 (tokens,) from ``hidden`` (tokens, hidden) and ``targets`` (tokens,).

        Differentiable once, in hidden states, weight and bias. Cheapest where backward follows before the next call.
        """
        return _LogProbs.apply(hidden, targets, self)

    def runs(self, lengths: Sequence[int]) -> list[list[int]]:
        """Indices into ``lengths``, cut into runs that are worth a call each: long ones alone, short ones together."""
        runs: list[list[int]] = []
        tokens = 0
        for index, length in enumerate(lengths):
            tokens += length
            if not runs or tokens * self.vocabulary > JOINED:
                runs.append([])
                tokens = length
            runs[-1].append(index)
        return runs

    def reserve(self, tokens: int) -> None:
        """Make the buffer large enough for calls of so many tokens, or as large as it may be."""
        rows = min(tokens, self.rows)
        if len(self.buffer) < rows:
            self.buffer, self.holds = self.buffer.new_empty(rows, self.vocabulary), None

    def fill(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The targets' log p (rows,) after ``hidden`` states (rows, hidden), which have the dtype of the products.

        Leaves p(token) in the buffer, each row times its own of ``totals`` (rows,).
        """
        self.reserve(len(hidden))
        logits = self.buffer[: len(hidden)]
        if hidden.dtype == logits.dtype:
            product(hidden, self.matrix, logits)
        else:
            logits.copy_(hidden @ self.matrix.t())
        if self.bias is not None:
            logits += self.bias.detach()
        values = logits.gather(1, targets[:, None]).squeeze(1)
        self.totals = torch.empty_like(values)
        rows = max(1, IN_CACHE // self.vocabulary) if logits.device.type == "cpu" else len(logits)
        for at in range(0, len(logits), rows):
            part = logits[at : at + rows]
            largest = part.amax(1)
            torch.sum(part.sub_(largest[:, None]).exp_(), 1, out=self.totals[at : at + rows])
            values[at : at + rows] -= largest
        return values.sub_(self.totals.log())


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden: Tensor, targets: Tensor, head: Head) -> Tensor:
        ctx.head, ctx.given = head, hidden.dtype
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.to(head.matrix.dtype)
            chunks = zip(hidden.split(head.rows), targets.split(head.rows), strict=True)
            values = [head.fill(*chunk) for chunk in chunks]
        ctx.save_for_backward(hidden, targets)
        ctx.last = head.holds = object()
        return torch.cat(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        head, (hidden, targets) = ctx.head, ctx.saved_tensors
        onward = torch.empty_like(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            for at in reversed(range(0, len(hidden), head.rows)):
                chunk = slice(at, at + head.rows)
                if head.holds is not ctx.last:
                    head.fill(hidden[chunk], targets[chunk])
                head.holds = None
                _backward(head, hidden[chunk], targets[chunk], gradient[chunk], onward[chunk])
        return onward.to(ctx.given), None, None


def _backward(head: Head, hidden: Tensor, targets: Tensor, gradient: Tensor, onward: Tensor) -> None:
    """From the probabilities in the buffer: d log p(target) / d logits = [token is target] - p(token)."""
    of_logits = head.buffer[: len(hidden)].scatter_add_(1, targets[:, None], -head.totals[:, None])
    scale = -gradient / head.totals
    if head.bias is not None and head.bias.requires_grad:
        gradient_of(head.bias).addmv_(of_logits.t(), scale)
    of_logits = of_logits.to(hidden.dtype)
    product(of_logits, head.matrix.t(), onward)
    onward.mul_(scale[:, None])
    if head.weight.requires_grad:
        hidden = hidden * scale[:, None].to(hidden.dtype)
        if hidden.dtype == head.weight.dtype:
            gradient_of(head.weight).addmm_(of_logits.t(), hidden)
        else:
            gradient_of(head.weight).add_(of_logits.t() @ hidden)
