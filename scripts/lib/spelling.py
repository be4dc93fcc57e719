"""Text as text: what the data spells is tokenised as words, and control tokens are the template's alone.

Before the template is applied, control tokens spelt out in the data are put in a code that no template reads. What is
then left of control tokens, the template has written. The text is tokenised by a twin of the tokenizer whose control
tokens have other names, so that a ``<s>`` of HTML is as good as any word. transformers' own sanitize_control_tokens
tokenises such words piece by piece, with other tokens than the text around them would give, and the environment of
vLLM has a version without it.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from scripts.lib.ids import Messages
from scripts.lib.seams import control_of
from scripts.lib.templates import Refused, template_in

OPEN, CLOSE, NAME = "\ufdd0", "\ufdd1", "\ufdd2"
"""Of Unicode's noncharacters, which no text holds; with a number between them, a control token spelt out or written."""


def is_spelt(tokenizer: PreTrainedTokenizerFast, *texts: str) -> bool:
    """Whether a control token is spelt out in one of the texts."""
    search = control_of(tokenizer).pattern.search
    return any(search(text) for text in texts)


def in_code(tokenizer: PreTrainedTokenizerFast, messages: Messages) -> Messages:
    """The messages with every control token in code, in all that they hold besides their roles."""
    control = control_of(tokenizer)
    number = {token: str(at) for at, token in enumerate(control.tokens)}
    if not is_spelt(tokenizer, *(text for turn in messages for name, text in turn.items() if name != "role")):
        return messages

    def code(text: str) -> str:
        if {OPEN, CLOSE, NAME} & set(text):
            raise _no_text(tokenizer, "has a control token beside noncharacters of Unicode (U+FDD0 to U+FDD2)")
        return control.pattern.sub(lambda found: OPEN + number[found[0]] + CLOSE, text)

    return [{name: text if name == "role" else code(text) for name, text in turn.items()} for turn in messages]


def decoded(tokenizer: PreTrainedTokenizerFast, text: str) -> str:
    """A rendered text with its code read back."""
    for at, token in enumerate(control_of(tokenizer).tokens):
        text = text.replace(f"{OPEN}{at}{CLOSE}", token)
    return text


def ids_of(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int] | Refused]:
    """Token ids of rendered texts, which may hold code; Refused where text would become a control token."""
    control = control_of(tokenizer)
    plain = [at for at, text in enumerate(texts) if OPEN not in text]
    found = dict(zip(plain, _ids(tokenizer, [texts[at] for at in plain]), strict=True))
    for at, text in enumerate(texts):
        ids = found[at] if at in found else _by_twin(tokenizer, text)
        forged = sum(map(control.ids.__contains__, ids)) > len(control.pattern.findall(text))
        found[at] = _no_text(tokenizer, f"is control to this tokenizer ({text[:80]!r})") if forged else ids
    return [found[at] for at in range(len(texts))]


def _ids(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    return tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]


def _no_text(tokenizer: PreTrainedTokenizerFast, problem: str) -> Refused:
    return Refused(template_in(tokenizer), "control_in_text", f"a text {problem}", "take it out of the text")


def _by_twin(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    control = control_of(tokenizer)
    number = {token: at for at, token in enumerate(control.tokens)}
    named = control.pattern.sub(lambda found: _name(number[found[0]]), text)
    twin, ids = _twin(tokenizer, tokenizer.chat_template)
    return [ids.get(each, each) for each in twin.encode(decoded(tokenizer, named), add_special_tokens=False).ids]


def _name(at: int) -> str:
    return f"{NAME}{at}{NAME}"


@lru_cache(maxsize=8)
def _twin(tokenizer: PreTrainedTokenizerFast, _template: str) -> tuple[Tokenizer, dict[int, int]]:
    """The tokenizer with other names for its control tokens, and its ids of added tokens -> the tokenizer's own."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    names = {token: _name(at) for at, token in enumerate(control_of(tokenizer).tokens)}
    for each in content["added_tokens"]:
        if each["content"] in names:
            each |= {"content": names[each["content"]], "normalized": False}
    model = content["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(token, token): at for token, at in model["vocab"].items()}
    else:
        model["vocab"] = [[names.get(token, token), score] for token, score in model["vocab"]]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    twin = Tokenizer.from_str(json.dumps(content | {"post_processor": None, "truncation": None, "padding": None}))
    own = {token.content: at for at, token in tokenizer.added_tokens_decoder.items()}
    return twin, {twin.token_to_id(names.get(token, token)): at for token, at in own.items()}
