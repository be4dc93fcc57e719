"""From messages to token ids, the same way for sampling, log-probs and training.

The chat template is applied exactly once. A response is followed by what the template puts after an assistant turn, so
that a policy is trained and scored on ending its turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages

PROBE = "0response0"
"""Placeholder for a response, to find what a template puts around one."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of a prompt (generation prompt included) and of a response (end of turn included)."""

    prompt_ids: list[int]
    response_ids: list[int]

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.response_ids)


def encode_prompt(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> list[int]:
    """Token ids of a prompt under the chat template, up to where the response begins.

    Raises InputError if the template refuses the messages, or if one BOS token follows another (promise P4).
    """
    return _ids_of_prompt(tokenizer, prompt, _render(tokenizer, prompt, generation_prompt=True))


def encode_response(tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str) -> list[int]:
    """Token ids of a response to a prompt, with the end-of-turn token(s) that the template puts after it.

    Prompt and response are tokenised as one text if that leaves the prompt's tokens unchanged (a SentencePiece
    tokenizer would otherwise put a space before the response), else separately.
    """
    return _encode(tokenizer, prompt, response).response_ids


def encode(tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str, max_length: int) -> Encoded:
    """Prompt and response, the response cut so that both fit ``max_length`` tokens.

    If the prompt leaves no room for one response token, ``response_ids`` is empty. The result for a smaller
    ``max_length`` is a prefix of the result for a larger one.
    """
    encoded = _encode(tokenizer, prompt, response)
    room = max(0, max_length - len(encoded.prompt_ids))
    return Encoded(encoded.prompt_ids, encoded.response_ids[:room])


def end_of_turn(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> str:
    """The text that the template puts after a response to such a prompt, without trailing white space.

    If the template puts nothing, the end-of-text token. Raises InputError if the template does not begin an assistant
    turn with the generation prompt, or if there is no such token.
    """
    return _end_of_turn(tokenizer, tokenizer.chat_template, tuple(turn["role"] for turn in prompt))


@lru_cache(maxsize=256)
def _end_of_turn(tokenizer: PreTrainedTokenizerFast, template: str, roles: Sequence[str]) -> str:
    prompt = [{"role": role, "content": "prompt"} for role in roles]
    before = _render(tokenizer, prompt, generation_prompt=True)
    turn = [{"role": "assistant", "content": PROBE}]
    whole = _render(tokenizer, prompt + turn, generation_prompt=False)
    if not whole.startswith(before) or PROBE not in whole[len(before) :]:
        raise InputError(
            f"chat template of {tokenizer.name_or_path}",
            f"an assistant's turn does not begin with the generation prompt ({before!r} against {whole!r})",
            "give the policy a chat_template that adds a generation prompt and then the response",
        )
    end = whole.rpartition(PROBE)[2].rstrip() or tokenizer.eos_token
    if not end:
        raise InputError(
            f"chat template of {tokenizer.name_or_path}",
            "puts nothing after a response, and the tokenizer has no eos_token",
            "give the policy a chat_template that ends an assistant's turn with a token",
        )
    return end


def _encode(tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str) -> Encoded:
    before = _render(tokenizer, prompt, generation_prompt=True)
    prompt_ids = _ids_of_prompt(tokenizer, prompt, before)
    _refuse_bos_at_start(tokenizer, response)
    rest = response + end_of_turn(tokenizer, prompt)
    whole = _ids(tokenizer, before + rest)
    if whole[: len(prompt_ids)] == prompt_ids:
        return Encoded(prompt_ids, whole[len(prompt_ids) :])
    return Encoded(prompt_ids, _ids(tokenizer, rest))


def _ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, return_attention_mask=False)["input_ids"]


def _ids_of_prompt(tokenizer: PreTrainedTokenizerFast, prompt: Messages, text: str) -> list[int]:
    for turn in prompt:
        _refuse_bos_at_start(tokenizer, turn["content"])
    ids = _ids(tokenizer, text)
    bos = tokenizer.bos_token_id
    # If BOS is also the end-of-text token, the end of one turn may be followed by the beginning of the next.
    places = len(ids) - 1 if bos != tokenizer.eos_token_id else min(1, len(ids) - 1)
    if bos is not None and any(ids[at] == bos == ids[at + 1] for at in range(places)):
        raise InputError(
            f"prompt {text[:80]!r}",
            f"two BOS tokens ({tokenizer.bos_token}) in a row",
            "let the chat template add one BOS token, and take it out of the text",
        )
    return ids


def _refuse_bos_at_start(tokenizer: PreTrainedTokenizerFast, content: str) -> None:
    bos = tokenizer.bos_token
    if bos and bos != tokenizer.eos_token and content.lstrip().startswith(bos):
        raise InputError(
            f"text {content[:80]!r}",
            f"begins with a BOS token ({bos}): a chat template has been applied to it before",
            "give the plain text; the policy's chat template is applied here, once",
        )


def _render(tokenizer: PreTrainedTokenizerFast, messages: Messages, generation_prompt: bool) -> str:
    try:
        return tokenizer.apply_chat_template(messages, add_generation_prompt=generation_prompt, tokenize=False)
    except (TemplateError, TypeError) as error:
        raise InputError(
            f"chat template of {tokenizer.name_or_path}",
            f"refuses messages of the roles {', '.join(turn['role'] for turn in messages)} ({error})",
            "drop such prompts, or give the policy a chat_template that takes them",
        ) from error
