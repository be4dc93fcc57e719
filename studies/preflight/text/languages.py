"""Which languages the data is in: by script, and for Latin letters by common words. A guess."""

import re
from collections import Counter
from functools import lru_cache

import numpy as np

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, percent, worst_first
from studies.preflight.text.texts import Measured, Texts

HEAD = 600
"""Characters that are looked at."""
SCRIPTS = {
    "Chinese": r"\u4e00-\u9fff\u3400-\u4dbf",
    "Japanese": r"\u3040-\u30ff",
    "Korean": r"\uac00-\ud7af",
    "Russian or another in Cyrillic": r"\u0400-\u04ff",
    "Arabic or another in its script": r"\u0600-\u06ff",
    "Hindi or another in Devanagari": r"\u0900-\u097f",
    "Greek": r"\u0370-\u03ff",
    "Hebrew": r"\u0590-\u05ff",
    "Thai": r"\u0e00-\u0e7f",
}
COMMON = {
    "English": "the and is are was of to in that it for you with this what how not have from do as",
    "German": "der die das und ist nicht ein eine ich du sie wie mit auf für von zu den dem werden",
    "French": "le la les et est une des pas que vous dans pour avec sur qui du au ce je nous",
    "Spanish": "el los las y es una que no por para con del en como se su más lo al está",
    "Portuguese": "os as é uma não por para com do da em como se mais ao você são dos das um",
    "Italian": "il gli e è una non per con del di che come si più al sono della nel lo mi",
    "Dutch": "de het een en is niet van ik je dat voor met op zijn wat hoe aan ook er te",
}
ADDRESS = re.compile(r"https?://\S+|www\.\S+")
WORD = re.compile(r"[^\W\d_]+")
LETTER = re.compile(r"[^\W\d_]")
WORDS_OF = {
    word: [name for name, text in COMMON.items() if word in text.split()]
    for text in COMMON.values()
    for word in text.split()
}
LEAST_WORDS = 6
"""Shorter texts in Latin letters say nothing."""
UNKNOWN = ""
LIMITS = Limits(note=0.01, warn=0.05, bad=0.2)
"""Of pairs whose responses are in two languages."""


@lru_cache(maxsize=1)
def _scripts() -> dict[str, re.Pattern]:
    return {name: re.compile(f"[{characters}]") for name, characters in SCRIPTS.items()}


def language_of(text: str) -> str:
    """The language of a text; empty if unknown. A third of the letters in a script of its own decide."""
    head = text[:HEAD]
    if not head.isascii():
        letters = len(LETTER.findall(head))
        counts = {name: len(pattern.findall(head)) for name, pattern in _scripts().items()}
        if counts["Japanese"] * 10 > letters > 0:
            return "Japanese"
        best = max(counts, key=counts.__getitem__)
        if counts[best] * 3 > letters > 0:
            return best
    found = WORD.findall(ADDRESS.sub(" ", head.casefold()))
    if len(found) < LEAST_WORDS:
        return UNKNOWN
    votes = Counter(name for word in found for name in WORDS_OF.get(word, ()))
    (first, most), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return first if most >= 2 and most * 12 >= len(found) and most > second else UNKNOWN


def measure(texts: Texts) -> Measured:
    """Columns: language (of the prompt's last turn; else of the chosen response)."""
    asked = [language_of(prompt[-1]["content"]) for prompt in texts.prompts]
    prompt = [asked[at] for at in texts.pairs["prompt"]]
    chosen, rejected = ([language_of(text) for text in texts.pairs[side]] for side in ("chosen", "rejected"))
    language = [one or other for one, other in zip(prompt, chosen, strict=True)]
    apart = np.array([bool(one and other and one != other) for one, other in zip(chosen, rejected, strict=True)], bool)
    return Measured([_languages(language), _apart(apart)], {"language": language, "languages_differ": apart})


def _languages(language: list[str]) -> Finding:
    counts = Counter(each for each in language if each)
    known = counts.total()
    if not known:
        return Finding("languages", "text", _QUESTION, "The language could not be told.", level="note", evidence=_HOW)
    main, most = counts.most_common(1)[0]
    share = Share(most, known)
    others = "; ".join(f"{percent(count / known)} {name}" for name, count in counts.most_common(6)[1:])
    return Finding(
        "languages",
        "text",
        _QUESTION,
        f"{share.told('pairs')} whose language could be told are {main}{'; ' + others if others else ''}. "
        f"It could not be told of {len(language) - known:,}.",
        **share.numbers(),
        level="note" if share.value < 0.95 else "good",
        evidence=_HOW,
        pairs=worst_first([at for at, each in enumerate(language) if each not in ("", main)]),
    )


def _apart(apart: np.ndarray) -> Finding:
    share = Share(int(apart.sum()), len(apart))
    level = LIMITS.level(share.interval[0])
    return Finding(
        "languages_differ",
        "text",
        "Are the two responses in one language?",
        f"{share.told('pairs')} have a chosen response in another language than the rejected one.",
        **share.numbers(),
        level=level,
        evidence=_HOW,
        remedy="If the language is not what is to be learnt, drop these pairs." if level in ("warn", "bad") else "",
        pairs=worst_first(np.flatnonzero(apart)),
    )


_QUESTION = "Which languages is the data in?"
_HOW = "Told by script, and for Latin letters by common words of seven languages: a guess, good for shares."
