"""Packs responses without padding; shared prefixes are computed once.

The responses to one prompt share a trunk: the prompt and the tokens with which all of them begin. A packed row contains
each trunk once, followed by its branches, and any number of such groups, so that there is no padding and no second
forward pass over a prompt. Positions are those of each sequence alone; a branch attends to its trunk and to itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from scripts.lib.chat import Encoded
from scripts.lib.embedding import embed
from scripts.lib.head import Head
from scripts.lib.products import large_products

IMPLEMENTATION = "packed_responses"
"""The name under which :func:`attend` is registered with transformers."""

HARMLESS = {"position_ids", "use_cache", "output_attentions", "cache_position", "sliding_window", "is_causal"}
"""Keywords of an attention function that change nothing in a packed row; a window is compared with the row."""


class NotPacked(Exception):
    """A model cannot take packed rows; the message says why."""


@dataclass(frozen=True)
class Group:
    """Sequences in a row: the number of tokens that they share, and of each one's own; the first has at least one."""

    trunk: int
    branches: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return self.trunk + sum(self.branches)


def group_of(responses: Sequence[Encoded]) -> Group:
    """The group for sequences with a common beginning; at least one token of the first is not part of the trunk."""
    ids = [each.prompt_ids + each.response_ids for each in responses]
    trunk = min(map(len, ids))
    for other in ids[1:]:
        trunk = next((at for at in range(trunk) if ids[0][at] != other[at]), trunk)
    trunk = min(trunk, len(ids[0]) - 1)
    return Group(trunk, tuple(len(each) - trunk for each in ids))


class Stretches(NamedTuple):
    """A row's attention as one call over stretches of queries, each causal up to the end of a stretch of keys.

    keys: (keys,) positions in the row, a trunk repeated for each of its branches. query_ends, key_ends: int32
    (stretches + 1,), from 0. longest_query, longest_key: tokens.
    """

    keys: Tensor
    query_ends: Tensor
    key_ends: Tensor
    longest_query: int
    longest_key: int


@dataclass(frozen=True)
class Row:
    """Groups of responses as one row of tokens.

    ids, positions: (1, tokens). where: the positions in the row whose hidden states predict the response tokens
    ``targets``, response after response, of ``lengths`` tokens each.
    """

    groups: tuple[Group, ...]
    ids: Tensor
    positions: Tensor
    where: Tensor
    targets: Tensor
    lengths: tuple[int, ...]

    @cached_property
    def segments(self) -> list[int]:
        """The number of tokens of each group's trunk with its first branch, and of its further branches, in order."""
        return [size for group in self.groups for size in (group.trunk + group.branches[0], *group.branches[1:])]

    @cached_property
    def longest(self) -> int:
        """The tokens of the longest sequence."""
        return max(group.trunk + max(group.branches) for group in self.groups)

    @cached_property
    def masks(self) -> dict[tuple[int, int], Tensor]:
        """(own tokens, trunk) -> the keys (trunk, then own) that the tokens of a branch attend to."""
        pairs = {(own, group.trunk) for group in self.groups for own in group.branches[1:]}
        return {
            (own, trunk): torch.ones(own, trunk + own, dtype=torch.bool, device=self.ids.device).tril(trunk)[None, None]
            for own, trunk in pairs
        }

    @cached_property
    def stretches(self) -> Stretches:
        """The arguments of :func:`varlen_attn`; a branch without tokens of its own has no stretch."""
        keys: list[int] = []
        queries: list[int] = []
        lengths: list[int] = []
        start = 0
        for group in self.groups:
            end = start + group.trunk
            for at, own in enumerate(group.branches):
                if own:
                    keys += [*range(start, start + group.trunk), *range(end, end + own)]
                    queries.append(own if at else group.trunk + own)
                    lengths.append(group.trunk + own)
                end += own
            start = end

        def tensor(values: list[int], dtype: torch.dtype) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=self.ids.device)

        ends = [tensor([0, *accumulate(each)], torch.int32) for each in (queries, lengths)]
        return Stretches(tensor(keys, torch.long), *ends, max(queries), max(lengths))


def pack(groups: Sequence[Sequence[Encoded]], device: torch.device | str = "cpu") -> Row:
    """A row of groups of responses; the responses of a group share at least the prompt."""
    shapes = tuple(group_of(group) for group in groups)
    ids: list[int] = []
    positions: list[int] = []
    where: list[int] = []
    targets: list[int] = []
    lengths: list[int] = []
    for group, shape in zip(groups, shapes, strict=True):
        start = len(ids)
        ids += (group[0].prompt_ids + group[0].response_ids)[: shape.trunk]
        positions += range(shape.trunk)
        for each in group:
            places = [*range(start, start + shape.trunk), *range(len(ids), len(ids) + len(each) - shape.trunk)]
            ids += (each.prompt_ids + each.response_ids)[shape.trunk :]
            positions += range(shape.trunk, len(each))
            where += places[len(each.prompt_ids) - 1 : len(each) - 1]
            targets += each.response_ids
            lengths.append(len(each.response_ids))

    def tensor(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    return Row(shapes, tensor(ids)[None], tensor(positions)[None], tensor(where), tensor(targets), tuple(lengths))


def pack_prompts(sequences: Sequence[Encoded], device: torch.device | str = "cpu") -> Row:
    """A row of responses, in the order given; adjacent responses to one prompt share it."""
    return pack([list(group) for _, group in groupby(sequences, key=lambda each: each.prompt_ids)], device)


def rows_by_tokens(tokens: Sequence[int], budget: int) -> list[list[int]]:
    """Indices into ``tokens``, in rows of at most ``budget`` tokens: first-fit, longest first.

    An entry longer than the budget is a row of its own.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(tokens)), key=lambda at: -tokens[at]):
        row = next((at for at, left in enumerate(room) if left >= tokens[index]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(budget)
        rows[row].append(index)
        room[row] -= tokens[index]
    return rows


def rows_by_prompt(sequences: Sequence[Encoded], budget: int) -> list[list[int]]:
    """Indices in rows of at most ``budget`` tokens, a prompt counted once for all responses to it in a row.

    Responses to one prompt are adjacent; if they exceed the budget, they take several rows.
    """
    groups: list[list[int]] = []
    sizes: list[int] = []
    latest: dict[tuple[int, ...], int] = {}
    for at, each in enumerate(sequences):
        prompt, own = tuple(each.prompt_ids), len(each.response_ids)
        if prompt not in latest or sizes[latest[prompt]] + own > budget:
            latest[prompt] = len(groups)
            groups.append([])
            sizes.append(len(prompt))
        groups[latest[prompt]].append(at)
        sizes[latest[prompt]] += own
    return [[at for group in row for at in groups[group]] for row in rows_by_tokens(sizes, budget)]


def hidden_states(model: PreTrainedModel, row: Row) -> Tensor:
    """The input of the model's head at ``row.where``: (response tokens, hidden). Within :func:`packed_attention`."""
    output = model.base_model(
        inputs_embeds=embed(model.get_input_embeddings(), row.ids),
        position_ids=row.positions,
        attention_mask=None,
        use_cache=False,
        row=row,
    )
    return output.last_hidden_state[0].index_select(0, row.where)


def packed_logprobs(model: PreTrainedModel, head: Head, row: Row) -> list[Tensor]:
    """log p of every response token, in nats: a float32 vector per response. ``head`` is the model's."""
    with packed_attention(model), large_products(model):
        return list(head.logprobs(hidden_states(model, row), row.targets).split(row.lengths))


@contextmanager
def packed_attention(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the model's attention layers handle packed rows, in forward, backward and recomputed checkpoints."""
    before = model.config._attn_implementation
    model.config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        model.config._attn_implementation = before


@torch.compiler.disable  # its calls differ from row to row
def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    row: Row | None = None,
    **others,
) -> tuple[Tensor, None]:
    """Attention within a row, as transformers calls it: (1, heads, tokens, size) -> (1, tokens, heads, size).

    In half precision on a GPU, one call for the whole row. Otherwise one causal call for a trunk with its first branch,
    and one masked call for each further branch.
    Raises NotPacked if the model's attention is more than a scaled softmax over all earlier tokens.
    """
    if row is None:
        raise NotPacked("it hands nothing on to its attention")
    if attention_mask is not None:
        raise NotPacked("its attention has a mask of its own")
    if more := [name for name, value in others.items() if name not in HARMLESS and value is not None]:
        raise NotPacked(f"its attention has {', '.join(more)}")
    if (window := others.get("sliding_window")) and window < row.longest:
        raise NotPacked(f"its attention has a window of {window} tokens")
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16) and not dropout:
        return attend_at_once(query, key, value, row.stretches, scaling), None
    queries, keys, values = (each.split(row.segments, dim=2) for each in (query, key, value))
    outputs = []
    at = 0

    def add(key: Tensor, value: Tensor, mask: Tensor | None) -> None:
        output, _ = sdpa_attention_forward(
            module, queries[at], key, value, mask, dropout=dropout, scaling=scaling, is_causal=mask is None
        )
        outputs.append(output)

    for group in row.groups:
        add(keys[at], values[at], None)
        trunk = [each[at][:, :, : group.trunk] for each in (keys, values)]
        at += 1
        for own in group.branches[1:]:
            if own:
                both = [
                    torch.cat([of_trunk, each[at]], dim=2) for of_trunk, each in zip(trunk, (keys, values), strict=True)
                ]
                add(*both, row.masks[own, group.trunk])
            at += 1
    return torch.cat(outputs, dim=1), None


def attend_at_once(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    stretches: Stretches,
    scaling: float | None,
    attention: Callable[..., Tensor] = varlen_attn,
) -> Tensor:
    """As :func:`attend`, in one call of ``attention``, which needs a GPU."""
    shared = query.shape[1] // key.shape[1]
    keys, values = (
        each[0].transpose(0, 1).index_select(0, stretches.keys).repeat_interleave(shared, dim=1)
        for each in (key, value)
    )
    _, *lengths = stretches
    return attention(query[0].transpose(0, 1).contiguous(), keys, values, *lengths, scale=scaling, window_size=(-1, 0))[
        None
    ]


AttentionInterface.register(IMPLEMENTATION, attend)
AttentionMaskInterface.register(IMPLEMENTATION, lambda *_, **__: None)
