"""One run on several processes of one machine, started by torchrun: what is sharded, and what is combined.

Weights, their gradients and AdamW's moments are sharded over the processes layer by layer (PyTorch's FSDP2), in
float32; a layer is gathered while it is computed, in the run's precision. Embeddings and head are replicated on every
process, because the packed step adds to their gradients itself (scripts/lib/head.py, embedding.py): their gradients are
summed once per step. A step's pairs are divided by their number of tokens. Checkpoints have the same format as those of
a single process: the number of processes is not part of a run, and may change when it resumes.
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
from scripts.lib.models import PRECISIONS, PolicyCard, layers_of, load_causal

PATIENCE = timedelta(hours=2)
"""How long the other processes wait for one that, for example, writes a checkpoint, before they give up."""

PR_SET_PDEATHSIG = 1


@contextmanager
def joined() -> Iterator["Processes | None"]:
    """The processes that torchrun started, including this one; None if this is the only one.

    Raises InputError if they are on several machines, or do not have one device each although there are devices.
    """
    count = int(os.environ["WORLD_SIZE"]) if dist.is_torchelastic_launched() else 1
    if count == 1:
        yield None
        return
    if count != int(os.environ["LOCAL_WORLD_SIZE"]):
        raise InputError("torchrun", f"{count} processes on several machines", "start them all on one: --standalone")
    devices.check_leased(count)
    # A torchrun that is killed outright cannot end its processes, which would keep running next to their successors.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if int(os.environ["RANK"]):
        logging.getLogger().setLevel(logging.WARNING)  # only the first one logs
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE)
    yield Processes("cuda" if on_gpu else "cpu")
    dist.destroy_process_group()  # not after an error: other processes may never reach it


class Processes:
    """The processes of one run, seen from one of them. Every method must be called by all, in the same order."""

    def __init__(self, device: str) -> None:
        """device: cpu or cuda. The process group must exist."""
        self.count, self.rank = dist.get_world_size(), dist.get_rank()
        self.mesh = init_device_mesh(device, (self.count,))

    def shard(self, model: PreTrainedModel, precision: str) -> None:
        """Keep only this process's shard of ``model`` (float32, the same on all); layers compute in ``precision``."""
        whole = _ends(model)
        # Inputs are not cast: within autocast, products are in bfloat16 and everything between them in float32.
        policy = MixedPrecisionPolicy(PRECISIONS[precision], torch.float32, cast_forward_inputs=False)
        for module in reversed([model.base_model, *layers_of(model)]):  # inner modules first
            fully_shard(module, mesh=self.mesh, mp_policy=policy, ignored_params=whole)
            # A process's loss is its part of the sum over the step, so parts are added, not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)

    def add_up(self, model: PreTrainedModel) -> None:
        """Sum over the processes the gradients of the replicated parameters."""
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
        """As ``clip_grad_norm_``, by the norm of the whole gradient, which it returns."""
        groups = _by_kind(model.parameters())
        norms = [get_total_norm([each.grad for each in group if each.grad is not None]) for group in groups]
        norm = get_total_norm([each.full_tensor() if isinstance(each, DTensor) else each for each in norms])
        for group in groups:
            clip_grads_with_norm_(group, max_norm, norm)
        return norm

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The unsharded tensors on process 0, sharded ones gathered onto the CPU; nothing on the other processes."""
        found = {}
        for name, each in tensors.items():
            full = each.full_tensor() if isinstance(each, DTensor) else each
            if self.rank == 0:
                found[name] = full.cpu() if isinstance(each, DTensor) else full
        return found

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of an equivalent optimizer over the whole model, on process 0."""
        state = optimizer.state_dict()
        return state | {"state": {at: self.whole(moments) for at, moments in state["state"].items()}}

    @torch.no_grad()
    def restore(
        self, model: PreTrainedModel, optimizer: Optimizer, of_model: dict[str, Tensor], of_optimizer: dict[str, Any]
    ) -> None:
        """Load this process's shard of unsharded states (the same on all) into model and optimizer."""
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
        """A whole tensor sharded like ``like``; one of another shape (a step count) stays whole."""
        if not isinstance(like, DTensor) or value.shape != like.shape:
            return value.clone()
        part = distribute_tensor(value, self.mesh, like.placements, src_data_rank=None)
        return part.clone()  # otherwise a view, which keeps the whole tensor in memory

    def check_agreed(self, value: int) -> None:
        """Raises RuntimeError unless all processes have the same value."""
        found: list[int] = [0] * self.count
        dist.all_gather_object(found, value)
        if len(set(found)) > 1:
            raise RuntimeError(f"the processes read different checkpoints, of {found} steps: start again")


def parameter_groups(model: PreTrainedModel, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay applies to matrices, not to biases and norms. The groups do not depend on the processes.

    Sharded and replicated parameters are in separate groups: one call of AdamW's kernel takes only one kind.
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
    """The parameters of embeddings and head, and of everything else outside the layers' model."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    body = set(model.base_model.parameters())
    return {each for module in ends for each in module.parameters()} | (set(model.parameters()) - body)


def _by_kind(parameters: Iterator[Tensor] | Sequence[Tensor]) -> list[list[Tensor]]:
    """Sharded and replicated parameters; either list may be missing."""
    kinds: list[list[Tensor]] = [[], []]
    for each in parameters:
        kinds[not isinstance(each, DTensor)].append(each)
    return [each for each in kinds if each]


def whole_model(model: PreTrainedModel, card: PolicyCard, processes: Processes | None) -> PreTrainedModel | None:
    """A trained model to write; of one that was sharded a whole copy on process 0, and None on the others.

    card: of the policy that it started from, whose model has the same shape.
    """
    if processes is None:
        return model
    weights = processes.whole(model.state_dict())
    if processes.rank:
        return None
    found = load_causal(card, device="cpu")
    found.load_state_dict(weights)
    return found
