"""One run over several processes of one machine, started by torchrun: what they share out and what they join again.

Weights, their gradients and AdamW's moments are cut among the processes layer by layer (PyTorch's FSDP2), in float32;
a layer is gathered while it is computed, in the run's precision. Embeddings and head are whole on every process,
because the packed step adds to their gradients itself (scripts/lib/head.py, embedding.py): their gradients are summed
once a step. A step's pairs are dealt by their tokens. Checkpoints are those of one process: the number of processes
is no part of a run, and may change where it goes on.
"""

import ctypes
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from transformers import PreTrainedModel

from scripts.lib import devices
from scripts.lib.errors import InputError
from scripts.lib.gradients import gradient_of
from scripts.lib.models import PRECISIONS, layers_of

PATIENCE = timedelta(hours=2)
"""How long the others wait for a process, such as the one that writes a checkpoint, before they give it up."""

PR_SET_PDEATHSIG = 1


@contextmanager
def joined() -> Iterator["Processes | None"]:
    """The processes that torchrun started, this one among them; None where this one is alone.

    InputError: they are on several machines, or have no device each although there are devices.
    """
    count = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    if count == 1:
        yield None
        return
    if count != int(os.environ["LOCAL_WORLD_SIZE"]):
        raise InputError("torchrun", f"{count} processes on several machines", "start them all on one: --standalone")
    devices.check_leased(count)
    # A torchrun that is killed outright cannot end what it started, which would go on beside its successor.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if int(os.environ["RANK"]):
        logging.getLogger().setLevel(logging.WARNING)  # the first speaks for all
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    yield Processes("cuda" if on_gpu else "cpu")
    dist.destroy_process_group()  # not after an error: the others may never come to it


class Processes:
    """The processes of one run, as one of them sees them. Every method is called by all, in the same order."""

    def __init__(self, device: str) -> None:
        """device: cpu or cuda. The process group exists."""
        self.count, self.rank = dist.get_world_size(), dist.get_rank()
        self.mesh = init_device_mesh(device, (self.count,))

    def shard(self, model: PreTrainedModel, precision: str) -> None:
        """Keep one part of ``model`` (float32, the same on all) here; layers are computed in ``precision``."""
        whole = _ends(model)
        # Inputs stay as they are: within autocast, products are in bfloat16 and what lies between them in float32.
        policy = MixedPrecisionPolicy(PRECISIONS[precision], torch.float32, cast_forward_inputs=False)
        for module in reversed([model.base_model, *layers_of(model)]):  # what is inside first
            fully_shard(module, mesh=self.mesh, mp_policy=policy, ignored_params=whole)
            # A process's loss is its part of the sum over the step, so parts are added, not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)

    def add_up(self, model: PreTrainedModel) -> None:
        """Sum over the processes the gradients of what each has whole."""
        for each in model.parameters():
            if each.requires_grad and not isinstance(each, DTensor):
                dist.all_reduce(gradient_of(each))

    def columns(self, mine: Tensor, of_each: Sequence[int]) -> Tensor:
        """All processes' columns side by side: (rows, columns of all) from (rows, ``of_each[rank]``)."""
        found = mine.new_zeros(len(mine), sum(of_each))
        found[:, sum(of_each[: self.rank]) :][:, : mine.shape[1]] = mine
        dist.all_reduce(found)
        return found

    def clip(self, model: PreTrainedModel, max_norm: float) -> Tensor:
        """As ``clip_grad_norm_``, with the norm of the whole gradient, which it returns."""
        groups = _by_kind(model.parameters())
        norms = [get_total_norm([each.grad for each in group if each.grad is not None]) for group in groups]
        norm = get_total_norm([each.full_tensor() if isinstance(each, DTensor) else each for each in norms])
        for group in groups:
            clip_grads_with_norm_(group, max_norm, norm)
        return norm

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The whole tensors, what was cut on the CPU, on process 0; nothing on the others."""
        found = {}
        for name, each in tensors.items():
            full = each.full_tensor() if isinstance(each, DTensor) else each
            if self.rank == 0:
                found[name] = full.cpu() if isinstance(each, DTensor) else full
        return found

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """As that of an optimizer over the whole model, on process 0."""
        state = optimizer.state_dict()
        return state | {"state": {at: self.whole(moments) for at, moments in state["state"].items()}}

    @torch.no_grad()
    def restore(
        self, model: PreTrainedModel, optimizer: Optimizer, of_model: dict[str, Tensor], of_optimizer: dict[str, Any]
    ) -> None:
        """Put this process's part of whole states (the same on all) into model and optimizer."""
        for name, each in model.state_dict().items():
            each.copy_(self._part(of_model[name], each))
        parameters = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        parts = {
            at: {name: self._part(value, each) for name, value in of_optimizer["state"][at].items()}
            for at, each in enumerate(parameters)
            if at in of_optimizer["state"]
        }
        optimizer.load_state_dict(of_optimizer | {"state": parts})

    def _part(self, value: Tensor, like: Tensor) -> Tensor:
        """A whole tensor cut as ``like`` is; what is of another shape (a count of steps) stays whole."""
        if not isinstance(like, DTensor) or value.shape != like.shape:
            return value.clone()
        part = distribute_tensor(value, self.mesh, like.placements, src_data_rank=None)
        return part.clone()  # else a view, which keeps the whole in memory

    def check_agreed(self, value: int) -> None:
        """RuntimeError unless all processes have the same value."""
        found: list[int] = [0] * self.count
        dist.all_gather_object(found, value)
        if len(set(found)) > 1:
            raise RuntimeError(f"the processes read different checkpoints, of {found} steps: start again")


def parameter_groups(model: PreTrainedModel, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay is for matrices; biases and norms have none. The groups do not depend on the processes.

    What is cut among processes and what is whole lie apart: one call of AdamW's kernel takes either.
    """
    ends = _ends(model)
    groups = [
        {"params": [each for each in model.parameters() if (each.ndim >= 2) is matrices and (each in ends) is whole]}
        | {"weight_decay": weight_decay if matrices else 0.0}
        for matrices in (True, False)
        for whole in (False, True)
    ]
    return [group for group in groups if group["params"]]


def _ends(model: PreTrainedModel) -> set[Tensor]:
    """The parameters of embeddings and head, and of what else lies outside the layers' model."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    body = set(model.base_model.parameters())
    return {each for module in ends for each in module.parameters()} | (set(model.parameters()) - body)


def _by_kind(parameters: Iterator[Tensor] | Sequence[Tensor]) -> list[list[Tensor]]:
    """What is cut, and what is whole; either may be missing."""
    kinds: list[list[Tensor]] = [[], []]
    for each in parameters:
        kinds[not isinstance(each, DTensor)].append(each)
    return [each for each in kinds if each]
