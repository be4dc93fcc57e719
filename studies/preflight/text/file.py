"""What the file holds that is no pair, ties, and scores in it that its own labels contradict."""

from collections import Counter

import numpy as np
import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.duplicates import places
from studies.preflight.text.texts import IDS, Labels, Measured, Texts

SAYS = {
    "chosen_equals_rejected": "have the same text as chosen and rejected",
    "tie": "are ties",
    "no_winner": "say no winner",
    "empty_prompt": "have an empty prompt",
    "empty_response": "have an empty response",
    "prompts_differ": "have two prompts",
    "not_assistant_reply": "do not end in the assistant's turn",
    "turns_do_not_alternate": "have turns out of order",
    "not_a_transcript": "are no transcript",
    "not_unicode": "hold broken characters",
    "over_limit": "are beyond the limit that was set",
}
"""Reason of scripts/sources -> how a sentence says it of rows."""
DROP = "its own score in the file is below the rejected response's"
WANTED = ("tie", "over_limit")
"""Reasons that are no fault of the file."""


def measure(texts: Texts) -> Measured:
    """Columns: row (of the source), score_gap (of the scores in the file); none where the pairs are not labelled."""
    labels = texts.labels
    if labels is None:
        return Measured([])
    first = labels.rows.drop_duplicates(IDS)
    joined = texts.pairs[IDS].merge(first, on=IDS, how="left")
    gap = (joined["chosen_score"] - joined["rejected_score"]).to_numpy(float)
    findings = [_left_out(labels), _ties(labels)]
    if not np.isnan(gap).all():
        findings.append(_scores(gap))
    columns = {"row": joined["row"].astype("Int64"), "score_gap": gap}
    return Measured(findings, columns, {DROP: np.nan_to_num(gap) < 0})


def _left_out(labels: Labels) -> Finding:
    dropped: Counter[str] = Counter()
    for card in labels.cards.values():
        dropped.update({reason: count for reason, count in card["dropped"].items() if reason not in WANTED})
    read = sum(card["rows_read"] for card in labels.cards.values())
    share = Share(dropped.total(), read)
    listed = "; ".join(f"{count:,} {SAYS.get(reason, reason)}" for reason, count in dropped.most_common())
    where = [
        place
        for reason, _ in dropped.most_common()
        for source, card in labels.cards.items()
        for place in places([source] * len(card["dropped_rows"].get(reason, [])), card["dropped_rows"].get(reason, []))
    ]
    return Finding(
        "no_pairs",
        "text",
        "Are all rows of the file pairs?",
        f"{share.told('rows')} cannot be trained on{': ' + listed if listed else ''}.",
        **share.numbers(),
        level=Limits(note=0.0, warn=0.01, bad=0.1).level(share.interval[0]) if share.hits else "good",
        evidence="They are left out of the pairs, counted by reason. Trainers that keep them learn nothing from equal "
        "texts, or wrong things from cut-off conversations.",
        remedy="Fix or remove these rows." if share.hits else "",
        places=where,
    )


def _ties(labels: Labels) -> Finding:
    read = sum(card["rows_read"] for card in labels.cards.values())
    rows = [
        place
        for source, card in labels.cards.items()
        for place in places([source] * len(card["dropped_rows"].get("tie", [])), card["dropped_rows"].get("tie", []))
    ]
    share = Share(sum(card["dropped"].get("tie", 0) for card in labels.cards.values()), read)
    return Finding(
        "ties",
        "text",
        "Are there ties?",
        f"{share.told('rows')} prefer neither response. They make no pairs.",
        **share.numbers(),
        level=Limits(note=0.01, warn=0.3).level(share.interval[0]),
        evidence="A tie says that both responses are as good; DPO has no use for it.",
        places=rows,
    )


def _scores(gap: np.ndarray) -> Finding:
    known = gap[~np.isnan(gap)]
    lower, equal = int((known < 0).sum()), int((known == 0).sum())
    share = Share(lower + equal, len(known))
    against = pd.Series(np.where(np.isnan(gap), np.inf, gap))
    remedies = ["Drop the pairs with a lower score: they are in the drop list."] if lower else []
    remedies += ["Label those with equal scores again."] if equal else []
    return Finding(
        "scores_in_file",
        "text",
        "Do the scores in the file agree with its labels?",
        f"{share.told('pairs')} with two scores do not score the chosen response higher: {lower:,} score it lower, "
        f"{equal:,} the same.",
        **share.numbers(),
        level=Limits(note=0.005, warn=0.05, bad=0.15).level(share.interval[0]),
        evidence="Where label and score come from one annotator, a label against its score is a mistake of either; "
        "equal scores are ties that were broken by chance.",
        remedy=" ".join(remedies),
        pairs=worst_first(np.flatnonzero(against <= 0), -against[against <= 0].to_numpy()),
        column="score_gap",
    )
