"""From messages to token ids: the template's own text, exactly one BOS token, and the end of a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from scripts.lib.chat import Encoded, encode, encode_prompt, encode_response, end_ids, end_of_turn
from scripts.lib.errors import InputError
from scripts.lib.scratch import train_tokenizer
from scripts.lib.templates import Refused

QUESTION = [{"role": "user", "content": "sort b a"}]
SORTING = train_tokenizer("words", ["sort a b c d"], 64)
LATER = [*QUESTION, {"role": "assistant", "content": "a b"}, {"role": "user", "content": "and now ?"}]

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
THINKING = CHATML.replace(
    "{{ m.content }}",
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}",
)
LINES = (
    "{{ bos_token }}{% for m in messages %}\n### {{ m.role }}:\n{{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}\n### assistant:\n{% endif %}"
)
DOUBLE = "{{ bos_token }}" + LINES
OTHER_HEADER = CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>model\n{% endif %}")
ALTERNATING = "{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}" + CHATML


def byte_tokenizer(template: str, **special: str | None) -> PreTrainedTokenizerFast:
    """Every byte is a token, besides the special ones: everything that a template renders is visible.

    Like many, it would put a BOS token before any text unless told otherwise.
    """
    tokens = {token: at for at, token in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(tokens, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<s>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    special = {"bos_token": "<s>", "eos_token": "</s>"} | special
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        chat_template=template,
        **{name: token for name, token in special.items() if token},
    )


def spaced_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Like SentencePiece: a text begins with a space that nobody wrote."""
    alphabet = sorted(set(CHATML + "sort b a and now ? wxyz user \n") | {"▁"})
    backend = Tokenizer(models.BPE({token: at for at, token in enumerate(alphabet)}, [], unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", chat_template=template, unk_token="?"
    )


@pytest.mark.parametrize("template", [CHATML, LINES])
@pytest.mark.parametrize("prompt", [QUESTION, LATER])
def test_prompt_and_response_are_the_templates_own_text(template, prompt):
    tokenizer = byte_tokenizer(template)
    encoded = encode(tokenizer, prompt, "a b", 10_000)
    turn = {"role": "assistant", "content": "a b"}
    whole = tokenizer.apply_chat_template([*prompt, turn], tokenize=False).rstrip()
    assert tokenizer.decode(encoded.prompt_ids + encoded.response_ids) == whole
    assert encoded.prompt_ids == encode_prompt(tokenizer, prompt)
    assert tokenizer.decode(encoded.response_ids) == ("a b<|im_end|>" if template is CHATML else "a b</s>")


def test_end_of_turn_comes_from_the_template_and_is_one_token():
    tokenizer = byte_tokenizer(CHATML)
    assert end_of_turn(tokenizer, QUESTION) == "<|im_end|>"
    assert encode_response(tokenizer, QUESTION, "")[-1:] == [tokenizer.convert_tokens_to_ids("<|im_end|>")]


def test_a_changed_template_is_seen():
    tokenizer = byte_tokenizer(CHATML)
    assert end_of_turn(tokenizer, QUESTION) == "<|im_end|>"
    tokenizer.chat_template = LINES
    assert end_of_turn(tokenizer, QUESTION) == "</s>"


def test_what_a_template_puts_before_the_response_is_learnt_with_it():
    tokenizer = byte_tokenizer(THINKING)
    assert tokenizer.decode(encode_response(tokenizer, QUESTION, "a b")) == "<think>\n\n</think>\n\na b<|im_end|>"
    tokenizer = byte_tokenizer(LLAMA)
    assert tokenizer.decode(encode_prompt(tokenizer, QUESTION)).endswith("[/INST]")
    assert tokenizer.decode(encode_response(tokenizer, QUESTION, "a b")) == " a b</s>"


def test_what_was_cut_short_has_no_end():
    for template in (CHATML, LINES, LLAMA):
        tokenizer = byte_tokenizer(template)
        whole = encode(tokenizer, QUESTION, "a b", 1000).response_ids
        cut = encode(tokenizer, QUESTION, "a b", 1000, finished=False).response_ids
        assert cut == whole[: -len(end_ids(tokenizer, QUESTION))]
    assert encode(tokenizer, QUESTION, "", 1000, finished=False).response_ids == []


def test_no_bos_is_added_where_the_template_adds_none():
    tokenizer = byte_tokenizer(CHATML)
    assert tokenizer.bos_token_id not in encode(tokenizer, QUESTION, "a b", 1000).prompt_ids


def test_one_bos_where_the_template_adds_one():
    tokenizer = byte_tokenizer(LINES)
    assert encode_prompt(tokenizer, QUESTION).count(tokenizer.bos_token_id) == 1


def test_no_space_slips_in_before_the_response():
    tokenizer = spaced_tokenizer("{{ bos_token }}" + CHATML)
    together = encode(tokenizer, QUESTION, "a b", 1000)
    turn = {"role": "assistant", "content": "a b"}
    whole = tokenizer.apply_chat_template([*QUESTION, turn], tokenize=False).rstrip()
    assert together.prompt_ids + together.response_ids == tokenizer(whole, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(together.response_ids)[0] == "a"


def test_a_token_across_the_boundary_is_refused():
    """A prompt would then have no tokens of its own, to sample from and to learn from alike."""
    tokens = ["x", "y", "xy", "<", "|", "/", "s", ">"]
    backend = Tokenizer(models.BPE({token: at for at, token in enumerate(tokens)}, [("x", "y")]))
    template = "{% for m in messages %}{{ m.content }}{% if loop.index is even %}{{ eos_token }}{% endif %}{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", chat_template=template)
    encoded = encode(tokenizer, [{"role": "user", "content": "y"}], "x", 10)
    assert tokenizer.convert_ids_to_tokens(encoded.prompt_ids) == ["y"]
    assert tokenizer.convert_ids_to_tokens(encoded.response_ids) == ["x", "</s>"]
    with pytest.raises(Refused, match="last token of the prompt is also the first of the response"):
        encode(tokenizer, [{"role": "user", "content": "x"}], "y", 10)


@pytest.mark.parametrize(
    ("template", "prompt", "problem"),
    [
        (DOUBLE, QUESTION, "two BOS"),
        (LLAMA, [{"role": "user", "content": "<s>[INST] sort [/INST]"}], "has been applied to it before"),
        (LLAMA, [{"role": "user", "content": "no [/INST] sure"}], r"holds '\[/INST\]', which begins a turn"),
        (OTHER_HEADER, QUESTION, "does not begin with the generation prompt"),
        (ALTERNATING, [{"role": "system", "content": "be kind"}], "user first"),
    ],
)
def test_what_does_not_fit_is_refused(template, prompt, problem):
    with pytest.raises(InputError, match=problem):
        encode(byte_tokenizer(template), prompt, "a b", 1000)


def test_a_response_that_begins_with_bos_is_text():
    tokenizer = byte_tokenizer(CHATML)
    ids = encode_response(tokenizer, QUESTION, "<s>a b</s> c")
    assert tokenizer.decode(ids) == "<s>a b</s> c<|im_end|>"
    assert [each for each in ids if each in tokenizer.all_special_ids] == [
        tokenizer.convert_tokens_to_ids("<|im_end|>")
    ]


NOWHERE = LINES.replace("{{ eos_token }}", "")
BETWEEN = CHATML.replace(
    "<|im_end|>\n{% endfor", "{% if not loop.last or add_generation_prompt %}<|im_end|>\n{% endif %}{% endfor"
)


@pytest.mark.parametrize("template", [NOWHERE, BETWEEN])
def test_an_end_that_the_template_does_not_write_in_every_place_is_refused(template):
    with pytest.raises(Refused, match="nothing ends a response in every place"):
        encode_response(byte_tokenizer(template), QUESTION, "a b")


def test_a_response_that_the_template_swallows_is_refused():
    swallowing = CHATML.replace(
        "{{ m.content }}<|im_end|>", "{% if m.content != 'x' %}{{ m.content }}<|im_end|>{% endif %}"
    )
    with pytest.raises(Refused, match="a response is followed by"):
        encode_response(byte_tokenizer(swallowing), QUESTION, "x")


def test_bos_that_is_also_the_end_may_meet_itself_between_turns():
    template = (
        "{% for m in messages %}{{ bos_token }}{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}{{ bos_token }}{% endif %}"
    )
    tokenizer = byte_tokenizer(template, bos_token="<s>", eos_token="<s>")
    assert encode(tokenizer, LATER, "a", 1000).response_ids[-1] == tokenizer.eos_token_id


@given(st.integers(0, 40), st.integers(0, 40), st.lists(st.sampled_from("abcd"), max_size=12))
def test_a_smaller_max_length_keeps_a_prefix(one, other, words):
    shorter, longer = (encode(SORTING, QUESTION, " ".join(words), length) for length in sorted((one, other)))
    assert longer.response_ids[: len(shorter.response_ids)] == shorter.response_ids
    assert len(shorter) <= max(min(one, other), len(shorter.prompt_ids))
    assert len(shorter.response_ids) == min(max(0, min(one, other) - len(shorter.prompt_ids)), len(words) + 1)


def test_length_counts_both():
    assert len(Encoded([1, 2], [3])) == 3
