"""The one error a user can mend: its message names the place and the remedy."""

LONGEST = 300
"""Characters of a library's message."""


def in_short(error: Exception) -> str:
    """A library's message on one line, cut where it goes on to list all that it knows."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class InputError(Exception):
    """Bad input. ``str(error)`` says where (file, row or key), what is wrong, and what to do.

    ``told`` is the same without the remedy, for a check that has a better one.

    Steps print the message alone, without a traceback (see ``scripts.lib.cli``).
    """

    def __init__(self, where, problem: str, remedy: str) -> None:
        # what is wrong may be text with half a character, which no log can hold
        self.told, whole = (
            text.encode("utf-8", "backslashreplace").decode("utf-8")
            for text in (f"{where}: {problem}", f"{where}: {problem}\n  remedy: {remedy}")
        )
        super().__init__(whole)
