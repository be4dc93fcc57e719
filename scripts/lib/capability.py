"""What a model can do is tried, on a few made-up sequences, before it works on anybody's.

Everything here that reads, scores or trains takes three things for granted: a sequence's values are the same each time,
they do not depend on the sequences beside it, and, in packed rows (scripts/lib/packing.py), not on those before it. Not
every architecture keeps to them, and configurations do not tell which: attention that looks ahead, positions that are
scaled by the longest sequence of a batch, a window, a state that runs on from one sequence to the next. A model that
breaks one of the first two is refused; one that cannot be packed is padded. docs/models.md has a table.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from scripts.lib.chat import Encoded
from scripts.lib.errors import InputError, in_short
from scripts.lib.head import Head
from scripts.lib.logprobs import token_logprobs
from scripts.lib.packing import NotPacked, pack, packed_logprobs

READ = 16
"""Tokens at the end of a long sequence whose values are compared."""

SHORT = 11
"""Tokens of a short sequence: an odd number, as some architectures read tokens in twos."""

TOLERANCE, ROUGH = 1e-4, 3e-2
"""Of values, relative and absolute, in float32 and in anything less precise."""

ENOUGH = 0.75
"""The share of values that must agree where they are rough: rounding sends a few tokens to other experts."""

Result = TypeVar("Result")

Company = Literal["any", "as long", "none"]
"""Which other prompts a prompt may be sampled with: any, those of as many tokens, or none."""

Padded = Callable[[Sequence[Encoded]], list[Tensor]]
"""The values of each sequence, read in one padded batch."""

Packed = Callable[[Sequence[Sequence[Encoded]]], list[Tensor]]
"""The values of each sequence, read in one packed row of groups."""


def reason_against(model: PreTrainedModel, longest: int, pad_id: int) -> str | None:
    """Why a causal model cannot take packed rows of sequences up to ``longest`` tokens; None if it can.

    Raises InputError if it can take no batch of them at all: see :func:`tried`.
    """

    def padded(sequences: Sequence[Encoded]) -> list[Tensor]:
        return token_logprobs(model, sequences, pad_id)

    def packed(groups: Sequence[Sequence[Encoded]]) -> list[Tensor]:
        head = Head(model.get_output_embeddings(), _precision(model))
        return packed_logprobs(model, head, pack(groups, model.device))

    return tried(model, longest, padded, packed)


def tried(model: PreTrainedModel, longest: int, padded: Padded, packed: Packed | None) -> str | None:
    """Why packed rows of sequences up to ``longest`` tokens are not possible, or None; ``packed`` is None: not asked.

    Raises InputError if the model fails on a sequence alone, says something else the second time, or something else in
    a padded batch.
    """
    groups = trial(model, longest)
    sequences = [each for group in groups for each in group]
    with evaluating(model):
        alone = [_run(model, lambda one=each: padded([one])[0]) for each in sequences]
        again = [_run(model, lambda one=each: padded([one])[0]) for each in sequences[:1]]
        if not agree(alone[:1], again, _precision(model)):
            raise InputError(_name(model), "says something else each time that it is asked", "give another model")
        together = _run(model, lambda: padded(sequences[::2]))  # the first of each group
        if not agree(alone[::2], together, _precision(model)):
            raise InputError(
                _name(model),
                f"what it says of a sequence of at most {longest} tokens depends on those beside it in a batch "
                f"(by up to {_apart(alone[::2], together):.2g})",
                _remedy(model.config.get_text_config(), longest),
            )
        if packed is None:
            return None
        return reason_before(model, longest) or _reason_tried(model, alone, groups, packed)


def reason_before(model: PreTrainedModel, longest: int) -> str | None:
    """Why not to try packed rows: what rows longer than the ones tried could still bring out."""
    config = model.config.get_text_config()
    if not getattr(model, "_supports_attention_backend", False):
        return "transformers has no exchangeable attention for it"
    if other := set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}:
        return f"it has layers of {', '.join(sorted(other))}"
    window = getattr(config, "sliding_window", None)
    if window and window < longest:
        return f"its attention has a window of {window} tokens"
    return None


def _reason_tried(
    model: PreTrainedModel, alone: list[Tensor], groups: list[list[Encoded]], packed: Packed
) -> str | None:
    try:
        found = packed(groups)
    except NotPacked as error:
        return str(error)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # whatever its code does not expect of a packed row
        return f"packed, it ends with {type(error).__name__} ({in_short(error)})"
    if agree(alone, found, _precision(model)):
        return None
    return f"what it says of packed responses is not what it says of single ones (by up to {_apart(alone, found):.2g})"


def company(model: PreTrainedModel, longest: int, next_logits: Callable[[list[list[int]]], Tensor]) -> Company:
    """Which prompts of up to ``longest`` tokens may share a batch so that what follows one is what follows it alone.

    next_logits: (prompts, logits) from prompts, padded on the left if their lengths differ.
    """
    (one, other), _, (short, _) = ([each.prompt_ids + each.response_ids for each in of] for of in trial(model, longest))
    precision = _precision(model)
    with evaluating(model):
        alone = [_run(model, lambda it=each: next_logits([it])[0]) for each in (one, other, short)]
        if agree(alone[::2], list(_run(model, lambda: next_logits([one, short]))), precision):
            return "any"
        if agree(alone[:2], list(_run(model, lambda: next_logits([one, other]))), precision):
            return "as long"
    return "none"


def trial(model: PreTrainedModel, longest: int) -> list[list[Encoded]]:
    """Three groups of two sequences: as long as they may become, three quarters of it, and short.

    In each, the second leaves the first midway; of long ones, the last tokens are responses. The tokens are words, none
    that a configuration names.
    """
    special = set(_special(model.config.to_dict()))
    vocabulary = _run(model, lambda: _vocabulary(model))
    words = [at for at in range(vocabulary) if at not in special]
    draw = random.Random(0)

    def group(length: int) -> list[Encoded]:
        one, other = (draw.choices(words, k=length) for _ in range(2))
        read = min(READ, (length + 1) // 2)
        return [Encoded(ids[:-read], ids[-read:]) for ids in (one, one[: length // 2] + other[length // 2 :])]

    lengths = (longest, longest * 3 // 4 | 1, min(SHORT, longest // 2))
    return [group(max(2, each)) for each in lengths]


def _vocabulary(model: PreTrainedModel) -> int:
    """The number of tokens that a model both reads and, if it predicts any, writes."""
    read, head = len(model.get_input_embeddings().weight), model.get_output_embeddings()
    return min(read, len(head.weight)) if head is not None else read


def _special(config: dict) -> Iterator[int]:
    """The ids of tokens that a configuration names, at any depth."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _special(value)
        elif str(name).endswith(("token_id", "token_index", "token_ids")):
            yield from value if isinstance(value, list) else [value]


def agree(expected: Sequence[Tensor], found: Sequence[Tensor], precision: torch.dtype) -> bool:
    """Whether values are the same up to rounding: all of them in float32, ENOUGH of them in a rougher ``precision``.

    Values that are no number agree: whoever uses them refuses them, and can name a response.
    """
    one, other = (torch.cat([each.flatten() for each in values]) for values in (expected, found))
    if precision == torch.float32:
        return torch.allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return torch.isclose(other, one, rtol=ROUGH, atol=ROUGH, equal_nan=True).float().mean().item() >= ENOUGH


def _apart(expected: Sequence[Tensor], found: Sequence[Tensor]) -> float:
    return max((one.float() - other.float()).abs().max().item() for one, other in zip(expected, found, strict=True))


def _precision(model: PreTrainedModel) -> torch.dtype:
    return torch.get_autocast_dtype(model.device.type) if torch.is_autocast_enabled(model.device.type) else model.dtype


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Inside, no gradients, and the model is in eval mode."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _run(model: PreTrainedModel, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            _name(model),
            f"cannot read plain sequences of tokens ({type(error).__name__}: {in_short(error)})",
            "give a model that needs token ids alone, and has an embedding of tokens and a linear head",
        ) from error


def _name(model: PreTrainedModel) -> str:
    return f"{model.name_or_path} ({type(model).__name__})".strip()


def _remedy(config: PretrainedConfig, longest: int) -> str:
    scaling = getattr(config, "rope_parameters", None) or {}
    kinds = [scaling, *(each for each in scaling.values() if isinstance(each, dict))]  # perhaps one for a kind of layer
    switches = [at for each in kinds if (at := each.get("original_max_position_embeddings")) and at < longest]
    if switches:
        at = min(switches)
        return f"it scales positions by the longest sequence of a batch: set max_length to {at} or less"
    return "give a model in which a token depends on earlier ones alone"
