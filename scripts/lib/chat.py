"""From messages to token ids, the same way for sampling, log-probs and training.

The chat template is applied once, and decides every token: prompt, response and the end of its turn are the tokens of
the conversation as the template writes it, up to white space at its end. What does not fit is refused, row by row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from scripts.lib.ids import Messages
from scripts.lib.seams import PROBE, after_prompt, marks_of, misfit, opening_of, seams
from scripts.lib.spelling import decoded, ids_of, in_code
from scripts.lib.templates import Refused, render, template_in
from scripts.lib.thought_fields import as_taken, refuse_loss


@dataclass(frozen=True)
class Encoded:
    """Token ids of a prompt (generation prompt included) and of a response (end of turn included)."""

    prompt_ids: list[int]
    response_ids: list[int]

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.response_ids)

    def cut(self, max_length: int) -> "Encoded":
        """The response cut so that both fit ``max_length`` tokens; it is empty if the prompt leaves no room."""
        return Encoded(self.prompt_ids, self.response_ids[: max(0, max_length - len(self.prompt_ids))])


class Answer(NamedTuple):
    """A response to a prompt. finished: whether it ends its turn; one that was cut short does not."""

    prompt: Messages
    response: str
    finished: bool = True


def encode_prompt(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> list[int]:
    """Token ids of a prompt under the chat template, up to where the response begins.

    Raises Refused if the template or the tokenizer does not take it, or if one BOS token follows another (promise P4).
    """
    return _or_raise(encode_prompts(tokenizer, [prompt])[0])


def encode_response(tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str) -> list[int]:
    """Token ids of a response to a prompt, with what the template puts before it and the end of its turn."""
    return _or_raise(encode_all(tokenizer, [Answer(prompt, response)])[0]).response_ids


def encode(
    tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str, max_length: int, finished: bool = True
) -> Encoded:
    """Prompt and response, the response cut so that both fit ``max_length`` tokens.

    If the prompt leaves no room for one response token, ``response_ids`` is empty. The result for a smaller
    ``max_length`` is a prefix of the result for a larger one. Raises Refused.
    """
    return _or_raise(encode_all(tokenizer, [Answer(prompt, response, finished)])[0]).cut(max_length)


def encode_prompts(tokenizer: PreTrainedTokenizerFast, prompts: Sequence[Messages]) -> list[list[int] | Refused]:
    """As :func:`encode_prompt`, for many at once, each with its refusal in place of an error."""
    texts = [tried(_before, tokenizer, prompt) for prompt in prompts]
    return _through(lambda found: [_checked(tokenizer, *each) for each in _with_ids(tokenizer, found)], texts)


def encode_all(tokenizer: PreTrainedTokenizerFast, answers: Sequence[Answer]) -> list[Encoded | Refused]:
    """Every answer as tokens, uncut, or with its refusal; many at once, as tokenizers use all cores."""
    return _through(lambda texts: _joined(tokenizer, texts), [tried(_texts, tokenizer, each) for each in answers])


def encode_conversation(
    tokenizer: PreTrainedTokenizerFast, prompt: Messages, response: str, max_length: int
) -> list[int] | None:
    """Token ids of prompt and response exactly as the chat template writes them, cut at the end to ``max_length``.

    For models that read and do not write: their template needs no generation prompt and no end of turn. None if the
    cut would leave no token of the response. Raises Refused.
    """
    messages = [*prompt, {"role": "assistant", "content": response}]
    _check(tokenizer, messages)
    coded = in_code(tokenizer, as_taken(tokenizer, messages))
    whole = render(tokenizer, coded)
    refuse_loss(tokenizer, coded[-1], whole)
    (ids,) = (_checked(tokenizer, *each) for each in _with_ids(tokenizer, [whole]))
    ids = _or_raise(ids)
    if len(ids) > max_length:
        (before,) = ids_of(tokenizer, [render(tokenizer, coded[:-1], generation_prompt=True)])
        if len(_or_raise(before)) >= max_length:
            return None
    return ids[:max_length]


def end_of_turn(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> str:
    """The text with which the template ends a response to such a prompt, in every place of a conversation.

    Raises Refused if it writes none, or does not begin an assistant's turn with the generation prompt.
    """
    return seams(tokenizer, prompt).end


def end_ids(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> tuple[int, ...]:
    """The tokens of :func:`end_of_turn` after a response."""
    return _end_ids(tokenizer, tokenizer.chat_template, tuple(turn["role"] for turn in prompt))


@lru_cache(maxsize=1024)
def _end_ids(tokenizer: PreTrainedTokenizerFast, _template: str, roles: tuple[str, ...]) -> tuple[int, ...]:
    prompt = [{"role": role, "content": PROBE} for role in roles]
    _, text = _texts(tokenizer, Answer(prompt, PROBE))
    whole, begun = ids_of(tokenizer, [text, text.removesuffix(seams(tokenizer, prompt).end)])
    return tuple(whole[len(begun) :])


def _before(tokenizer: PreTrainedTokenizerFast, prompt: Messages) -> str:
    """The prompt as a text, up to where the response begins."""
    _check(tokenizer, prompt)
    text = render(tokenizer, in_code(tokenizer, as_taken(tokenizer, prompt)), generation_prompt=True)
    return text.rstrip() if seams(tokenizer, prompt).stem else text


def _texts(tokenizer: PreTrainedTokenizerFast, answer: Answer) -> tuple[str, str]:
    """The prompt up to where the response begins, and the same with the response and the end of its turn."""
    prompt, response, finished = answer
    messages = [*prompt, {"role": "assistant", "content": response}]
    _check(tokenizer, messages)
    around = seams(tokenizer, prompt)
    coded = in_code(tokenizer, as_taken(tokenizer, messages))
    before, whole = render(tokenizer, coded[:-1], generation_prompt=True), render(tokenizer, coded)
    rest = after_prompt(tokenizer, before, whole)
    if not rest.endswith(around.tail):
        raise misfit(
            tokenizer, f"a response is followed by {around.tail!r}, and this one is not: {decoded(tokenizer, rest)!r}"
        )
    refuse_loss(tokenizer, coded[-1], rest)
    said = rest.removesuffix(around.tail) + around.end
    if not finished:  # as it was drawn: a template may rewrite a thought that has no end
        said = around.space + in_code(tokenizer, messages[-1:])[0]["content"] if response else ""
    return before.rstrip() if around.stem else before, before + said


def _joined(tokenizer: PreTrainedTokenizerFast, texts: list[tuple[str, str]]) -> list[Encoded | Refused]:
    distinct = list(dict.fromkeys(before for before, _ in texts))
    prompts = {text: _checked(tokenizer, text, ids) for text, ids in _with_ids(tokenizer, distinct)}
    wholes = ids_of(tokenizer, [whole for _, whole in texts])
    found: list[Encoded | Refused] = []
    for (before, whole), ids in zip(texts, wholes, strict=True):
        prompt = prompts[before]
        refusal = next((each for each in (prompt, ids) if isinstance(each, Refused)), None)
        if refusal is None and ids[: len(prompt)] != prompt:
            around = decoded(tokenizer, whole[max(0, len(before) - 20) : len(before) + 20])
            refusal = Refused(
                template_in(tokenizer),
                "prompt_runs_into_response",
                f"the last token of the prompt is also the first of the response ({around!r})",
                "give a chat_template that divides them by white space or a token",
            )
        found.append(refusal or Encoded(prompt, ids[len(prompt) :]))
    return found


def _with_ids(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> list[tuple[str, list[int] | Refused]]:
    return list(zip(texts, ids_of(tokenizer, texts), strict=True))


def _checked(tokenizer: PreTrainedTokenizerFast, text: str, ids: list[int] | Refused) -> list[int] | Refused:
    """The ids, unless one BOS token follows another."""
    if isinstance(ids, Refused):
        return ids
    bos = tokenizer.bos_token_id
    # If BOS is also the end-of-text token, the end of one turn may be followed by the beginning of the next.
    places = len(ids) - 1 if bos != tokenizer.eos_token_id else min(1, len(ids) - 1)
    if bos is not None and any(ids[at] == bos == ids[at + 1] for at in range(places)):
        return Refused(
            template_in(tokenizer),
            "two_bos_tokens",
            f"two BOS tokens ({tokenizer.bos_token}) in a row ({text[:80]!r})",
            "give a chat_template that writes one",
        )
    return ids


def _check(tokenizer: PreTrainedTokenizerFast, messages: Messages) -> None:
    """Raises Refused for a text to which a template was applied before, or that begins a turn in plain words."""
    opening = opening_of(tokenizer)
    roles = [turn["role"] for turn in messages]
    marks = marks_of(tokenizer, roles[:-1] if roles[-1] == "assistant" else roles)
    for turn in messages:
        content = turn["content"]
        if opening and content.lstrip().startswith(opening):
            raise Refused(
                template_in(tokenizer),
                "template_applied_before",
                f"a text begins as the template does ({content[:80]!r}): it has been applied to it before",
                "give the plain text",
            )
        mark = marks.get(turn["role"])
        if mark and mark in content:
            raise Refused(
                template_in(tokenizer),
                "turn_in_text",
                f"a text holds {mark!r}, which begins a turn in plain words, so that it would forge one",
                "give a chat_template whose turns begin with tokens of their own",
            )


def tried(work: Callable, *arguments: Any) -> Any:
    """What ``work`` gives, or its refusal."""
    try:
        return work(*arguments)
    except Refused as refusal:
        return refusal


def _through(work: Callable[[list], list], items: list) -> list:
    """``work`` on all items at once that are no refusals, which stay where they are."""
    kept = [at for at, each in enumerate(items) if not isinstance(each, Refused)]
    done = dict(zip(kept, work([items[at] for at in kept]), strict=True))
    return [done.get(at, each) for at, each in enumerate(items)]


def _or_raise(found: Any | Refused) -> Any:
    if isinstance(found, Refused):
        raise found
    return found
