"""What PairRM reads: a prompt and two responses as token ids (LLM-Blender, arXiv 2306.02561, and its authors' code).

Three parts end to end, each with its own [CLS] and [SEP]: ``<|source|>`` prompt, ``<|candidate1|>`` one response,
``<|candidate2|>`` the other. A part is cut by its own pair's lengths alone, never by what else is in the batch.
"""

from transformers import PreTrainedTokenizerFast

from scripts.lib.errors import InputError
from scripts.lib.ids import Messages

SOURCE, FIRST, SECOND, EITHER = "<|source|>", "<|candidate1|>", "<|candidate2|>", "<|candidate|>"
PREFIXES = (SOURCE, FIRST, SECOND, EITHER)
"""The added tokens, in the order of their ids; EITHER stands for a response before its place is known."""

# As in the authors' code, spelling and missing line end included: the model was trained on it.
TASK = "Finish the following coversation in each i-th turn by filling in <Response i> with your response."


class PairText:
    """PairRM's tokenizer and lengths. Lengths count a part's three special tokens."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, source_length: int, candidate_length: int, as_conversation: bool
    ) -> None:
        self.tokenizer = tokenizer
        self.source_length = source_length
        self.candidate_length = candidate_length
        self.as_conversation = as_conversation
        self.begin, self.end = tokenizer.cls_token_id, tokenizer.sep_token_id
        self.prefixes = {prefix: tokenizer.convert_tokens_to_ids(prefix) for prefix in (SOURCE, FIRST, SECOND)}
        self._refuse_unknown()
        special = {*tokenizer.added_tokens_decoder, *tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        self._as_text = {at: self._spaced(tokenizer.convert_ids_to_tokens(at), special) for at in special}

    def both_orders(self, prompt: Messages, first: str, second: str) -> tuple[list[int], list[int]]:
        """Token ids of the prompt with the first response first, and with the second one first."""
        source_text, *responses = as_texts(prompt, [first, second], self.as_conversation)
        source = self._part(SOURCE, source_text, self.source_length)
        room = (self.source_length + 2 * self.candidate_length - len(source)) // 2
        (a1, a2), (b1, b2) = ([self._part(at, each, room) for at in (FIRST, SECOND)] for each in responses)
        return source + a1 + b2, source + b1 + a2

    def _part(self, prefix: str, text: str, length: int) -> list[int]:
        return [self.begin, self.prefixes[prefix], *self._ids(text)[: length - 3], self.end]

    def _ids(self, text: str) -> list[int]:
        """Token ids of a text. What is spelt like a special token is read as text, with a space after its first letter.

        A tokenizer that knows no other way to write it would otherwise make it the special token itself.
        """
        return [each for at in self._raw(text) for each in self._as_text.get(at, [at])]

    def _raw(self, text: str) -> list[int]:
        """Token ids of a text after a prefix: some tokenizers put no space there."""
        return self.tokenizer(SOURCE + text, add_special_tokens=False)["input_ids"][1:]

    def _spaced(self, token: str, special: set[int]) -> list[int]:
        return [at for at in self._raw(f"{token[:1]} {token[1:]}") if at not in special]

    def _refuse_unknown(self) -> None:
        ids = [*self.prefixes.values(), self.begin, self.end]
        found = self.tokenizer(SOURCE, add_special_tokens=False)["input_ids"]
        if None in ids or len({*ids, self.tokenizer.unk_token_id}) <= len(ids) or found != [self.prefixes[SOURCE]]:
            raise InputError(
                self.tokenizer.name_or_path,
                f"its tokenizer lacks one of {', '.join(self.prefixes)}, [CLS] and [SEP]",
                "give the tokenizer that belongs to a ranker in PairRM's layout, as tokenizer.json next to its weights",
            )


def as_texts(prompt: Messages, responses: list[str], as_conversation: bool) -> list[str]:
    """The source's text, and one text per response.

    One turn is written as it is. Several turns, or one if asked, are written as in the authors' compare_conversations:
    the source holds the user's turns, and the candidates all of the assistant's. A system's text, for which the authors
    have no place, comes before the user's.
    """
    system = "".join(f"{turn['content']}\n" for turn in prompt if turn["role"] == "system")
    turns = [turn for turn in prompt if turn["role"] != "system"]
    if len(turns) == 1 and not as_conversation:
        return [system + turns[0]["content"], *responses]
    lines, before, answers = [], "", 1
    for turn in turns:
        if turn["role"] == "user":
            lines.append(f"USER: {turn['content']}")
        else:
            lines.append(f"Assistant: <Response {answers}>")
            before += f"<Response {answers}>: {turn['content']}\n"
            answers += 1
    lines.append(f"Assistant: <Response {answers}>")
    return [TASK + system + "\n".join(lines), *(f"{before}<Response {answers}>: {each}" for each in responses)]
