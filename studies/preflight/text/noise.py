"""Label noise that the labels themselves show: pairs labelled both ways, and preferences that go in a circle.

If labels of one prompt follow an order of its responses and each is wrong with probability e, independently, then two
labels of the same pair disagree with probability 2 e (1 - e), and the three pairs of three responses go in a circle
with probability e (1 - e): one of the three is wrong and turns the circle, or the two others are (Kendall and Babington
Smith, 1940, for circular triads). Both give e; both are silent on a dataset with one label of one pair per prompt.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, clustered, percent, worst_first
from studies.preflight.text.texts import IDS, Measured, Texts

LIMITS = Limits(note=0.01, warn=0.05, bad=0.15)
"""Of the probability that a label is wrong, by the lower end of its interval."""
LEAST = 20
"""Fewer repeated pairs and closed triples than this say nothing."""
DROP = "the same two responses are also labelled the other way round"
EVIDENCE = (
    "Chowdhury et al. 2024 (arXiv 2403.00409): DPO's error grows with the flipped share. Copies of a row agree "
    "with it and say nothing; the file's repeated pairs are counted by themselves."
)


@dataclass(frozen=True)
class Noise:
    """Chances to see a wrong label. counts: per prompt (compared, disagree, triples, circular): pairs of labels of the
    same two responses, those that disagree; closed triples, those that go in a circle.
    """

    counts: np.ndarray

    def rate(self) -> tuple[float, float, float] | None:
        """(e, low, high) of the probability that a label is wrong; None with fewer than LEAST chances to see one.

        A disagreement has probability 2 q and a circle q = e (1 - e), so hits / (2 compared + triples) estimates q. Its
        interval is over prompts, taken through e = (1 - sqrt(1 - 4 q)) / 2; a q above 1/4 is e = 1/2.
        """
        compared, disagree, triples, circular = self.counts.T
        hits, chances = disagree + circular, compared + triples
        if chances.sum() < LEAST:
            return None
        scale = chances.sum() / (2 * compared.sum() + triples.sum())
        ends = (hits.sum() / chances.sum(), *clustered(hits, chances))
        value, low, high = ((1 - math.sqrt(max(0.0, 1 - 4 * scale * each))) / 2 for each in ends)
        return value, low, high


def measure(texts: Texts) -> Measured:
    """Columns: contradicted, in_a_circle. A contradicted pair is dropped, both ways round."""
    pairs = texts.pairs[IDS]
    both_ways = contradicted(pairs)
    round_about, of_triples = circles(pairs)
    again = repeats(pairs if texts.labels is None else texts.labels.rows[IDS])
    counts = again.join(of_triples, how="outer").fillna(0)
    noise = Noise(counts[["compared", "disagree", "triples", "circular"]].to_numpy(np.int64))
    findings = [_contradictions(both_ways), _rate(noise, round_about)]
    return Measured(findings, {"contradicted": both_ways, "in_a_circle": round_about}, {DROP: both_ways})


def contradicted(pairs: pd.DataFrame) -> np.ndarray:
    """Whether each pair also occurs with its sides exchanged."""
    keys = set(zip(pairs["chosen_id"], pairs["rejected_id"], strict=True))
    turned = zip(pairs["rejected_id"], pairs["chosen_id"], strict=True)
    return np.array([each in keys for each in turned], bool)


def repeats(labels: pd.DataFrame) -> pd.DataFrame:
    """prompt_id -> (compared, disagree): labels of the same two responses, taken two by two in the rows' order."""
    first = np.minimum(labels["chosen_id"], labels["rejected_id"])
    key = first + "/" + np.maximum(labels["chosen_id"], labels["rejected_id"])
    is_first = (labels["chosen_id"] == first).to_numpy()
    table = pd.DataFrame({"prompt_id": labels["prompt_id"], "key": key, "first": is_first})
    table["turn"] = table.groupby("key").cumcount()
    one, other = table[table["turn"] % 2 == 0], table[table["turn"] % 2 == 1]
    met = one.assign(turn=one["turn"] + 1).merge(other, on=["key", "turn"])
    met["disagree"] = met["first_x"] != met["first_y"]
    return met.groupby("prompt_id_x")["disagree"].agg(compared="size", disagree="sum").rename_axis("prompt_id")


def circles(pairs: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Whether each pair is part of a circle of three; and prompt_id -> (triples, circular): closed ones, and circles.

    A pair that is labelled both ways has no direction and closes no triple.
    """
    inside = np.zeros(len(pairs), bool)
    found: dict[str, tuple[int, int]] = {}
    for prompt_id, rows, wins in _tournaments(pairs):
        linked = wins | wins.T
        steps = wins.astype(np.int64)
        closed = linked.astype(np.int64)
        triples, circular = np.trace(closed @ closed @ closed) // 6, np.trace(steps @ steps @ steps) // 3
        found[prompt_id] = int(triples), int(circular)
        back = (steps @ steps).T > 0  # from the loser to the winner in two steps
        chosen, rejected = rows[:, 1], rows[:, 2]
        inside[rows[:, 0]] = wins[chosen, rejected] & back[chosen, rejected]
    columns = ["triples", "circular"]
    return inside, pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("prompt_id")


def _tournaments(pairs: pd.DataFrame) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each prompt with three pairs or more: its id, (row, chosen, rejected) of its pairs, and who beats whom."""
    several = pairs.reset_index(drop=True)
    several = several[several.groupby("prompt_id")["prompt_id"].transform("size") >= 3]
    for prompt_id, own in several.groupby("prompt_id", sort=False):
        codes, known = pd.factorize(pd.concat([own["chosen_id"], own["rejected_id"]]))
        chosen, rejected = np.split(codes, 2)
        wins = np.zeros((len(known), len(known)), bool)
        wins[chosen, rejected] = True
        yield prompt_id, np.column_stack([own.index.to_numpy(), chosen, rejected]), wins & ~wins.T


def _contradictions(both_ways: np.ndarray) -> Finding:
    share = Share(int(both_ways.sum()), len(both_ways))
    return Finding(
        "contradictions",
        "text",
        "Are pairs labelled both ways?",
        f"{share.told('pairs')} also occur with chosen and rejected exchanged.",
        **share.numbers(),
        level=Limits(note=0.001, warn=0.02, bad=0.1).level(share.interval[0]),
        evidence=EVIDENCE,
        remedy="Drop both ways: they are in the drop list." if share.hits else "",
        pairs=worst_first(np.flatnonzero(both_ways)),
    )


def _rate(noise: Noise, round_about: np.ndarray) -> Finding:
    question = "How many labels are wrong, by the labels' own word?"
    found = noise.rate()
    compared, disagree, triples, circular = noise.counts.sum(axis=0).tolist()
    if found is None:
        return Finding(
            "label_noise",
            "text",
            question,
            f"The labels cannot tell: {compared:,} pairs are labelled again, and {triples:,} triples of "
            f"responses are compared all round; {LEAST} of either are needed. A scorer can tell more.",
            n=compared + triples,
            level="note",
            evidence=EVIDENCE,
        )
    value, low, high = found
    return Finding(
        "label_noise",
        "text",
        question,
        f"About {percent(value)} of the labels are wrong, if labels err independently: {disagree:,} of "
        f"{compared:,} repeated labels disagree, and {circular:,} of {triples:,} triples compared all "
        "round go in a circle.",
        value,
        low,
        high,
        "share",
        compared + triples,
        LIMITS.level(low),
        EVIDENCE,
        "Label disputed pairs again, drop pairs that contradict one another, or train with label smoothing."
        if LIMITS.level(low) in ("warn", "bad")
        else "",
        worst_first(np.flatnonzero(round_about)),
    )
