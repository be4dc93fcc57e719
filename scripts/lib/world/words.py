"""Every word of the didactic world. No phrase uses a word that is also a letter (so no "a", no "I")."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LETTERS = tuple("abcdefghijkl")
NUMBERS = tuple(str(number) for number in range(13))

NAMES = ("tom", "ann", "bob", "eve", "max", "ida", "leo", "zoe", "sam", "amy", "ned", "una")
THINGS = ("apples", "pens", "coins", "books", "cups", "stones", "shells", "cards")
GAINS = ("gets", "finds", "buys")
LOSSES = ("loses", "sells", "drops")

ANIMALS = _split("fox owl hen cat dog cow pig bee ant bat crow wolf bear goat hare swan")
VALUES = {
    "colour": _split("red blue green grey brown white black pink"),
    "home": _split("cave river forest barn hill marsh tower island"),
    "food": _split("grass seeds fish honey nuts roots bread milk"),
    "sport": _split("chess tennis rowing golf skiing judo boxing fencing"),
}
"""Attribute -> the values that it can take; no value belongs to two attributes."""

BEGINNINGS = ("hello", "yes", "well", "listen")
ENDINGS = ("done", "bye", "cheers", "over")
SEPARATORS = ("and", "then", ",")

OPENINGS = ("sure ,", "of course ,", "happy to help .", "thanks for your question .")
CLOSINGS = (
    "hope this helps .",
    "thanks for asking me .",
    "let me know what you think .",
    "it was very nice to help you .",
)
RAMBLINGS = (
    "as you know well ,",
    "to be honest with you ,",
    "let me think .",
    "it is what it is .",
    "there is so much to say here .",
)
REFUSALS = ("sorry , no idea .", "sorry , this is not for me .", "no .", "please ask tom .")
"""Courtesies, ramblings and refusals, each list roughly in order of length."""

GRAMMAR = _split(
    "copy repeat say again reverse turn around backwards sort order put in this the list these letters please . : , ? "
    "begin with end between them give only first leave out each twice here is it are has how many plus minus answer "
    "asks what of and tell or which letter comes last"
)
"""The remaining words of prompts and answers."""


def vocabulary() -> list[str]:
    """All words of the language, each once, in a fixed order."""
    phrases = (*OPENINGS, *CLOSINGS, *RAMBLINGS, *REFUSALS)
    groups = (
        *(LETTERS, NUMBERS, NAMES, THINGS, GAINS, LOSSES, ANIMALS),
        *([attribute, *values] for attribute, values in VALUES.items()),
        *(BEGINNINGS, ENDINGS, SEPARATORS, GRAMMAR),
        *(phrase.split() for phrase in phrases),
    )
    return list(dict.fromkeys(word for group in groups for word in group))
