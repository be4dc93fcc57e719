"""The one error a user can mend: its message names the place and the remedy."""


class InputError(Exception):
    """Bad input. ``str(error)`` says where (file, row or key), what is wrong, and what to do.

    ``told`` is the same without the remedy, for a check that has a better one.

    Steps print the message alone, without a traceback (see ``scripts.lib.cli``).
    """

    def __init__(self, where, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}\n  remedy: {remedy}")
        self.told = f"{where}: {problem}"
