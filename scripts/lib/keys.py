"""Removes API keys and addresses held in the environment from logs, errors and results."""

import os
import re

LEAST = 6
"""The shortest value treated as a key: shorter ones, such as ``none``, may occur in any text."""

NAMES = re.compile(r"(KEY|KEYS|TOKEN|SECRET|PASSWORD|BASE_URL|ENDPOINT)$", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text with ``***`` in place of every key or address in the environment, also if a variable holds several."""
    values = {part for name, value in os.environ.items() if NAMES.search(name) for part in (value, *value.split(","))}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= LEAST:
            text = text.replace(value, "***")
    return text
