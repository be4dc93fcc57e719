"""Pairs whose two responses say the same: after normalising, and after the cut at the training length."""

import re
import unicodedata

import numpy as np

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, worst_first
from studies.preflight.text.lengths import Lengths
from studies.preflight.text.texts import Measured, Texts

LIMITS = Limits(note=0.001, warn=0.01, bad=0.05)
DROP_NORMALISED = "chosen and rejected say the same but for case, spacing and punctuation"
DROP_CUT = "chosen and rejected are the same after the cut at max_length"
NO_WORD = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """A text's letters and digits: compatibility forms joined (NFKC), case folded; the text itself if it has none."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return NO_WORD.sub(" ", plain).strip() or plain


def measure(texts: Texts, lengths: Lengths, max_length: int) -> Measured:
    """Columns: same_normalised, same_after_cut. Both are reasons to drop a pair."""
    pairs = zip(texts.pairs["chosen"], texts.pairs["rejected"], strict=True)
    alike = np.array([normalised(chosen) == normalised(rejected) for chosen, rejected in pairs], bool)
    return Measured(
        [_normalised(alike), _cut(lengths, max_length)],
        {"same_normalised": alike, "same_after_cut": lengths.same_after_cut},
        {DROP_NORMALISED: alike, DROP_CUT: lengths.same_after_cut & ~alike},
    )


def _normalised(alike: np.ndarray) -> Finding:
    share = Share(int(alike.sum()), len(alike))
    level = LIMITS.level(share.interval[0])
    return Finding(
        "same_normalised",
        "text",
        "Do chosen and rejected say the same?",
        f"{share.told('pairs')} differ only in case, spacing or punctuation.",
        **share.numbers(),
        level=level,
        evidence="3D-Properties (arXiv 2406.07327) and Razin et al. 2024 (arXiv 2410.08847): pairs of near-equal "
        "responses lower the likelihood of both.",
        remedy="Drop them: they are in the drop list." if share.hits else "",
        pairs=worst_first(np.flatnonzero(alike)),
    )


def _cut(lengths: Lengths, max_length: int) -> Finding:
    same = lengths.same_after_cut
    share = Share(int(same.sum()), len(same))
    level = LIMITS.level(share.interval[0])
    return Finding(
        "same_after_cut",
        "text",
        f"Do chosen and rejected still differ after a cut at {max_length:,} tokens?",
        f"{share.told('pairs')} are the same once cut to {max_length:,} {lengths.unit}: they count as data, and teach "
        "nothing.",
        **share.numbers(),
        level=level,
        evidence="Such a pair has a loss of ln 2 and no gradient; 352 of 5,000 UltraFeedback pairs at 512 tokens are "
        "such. Training here leaves them out and counts them (scripts/training/reading.py).",
        remedy="Raise max_length, or drop them: they are in the drop list." if share.hits else "",
        pairs=worst_first(np.flatnonzero(same)),
    )
