"""An assistant's reasoning: from a field of the data to the tokens that the template writes for that field."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.lib.chat import Answer, encode, encode_all, encode_conversation, encode_prompt
from scripts.lib.errors import InputError
from scripts.lib.seams import control_of
from scripts.lib.templates import Refused
from scripts.lib.thought_fields import field_of
from scripts.lib.thoughts import parted, with_thought
from scripts.sources.load import load
from tests.chat_data import CHATML, THINKING, tokenizer, tokenizer_of
from tests.sources_data import lines, spec_of

WORDS = st.lists(st.sampled_from(["seven", "so", ",", "é", "😀", "\n\n", "<think>", "<s>", "(x)"]), min_size=1).map(
    lambda words: " ".join(words).strip() or "so"
)
ANSWERS = st.one_of(WORDS, st.sampled_from(["a </think> b", "<think>", "</think>"]))


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


@given(WORDS, ANSWERS)
def test_a_thought_comes_back_from_the_text(thought: str, answer: str) -> None:
    assert parted(with_thought(thought, answer)) == (thought, answer)
    assert parted(answer) is None


@pytest.mark.parametrize("family", THINKING)
@settings(max_examples=15, deadline=None)
@given(thoughts=st.tuples(WORDS, WORDS), answers=st.tuples(ANSWERS, ANSWERS))
@example(thoughts=("earlier", "two and two make four"), answers=("Hello", "4"))
@example(thoughts=("earlier", "a turn ends with <|im_end|> or <|return|>"), answers=("Hello", "4"))
def test_a_template_gets_a_thought_in_its_field(family: str, thoughts: tuple, answers: tuple) -> None:
    """The tokens are those of the conversation with its fields, as the template renders it."""
    tok = tokenizer_of(family)
    assert field_of(tok) is not None
    said = [with_thought(*each) for each in zip(thoughts, answers, strict=True)]
    prompt = turns("hi", said[0], "what ?")
    (found,) = encode_all(tok, [Answer(prompt, said[1])])
    fields = turns("hi", answers[0], "what ?", answers[1])
    for turn, thought in zip(fields[1::2], thoughts, strict=True):
        turn[THINKING[family]] = thought
    text = tok.apply_chat_template(fields, tokenize=False)
    ids = found.prompt_ids + found.response_ids
    if not control_of(tok).pattern.search("".join((*thoughts, *answers))):
        whole = tok(text, add_special_tokens=False)["input_ids"]
        assert whole[: len(ids)] == ids and tok.decode(whole[len(ids) :]).strip() == ""
        assert encode_conversation(tok, prompt, said[1], 10_000) == whole
    assert tok.decode(ids).strip() == text.strip()
    assert found.prompt_ids == encode_prompt(tok, prompt)
    plain = encode(tok, prompt, with_thought("so", "it"), 10_000)
    control = control_of(tok).ids
    assert [each for each in ids if each in control] == [
        each for each in plain.prompt_ids + plain.response_ids if each in control
    ]


def test_a_template_without_a_field_gets_the_text() -> None:
    tok = tokenizer_of("smollm")
    assert field_of(tok) is None
    ids = encode(tok, turns("hi"), with_thought("so", "seven"), 1000).response_ids
    assert tok.decode(ids) == "<think>\nso\n</think>\n\nseven<|im_end|>"


def test_a_cut_sample_is_learnt_as_it_was_drawn() -> None:
    tok = tokenizer_of("kimi-k2")
    for text in ("<think>so", "<think>so</think>sev"):
        assert tok.decode(encode(tok, turns("hi"), text, 1000, finished=False).response_ids) == text


DROPPING = CHATML.replace("m.content", "m.content.split('</think>')[-1]")


@pytest.mark.parametrize("response", [with_thought("so", "seven"), "so</think>seven"])
def test_a_template_that_leaves_a_thought_out_of_the_response_is_refused(response: str) -> None:
    tok = tokenizer("bytes", DROPPING, ["<unk>", "<|im_start|>", "<|im_end|>"], eos_token="<|im_end|>")
    with pytest.raises(Refused, match=r"leaves out what an assistant thinks \('so'\)\n  remedy: give a chat_template"):
        encode(tok, turns("hi"), response, 1000)
    with pytest.raises(Refused, match="leaves out"):
        encode_conversation(tok, turns("hi"), response, 1000)
    assert tok.decode(encode_prompt(tok, turns("hi", response, "what ?"))).count("so") == 0


ROW = {
    "chosen": [*turns("2+2?"), {"role": "assistant", "content": "4", "reasoning_content": "two and two make four"}],
    "rejected": [*turns("2+2?"), {"role": "assistant", "content": "4", "reasoning_content": "I say so"}],
}


@pytest.mark.parametrize("family", THINKING)
def test_from_the_data_to_the_tokens(tmp_path: Path, family: str) -> None:
    spec = spec_of("pairs", lines(tmp_path / "t.jsonl", [ROW]), reasoning="reasoning_content")
    tables, card = load("src", spec)
    assert card["read_as"] == {"reasoning_content as <think> in the text": 2} and not card["not_read"]
    tok = tokenizer_of(family)
    wanted = set()
    for side in ROW.values():
        answer = {"role": "assistant", "content": "4", THINKING[family]: side[-1]["reasoning_content"]}
        wanted.add(tok.apply_chat_template([side[0], answer], tokenize=False).strip())
    found = set()
    for response in tables.responses["response"]:
        encoded = encode(tok, tables.prompts["prompt"][0], response, 1000)
        found.add(tok.decode(encoded.prompt_ids + encoded.response_ids).strip())
    assert found == wanted


def test_reasoning_that_cannot_be_read_is_refused_with_its_place(tmp_path: Path) -> None:
    def problem(turn: dict, **more) -> str:
        path = lines(tmp_path / "t.jsonl", [{"prompt": "Q", "chosen": [turn], "rejected": "No."}])
        with pytest.raises(InputError) as error:
            load("src", spec_of("pairs", path, **more))
        return str(error.value)

    turn = {"role": "assistant", "content": "4", "thinking": "so </think> there"}
    assert "line 1, chosen[0]: column 'thinking'" in problem(turn)
    assert "remedy: add thinking to the source's leave_out; or" in problem(turn)
    assert "not one thought: it holds </think>" in problem(turn, reasoning="thinking")
    assert "not text" in problem(turn | {"thinking": ["so"]}, reasoning="thinking")
    asked = {"prompt": [{"role": "user", "content": "Q", "thinking": "so"}], "chosen": "Yes.", "rejected": "No."}
    with pytest.raises(InputError, match="column 'thinking' is 'so', not read"):
        load("src", spec_of("pairs", lines(tmp_path / "u.jsonl", [asked]), reasoning="thinking"))
    with pytest.raises(ValidationError, match="both named as reasoning and left out"):
        spec_of("pairs", "x.jsonl", reasoning="thinking", leave_out=["thinking"])


def test_a_turn_that_says_nothing_is_dropped_with_its_reasoning(tmp_path: Path) -> None:
    silent = ROW | {"rejected": [*turns("2+2?"), {"role": "assistant", "content": "", "reasoning_content": "so"}]}
    _, card = load("src", spec_of("pairs", lines(tmp_path / "t.jsonl", [ROW, silent]), reasoning="reasoning_content"))
    assert card["dropped"] == {"duplicate_response": 1, "empty_response": 1}
