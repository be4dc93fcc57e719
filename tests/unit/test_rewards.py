"""Scorers: the oracle, annotations and reward models."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import pipeline

from scripts.lib.chat import encode_conversation
from scripts.lib.config.scorers import AnnotationScorer, LengthScorer, OracleScorer, RewardModelScorer, ScratchScorer
from scripts.lib.encoding import Rules
from scripts.lib.errors import InputError
from scripts.lib.rewards import Annotation, Oracle, RewardModel, scorer_of
from scripts.lib.world.oracle import perfect
from scripts.lib.world.skills import make_prompts
from tests.scoring_data import SCORER, Data, alone, rendered, save_plain, tiny_classifier, user

PROMPT = user("say something about apples")
LATER = [*PROMPT, {"role": "assistant", "content": "so good"}, *user("and about pears")]
ITEMS = [
    (PROMPT, "so good and fine"),
    (PROMPT, "bad"),
    (LATER, "thus " * 11 + "well"),
    (LATER, "ill"),
    (PROMPT, ""),
]


@pytest.fixture(scope="module")
def classifier():
    return tiny_classifier()


@pytest.fixture
def folder(tmp_path, classifier):
    return save_plain(classifier, tmp_path / "model")


def reward_model_spec(folder, **changes) -> RewardModelScorer:
    values = {"kind": "reward_model", "model": str(folder), "max_length": 64, "precision": "float32"} | changes
    return RewardModelScorer(**values)


# --- oracle and annotations


def test_oracle_scores_the_last_thing_the_user_said():
    first, last = make_prompts(2, 0)
    conversation = [*user(first), {"role": "assistant", "content": "no ."}, *user(last)]
    right, wrong = scorer_of(OracleScorer(kind="oracle")).score([(conversation, perfect(last)), (conversation, "no .")])
    assert right == 1.0
    assert wrong < 0.1


@given(st.lists(st.text("ab", min_size=1), max_size=12), st.integers(0, 12), st.floats(0.5, 10))
def test_length_is_scored_by_the_distance_from_its_target_whatever_is_said(words, target, scale):
    scorer = scorer_of(LengthScorer(kind="length", words=target, scale=scale))
    prompt = [{"role": "user", "content": "x"}]
    found = scorer.score([(prompt, "  ".join(words)), (prompt, "y " * target)])
    assert found == [pytest.approx(-abs(len(words) - target) / scale), 0.0]


def test_oracle_refuses_a_prompt_without_a_user():
    with pytest.raises(InputError, match="no turn of the user"):
        Oracle().score([([{"role": "system", "content": "be kind"}], "yes")])


def test_annotation_looks_up_by_content_and_knows_nothing_of_others(tmp_path):
    data = Data(tmp_path).write()
    scorer = scorer_of(AnnotationScorer(kind="annotation", annotation="stars"), data.path("annotations"))
    assert isinstance(scorer, Annotation)
    prompt, kind, unkind = data.prompts[0]["prompt"], data.responses[0]["response"], data.responses[1]["response"]
    assert scorer.score([(prompt, kind), (prompt, unkind), (prompt, f" {kind}\r\n")]) == [4.5, None, 4.5]


def test_annotation_that_is_not_there_lists_those_that_are(tmp_path):
    data = Data(tmp_path).write()
    with pytest.raises(InputError, match=r"no annotation 'overall'[\s\S]*rank, stars"):
        scorer_of(AnnotationScorer(kind="annotation", annotation="overall"), data.path("annotations"))


def test_annotation_without_a_table_says_what_to_do():
    with pytest.raises(InputError, match="choose the oracle or a reward model"):
        scorer_of(AnnotationScorer(kind="annotation", annotation="stars"))


def test_scratch_scorer_needs_its_folder():
    with pytest.raises(InputError, match="--model-dir"):
        scorer_of(ScratchScorer(**SCORER))


# --- what a reward model reads


def test_conversation_is_what_the_chat_template_gives(classifier):
    tokenizer = classifier.tokenizer
    for prompt, response in ITEMS:
        messages = [*prompt, {"role": "assistant", "content": response}]
        expected = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
        assert encode_conversation(tokenizer, prompt, response, 64) == expected
        assert expected.count(tokenizer.bos_token_id) == 1
        assert expected[-1] == tokenizer.eos_token_id


def test_long_conversation_is_cut_at_its_end_and_counted(classifier, caplog):
    whole = encode_conversation(classifier.tokenizer, PROMPT, "so good and fine", 64)
    with caplog.at_level("INFO"):
        cut, full = (RewardModel(classifier, len(whole) - less, 512).score([ITEMS[0]])[0] for less in (2, 0))
    assert cut == pytest.approx(alone(classifier.model, whole[:-2]), abs=1e-6)
    assert full == pytest.approx(alone(classifier.model, whole), abs=1e-6)
    assert f"1 responses cut at max_length {len(whole) - 2}" in caplog.text


def test_prompt_that_fills_max_length_has_no_score(classifier):
    room = len(classifier.tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True, return_dict=False))
    assert RewardModel(classifier, room, 512).score([ITEMS[0]]) == [None]
    assert RewardModel(classifier, room + 1, 512).score([ITEMS[0], ITEMS[1]]) != [None, None]


def test_a_template_that_is_applied_twice_is_refused(classifier):
    tokenizer = tiny_classifier().tokenizer
    ids = encode_conversation(tokenizer, user("<bos> say so"), "good", 64)
    assert ids.count(tokenizer.bos_token_id) == 1
    with pytest.raises(InputError, match="it has been applied to it before"):
        encode_conversation(tokenizer, PROMPT, rendered(tokenizer, PROMPT, "good"), 64)
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    with pytest.raises(InputError, match="two BOS tokens"):
        encode_conversation(tokenizer, PROMPT, "good", 64)


def test_a_conversation_that_the_template_refuses_is_named_or_has_no_score():
    classifier = tiny_classifier()
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    classifier.tokenizer.chat_template = refusing + classifier.tokenizer.chat_template
    items = [ITEMS[0], ([{"role": "system", "content": "so"}, *PROMPT], "good"), ITEMS[1]]
    with pytest.raises(InputError, match=r"prompt \w{20}, response \w{20}: .*no system turn[\s\S]*the scorer's entry"):
        RewardModel(classifier, 64, 512).score(items)
    scores = RewardModel(classifier, 64, 512, rules=Rules(refused="drop")).score(items)
    assert [each is None for each in scores] == [False, True, False]
    assert [scores[0], scores[2]] == pytest.approx(
        RewardModel(classifier, 64, 512).score([ITEMS[0], ITEMS[1]]), abs=1e-5
    )


def test_bos_that_the_tokenizer_adds_by_itself_is_not_added(classifier):
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_classifier().tokenizer
    before = encode_conversation(tokenizer, PROMPT, "good", 64)
    adding = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = adding
    assert tokenizer("good")["input_ids"][0] == tokenizer.bos_token_id
    assert encode_conversation(tokenizer, PROMPT, "good", 64) == before


# --- values


def test_scores_agree_with_transformers_own_classification_of_single_texts(folder):
    scores = scorer_of(reward_model_spec(folder)).score(ITEMS)
    peer = pipeline("text-classification", model=str(folder), function_to_apply="none", device="cpu")
    assert len(set(scores)) == len(ITEMS)
    for item, score in zip(ITEMS, scores, strict=True):
        assert score == pytest.approx(peer(rendered(peer.tokenizer, *item))[0]["score"], abs=1e-6)


def test_scores_do_not_depend_on_the_batch(classifier):
    together = RewardModel(classifier, 64, 4096).score(ITEMS)
    in_twos = RewardModel(classifier, 64, 60).score(ITEMS)
    backwards = RewardModel(classifier, 64, 4096).score(ITEMS[::-1])[::-1]
    for at, item in enumerate(ITEMS):
        (single,) = RewardModel(classifier, 64, 1).score([item])
        assert [together[at], in_twos[at], backwards[at]] == pytest.approx([single] * 3, abs=1e-6)


def test_a_score_that_is_no_number_is_refused_with_its_response(tmp_path):
    data = Data(tmp_path)
    classifier = tiny_classifier()
    torch.nn.init.constant_(classifier.model.score.weight, math.nan)
    item = data.prompts[0]["prompt"], data.responses[0]["response"]
    with pytest.raises(InputError, match=f"{data.responses[0]['response_id']}[\\s\\S]*is nan"):
        RewardModel(classifier, 64, 512).score([item])


def test_no_items_no_scores(classifier):
    assert RewardModel(classifier, 64, 512).score([]) == []
