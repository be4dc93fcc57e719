"""Lengths by a policy's own tokenizer and template: the same tokens that training cuts."""

import pytest
from transformers import LlamaForCausalLM

from scripts.lib.chat import encode
from scripts.lib.config.policies import Architecture
from scripts.lib.models import load_tokenizer, read_policy, save_policy
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from studies.preflight.text import same, template
from studies.preflight.text.lengths import counted, estimated
from tests.studies.preflight.data import texts_of

WORDS = "what is one plus two ? it is three and not four , so they say ."
REFUSES = "{% if 'four' in messages[0].content %}{{ raise_exception('no fours') }}{% endif %}"


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    tokenizer = train_tokenizer("words", [WORDS], 64)
    tokenizer.chat_template = REFUSES + tokenizer.chat_template
    architecture = Architecture(tokenizer="words", vocabulary=64, hidden_size=16, layers=1, heads=2)
    model = LlamaForCausalLM(tiny_llama_config(architecture, tokenizer, max_length=64))
    save_policy(folder, model, tokenizer, name="tiny", kind="scratch", max_length=64)
    return folder / "policy.json"


ROWS = [
    ("what is one plus two ?", "it is three , so they say .", "it is three , so they not ."),
    ("what is one plus two ?", "it is three .", "it is two ."),
    ("is it four ?", "it is not .", "it is ."),
]


@pytest.mark.parametrize("max_length", [8, 12, 64])
def test_tokens_are_those_of_training(policy, max_length):
    tokenizer, texts = load_tokenizer(read_policy(policy)), texts_of(ROWS)
    found = counted(texts, max_length, policy)
    for at, (_, chosen, rejected) in enumerate(ROWS[:2]):
        prompt = texts.prompts[texts.pairs["prompt"][at]]
        one, other = (encode(tokenizer, prompt, text, 64) for text in (chosen, rejected))
        sizes = (found.prompt[at], found.chosen[at], found.rejected[at])
        assert sizes == (len(one.prompt_ids), len(one.response_ids), len(other.response_ids))
        assert found.same_after_cut[at] == (one.cut(max_length).response_ids == other.cut(max_length).response_ids)
    assert found.unit == "tokens"


def test_pairs_that_the_template_refuses_are_told_and_keep_an_estimate(policy):
    texts = texts_of(ROWS)
    found = counted(texts, 64, policy)
    assert found.refused.tolist() == [False, False, True]
    assert found.chosen[2] == estimated(texts, 64).chosen[2]
    told = {each.name: each for each in template.measure(texts, found).findings}
    assert told["refused_by_template"].pairs == (2,)


def test_the_cut_is_told_in_tokens(policy):
    texts = texts_of(ROWS)
    (_, cut) = same.measure(texts, counted(texts, 12, policy), 12).findings
    assert "12 tokens:" in cut.sentence
