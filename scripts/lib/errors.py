"""The one error that a user can fix: its message names the place and the remedy."""

LONGEST = 300
"""The most characters kept of a library's message."""


def in_short(error: Exception) -> str:
    """A library's message on one line, cut before it lists everything that it knows."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class InputError(Exception):
    """Bad input. ``str(error)`` says where (file, row or key), what is wrong, and what to do.

    ``told`` is the message without the remedy, for callers that have a better one.

    Steps print only the message, without a traceback (see ``scripts.lib.cli``).
    """

    def __init__(self, where, problem: str, remedy: str) -> None:
        # The problem may quote text with lone surrogates, which no log can hold.
        self.told, whole = (
            text.encode("utf-8", "backslashreplace").decode("utf-8")
            for text in (f"{where}: {problem}", f"{where}: {problem}\n  remedy: {remedy}")
        )
        super().__init__(whole)
