"""Whole conversations: every answer has the tokens that it has as a response, and nothing else is learnt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.chat import encode_all, encode_prompts
from scripts.lib.encoding import Encoder, Rules
from scripts.lib.errors import InputError
from scripts.lib.templates import Refused
from scripts.lib.turns import Turns, answers_in, encode_turns
from tests.chat_data import FAMILIES, tokenizer, tokenizer_of
from tests.unit.test_chat_families import TEXTS, conversation, rendered

REWRITING = ("gpt-oss", "qwen-3")
"""Families that write an answer otherwise once others follow it: another end, or no reasoning."""


@settings(max_examples=40)
@given(st.sampled_from(sorted(FAMILIES)), st.lists(TEXTS, min_size=2, max_size=7))
def test_every_answer_is_encoded_as_a_response_is(family: str, texts: list[str]) -> None:
    tokens, messages = tokenizer_of(family), conversation(*texts[: len(texts) // 2 * 2])
    (found,) = encode_turns(tokens, [messages])
    answers = answers_in(messages)
    alone = encode_all(tokens, answers)
    if isinstance(found, Refused):
        rewritten = family in REWRITING and len(answers) > 1
        assert any(isinstance(each, Refused) for each in alone) or (rewritten and found.reason == "turn_rewritten")
        return
    ids = found.ids.tolist()
    prompts = encode_prompts(tokens, [each.prompt for each in answers])
    assert len(found.places) == len(answers)
    for (first, end), each, prompt in zip(found.places, alone, prompts, strict=True):
        assert ids[:first] == prompt == each.prompt_ids and ids[first:end] == each.response_ids
    assert rendered(tokens, messages)[: len(ids)] == ids and found.places[-1][1] == len(ids)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_templates_that_rewrite_answers_are_refused_and_others_are_not(family: str) -> None:
    tokens = tokenizer_of(family)
    two, one = encode_turns(tokens, [conversation("hi", "a", "what is it", "b"), conversation("hi", "a")])
    assert isinstance(one, Turns)
    assert isinstance(two, Refused) == (family in REWRITING)
    if family in REWRITING:
        assert two.reason == "turn_rewritten" and "turn 1 otherwise" in str(two)


def test_the_places_are_those_that_transformers_finds_by_generation_tags() -> None:
    tagged = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}{% generation %}"
        "{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}"
        "{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
    tokens = tokenizer("bytes", tagged, ["<unk>", "<|im_start|>", "<|im_end|>"], eos_token="<|im_end|>")
    messages = [{"role": "system", "content": "be kind"}, *conversation("hi", "seven is", "what ?", "a prime , 你好")]
    theirs = tokens.apply_chat_template(
        messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, add_generation_prompt=False
    )
    (found,) = encode_turns(tokens, [messages])
    mask = np.zeros(len(theirs["input_ids"]), int)
    for first, end in found.places:
        mask[first:end] = 1
    assert theirs["input_ids"][: len(found)] == found.ids.tolist()
    assert theirs["assistant_masks"] == mask.tolist() and mask.sum() == found.learnt > 0


@given(st.integers(0, 60))
def test_a_cut_keeps_the_first_tokens_and_ends_with_an_answer(max_length: int) -> None:
    (whole,) = encode_turns(tokenizer_of("qwen"), [conversation("hi", "seven is a prime", "what ?", "nine is not")])
    cut = whole.cut(max_length)
    assert len(cut) <= max_length and cut.ids.tolist() == whole.ids[: len(cut)].tolist()
    learnt = {at for first, end in whole.places for at in range(first, end) if at < max_length}
    assert {at for first, end in cut.places for at in range(first, end)} == learnt and cut.learnt == len(learnt)
    assert (len(cut) == 0) == (not learnt) and all(first < end for first, end in cut.places)
    assert not learnt or len(cut) == max(learnt) + 1


def test_refused_conversations_name_their_row_or_are_counted() -> None:
    tokens = tokenizer_of("gpt-oss")
    conversations = [conversation("hi", "a"), conversation("hi", "a", "what", "b")]
    with pytest.raises(InputError, match=r"(?s)table, row 1: .*turn 1 otherwise .*refused: drop in mine's entry"):
        Encoder(tokens, owner="mine").turns(conversations, "table, row {}".format)
    encoder = Encoder(tokens, Rules(refused="drop"))
    kept, dropped = encoder.turns(conversations, str)
    assert kept is not None and dropped is None and encoder.dropped == {"turn_rewritten": 1}
