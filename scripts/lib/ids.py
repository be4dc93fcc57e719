"""Content-hash ids: equal text from two places is one prompt, one response."""

import hashlib
import json
import unicodedata

Messages = list[dict[str, str]]


def normalise(text: str) -> str:
    """Text as it is stored: Unicode NFC, ``\\n`` line ends, no surrounding white space."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()[:20]


def _spelt(turns: Messages) -> str:
    return json.dumps([[turn["role"], normalise(turn["content"])] for turn in turns], ensure_ascii=False)


def prompt_id(prompt: Messages) -> str:
    """Id of a prompt, from its messages' roles and normalised contents."""
    return _digest("prompt", _spelt(prompt))


def conversation_id(conversation: Messages) -> str:
    """Id of a whole conversation, likewise."""
    return _digest("conversation", _spelt(conversation))


def response_id(of_prompt: str, response: str, finished: bool = True) -> str:
    """Id of a response, from the id of its prompt and its normalised text only.

    One that was cut short is another response than the same text with an end: it is learnt without one.
    """
    return _digest("response", of_prompt, normalise(response), *([] if finished else ["cut"]))


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any values; equal values give the same seed on every machine."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") >> 1
