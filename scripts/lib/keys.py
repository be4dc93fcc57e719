"""Keys and addresses that the environment holds: no log, error or result shows one."""

import os
import re

LEAST = 6
"""Characters of the shortest value that is taken for a key: ``none`` is not, and may stand in any text."""

NAMES = re.compile(r"(KEY|KEYS|TOKEN|SECRET|PASSWORD|BASE_URL|ENDPOINT)$", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text with ``***`` for every variable's key or address, and for each of several that one variable holds."""
    values = {part for name, value in os.environ.items() if NAMES.search(name) for part in (value, *value.split(","))}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= LEAST:
            text = text.replace(value, "***")
    return text
