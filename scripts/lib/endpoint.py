"""A client of an OpenAI-compatible endpoint. Its key is read from the environment only, and no log shows it."""

import logging
import os
from typing import TYPE_CHECKING

from scripts.lib.config.endpoints import Endpoint
from scripts.lib.errors import InputError

if TYPE_CHECKING:
    import openai


def client_of(spec: Endpoint) -> "openai.OpenAI":
    """The client for an endpoint. Raises InputError without a key."""
    if not os.environ.get("OPENAI_API_KEY"):
        raise InputError(
            "OPENAI_API_KEY", "not set", "set it in the environment; any word does for an endpoint that asks for none"
        )
    import openai

    quieten_clients()
    return openai.OpenAI(base_url=spec.base_url, max_retries=5, timeout=120.0)


def quieten_clients() -> None:
    """Keep a client's line for each request, which shows its address, out of a step's log."""
    for client in ("httpx", "httpx2", "openai"):
        logging.getLogger(client).setLevel(logging.WARNING)
