"""Log-probabilities of given tokens from hidden states, without ever holding the logits of a whole batch in memory.

Logits, their softmax and their gradient are each tokens x vocabulary numbers, far more than the rest of a model's
activations. Here logits are written to one buffer, where they are converted in place to probabilities and, in backward,
in place to their own gradient, which is passed on at once to the hidden states and to the weight. Factors that scale a
whole row are left out of both and applied to the hidden states, which are smaller. If the tokens of one call fit into
the buffer, that takes the three matrix products of the plain computation; chunks that do not fit are recomputed.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from scripts.lib.gradients import gradient_of
from scripts.lib.products import product

KEPT = 1 << 27
"""The most logits in the buffer (half a gigabyte)."""

JOINED = 1 << 22
"""Short responses are processed together up to this many logits."""

IN_CACHE = 1 << 19
"""Logits per softmax on a CPU, few enough to stay in its cache from pass to pass."""


class Head:
    """The linear map from hidden states to logits of one model.

    linear: has ``weight`` (vocabulary, hidden) and optionally ``bias``; call :meth:`renew` after they change. dtype: of
    the matrix products; softmax and sums are in float32. Gradients of weight and bias are added to their ``.grad``
    directly. The buffer is reused from call to call.
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
        """Use the weight's current values."""
        if self.matrix.dtype != self.weight.dtype:
            self.matrix.copy_(self.weight.detach())
        self.holds = None

    def logprobs(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """log p(target), in nats: float32 (tokens,) from ``hidden`` (tokens, hidden) and ``targets`` (tokens,).

        Differentiable once, with respect to hidden states, weight and bias. Cheapest if backward runs before the next
        call.
        """
        return _LogProbs.apply(hidden, targets, self)

    def runs(self, lengths: Sequence[int]) -> list[list[int]]:
        """Indices into ``lengths``, grouped into calls of reasonable size: long ones alone, short ones together."""
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
        """Make the buffer large enough for calls of ``tokens`` tokens, or as large as allowed."""
        rows = min(tokens, self.rows)
        if len(self.buffer) < rows:
            self.buffer, self.holds = self.buffer.new_empty(rows, self.vocabulary), None

    def fill(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """The targets' log p (rows,) given ``hidden`` states (rows, hidden), which have the dtype of the products.

        Leaves p(token) in the buffer, each row multiplied by its entry of ``totals`` (rows,).
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
