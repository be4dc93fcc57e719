"""Batches of sequences of similar length."""

import logging
from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)


def by_tokens(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices into ``lengths`` in batches of similar length, longest first: a lack of memory shows at once.

    Each batch, padded to its longest row, holds at most ``budget`` tokens; a row longer than that is a batch of its
    own. Equal lengths keep their order.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = lengths[index]
    return batches


def deal(costs: Sequence[int], hands: int) -> list[list[int]]:
    """Indices into ``costs``, divided into ``hands`` groups of similar total cost: greedy, the most expensive first.

    Some groups are empty if there are fewer costs than groups. Within a group indices keep their order.
    """
    dealt: list[list[int]] = [[] for _ in range(hands)]
    sums = [0] * hands
    for index in sorted(range(len(costs)), key=lambda at: -costs[at]):
        hand = sums.index(min(sums))
        dealt[hand].append(index)
        sums[hand] += costs[index]
    return [sorted(hand) for hand in dealt]


def logged(batches: Sequence[list[int]], doing: str) -> Iterator[list[int]]:
    """Yields the batches one by one and logs how many rows are done, about twenty times in all."""
    total = sum(len(batch) for batch in batches)
    done = 0
    for batch in batches:
        yield batch
        before, done = done, done + len(batch)
        if before * 20 // total < done * 20 // total:
            log.info("%s: %d of %d", doing, done, total)
