"""Each question of the text part: what it must find, and what it must not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.sources.preferences import NAMED
from studies.preflight.config import Config
from studies.preflight.text import (
    authors,
    contamination,
    duplicates,
    endings,
    file,
    languages,
    length,
    lengths,
    phrases,
    same,
    template,
)
from studies.preflight.text.measure import measures
from tests.studies.preflight.data import labels_of, texts_of

LONG = " ".join(f"word{n}" for n in range(60))


def named(measured):
    return {each.name: each for each in measured.findings}


# The same text


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Yes.", "yes", True),
        ("2 + 3", "2 - 3", True),  # punctuation alone differs: to be read by somebody
        ("ﬁne", "fine", True),
        ("a b", "a  b\n", True),
        ("yes", "yes sir", False),
        ("!?", "?!", False),
    ],
)
def test_normalised_texts(one, other, alike):
    assert (same.normalised(one) == same.normalised(other)) == alike


@given(st.text(alphabet="ab", max_size=60), st.text(alphabet="ab", max_size=60), st.integers(1, 12))
def test_the_cut_leaves_the_prompt_and_so_many_bytes(chosen, rejected, max_length):
    texts = texts_of([("prompt", chosen + "x", rejected + "y")])
    room = max(0, 4 * max_length - len("prompt"))
    found = lengths.estimated(texts, max_length)
    assert found.same_after_cut.tolist() == [(chosen + "x")[:room] == (rejected + "y")[:room]]


def test_pairs_that_the_cut_makes_the_same_are_dropped_by_the_reason_that_is_theirs():
    texts = texts_of([("p", LONG + " a", LONG + " b"), ("p", "Yes.", "yes"), ("p", "yes", "no")])
    found = same.measure(texts, lengths.estimated(texts, 40), 40)
    assert found.drop[same.DROP_CUT].tolist() == [True, False, False]
    assert found.drop[same.DROP_NORMALISED].tolist() == [False, True, False]
    assert named(found)["same_after_cut"].pairs == (0,)


# Length


def test_length_that_explains_everything_and_nothing():
    draw = np.random.default_rng(0)
    sizes = draw.integers(1, 60, size=(200, 2))
    words = [("w " * int(one), "v " * int(two)) for one, two in sizes]
    by_length = texts_of([(f"p{at}", *sorted(pair, key=len, reverse=True)) for at, pair in enumerate(words)])
    by_chance = texts_of([(f"p{at}", *pair) for at, pair in enumerate(words)])
    told = named(length.measure(by_length, lengths.estimated(by_length, 512)))["length_bias"]
    assert told.level == "bad"
    assert told.value > 0.95
    told = named(length.measure(by_chance, lengths.estimated(by_chance, 512)))["length_bias"]
    assert told.ci_low < 0.5 < told.ci_high
    assert told.level == "good"


def test_responses_beyond_the_length_are_counted_with_their_prompt():
    texts = texts_of([("p" * 40, "a" * 40, "b"), ("p", "a" * 40, "b")])
    assert length.too_long(lengths.estimated(texts, 15), 15).pairs == (0,)


# Duplicates


def test_near_duplicates_name_the_prompt_that_they_repeat():
    other = " ".join(f"other{n}" for n in range(60))
    texts = texts_of([(LONG, "a", "b"), (other, "a", "b"), (LONG.upper(), "a", "b")])
    found = duplicates.measure(texts, 0.9)
    assert found.columns["near_duplicate"].tolist() == [False, False, True]
    assert found.columns["near_duplicate_of"] == [None, None, LONG]
    assert named(found)["near_duplicates"].beside == "near_duplicate_of"
    assert found.drop[duplicates.DROP].tolist() == [False, False, True]


def test_repeated_pairs_are_named_by_their_rows():
    rows = [("p", "a", "b"), ("q", "a", "b"), ("p", "a", "b")]
    found = named(duplicates.measure(texts_of(rows[:2], labels=labels_of(rows)), 0.9))["repeated_pairs"]
    assert found.value == pytest.approx(1 / 3)
    assert found.places == ("mine, row 2",)


# The file


def test_rows_that_are_no_pairs_are_counted_by_reason_and_named():
    rows = [("p", "a", "b")] * 1
    dropped = {"chosen_equals_rejected": 3, "tie": 2, "empty_response": 1}
    card = {"rows_read": 7, "dropped": dropped, "dropped_rows": {"chosen_equals_rejected": [2, 4, 5], "tie": [1, 3]}}
    found = named(file.measure(texts_of(rows, labels=labels_of(rows, card=card))))
    assert found["no_pairs"].value == pytest.approx(4 / 7)
    assert "3 have the same text as chosen and rejected; 1 have an empty response" in found["no_pairs"].sentence
    assert found["no_pairs"].places == ("mine, row 2", "mine, row 4", "mine, row 5")
    assert found["ties"].value == pytest.approx(2 / 7)
    assert found["ties"].places == ("mine, row 1", "mine, row 3")


def test_scores_against_their_labels():
    rows = [("p", "a", "b"), ("q", "a", "b"), ("r", "a", "b"), ("s", "a", "b")]
    labels = labels_of(rows, scores=[(2.0, 1.0), (1.0, 3.0), (1.0, 1.0), (None, None)])
    measured = file.measure(texts_of(rows, labels=labels))
    found = named(measured)["scores_in_file"]
    assert found.value == pytest.approx(2 / 3)
    assert found.pairs == (1, 2)
    assert "they are in the drop list. Label those with equal scores again." in found.remedy
    assert measured.columns["row"].tolist() == [0, 1, 2, 3]
    assert measured.drop[file.DROP].tolist() == [False, True, False, False]


def test_the_drop_list_is_named_only_where_pairs_are_on_it():
    labels = labels_of([("p", "a", "b")], scores=[(1.0, 1.0)])
    found = named(file.measure(texts_of([("p", "a", "b")], labels=labels)))["scores_in_file"]
    assert found.remedy == "Label those with equal scores again."


def test_pairs_without_labels_have_no_file():
    assert file.measure(texts_of([("p", "a", "b")])).findings == []


# Authors


def test_an_author_who_is_always_chosen_explains_everything():
    rows = [(f"p{n}", "a", "b") for n in range(60)]
    always = named(authors.measure(texts_of(rows, [("big", "small")] * 60)))["authors"]
    assert always.level == "bad"
    assert always.value > 0.95
    both = [("big", "small") if n % 2 else ("small", "big") for n in range(60)]
    fair = named(authors.measure(texts_of(rows, both)))["authors"]
    assert fair.level == "good"


def test_a_pair_does_not_tell_of_itself():
    """Every author occurs once: nothing can be known of them, and in-sample shares would tell all."""
    rows = [(f"p{n}", "a", "b") for n in range(40)]
    found = named(authors.measure(texts_of(rows, [(f"w{n}", f"l{n}") for n in range(40)])))["authors"]
    assert found.value == pytest.approx(0.5)


# Phrases


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "I am unable to provide this.",
        "As an AI language model, I don't have opinions.",
        "I\u2019m not comfortable writing that, and won't help.",
    ],
)
def test_refusals(text):
    assert phrases.REFUSAL.search(text)


@pytest.mark.parametrize(
    "text", ["You can't divide by zero.", "I can help with that.", "Sorry for the delay, here it is."]
)
def test_no_refusals(text):
    assert not phrases.REFUSAL.search(text)


def test_the_most_telling_opening_is_found():
    rows = [(f"p{n}", f"Great question my friend {n}", f"well number {n} is so") for n in range(40)]
    found = named(phrases.measure(texts_of(rows)))["openings"]
    assert "great question my" in found.sentence
    assert found.level == "bad"


# Templates


@pytest.mark.parametrize(
    "text", ["<|im_start|>user", "hello</s>", "[INST] do it [/INST]", "<start_of_turn>model", "<bos>x", "<|eot_id|>"]
)
def test_control_tokens(text):
    assert template.CONTROL.search(text)


@pytest.mark.parametrize("text", ["a < b and c > d", "<html><body>", "x[0]", "|---|", "List<String>"])
def test_no_control_tokens(text):
    assert not template.CONTROL.search(text)


@pytest.mark.parametrize(
    "text", ["### Response: yes", "Sure.\n### Instruction\nNow write", "## User:\nhello", "Human: hi"]
)
def test_role_markers(text):
    assert template.ROLE.search(text)


@pytest.mark.parametrize(
    "text", ["### Instructions:\n1. Boil", "## System requirements", "## Human rights", "a Human: b"]
)
def test_headings_are_no_role_markers(text):
    assert not template.ROLE.search(text)


def test_template_damage_is_told_by_kind():
    rows = [
        ("what ?", "fine", "Sure.\n\nHuman: and you?"),
        ("<s>what ?", "fine", "well"),
        ("what ? <|im_end|>", "fine", "well"),
        ("User: who ?", "the user: me", "well"),  # a prompt may quote a dialogue
    ]
    texts = texts_of(rows)
    found = named(template.measure(texts, lengths.estimated(texts, 512)))
    assert found["role_markers"].pairs == (0,)
    assert found["double_bos"].pairs == (1,)
    assert found["control_tokens"].pairs == (1, 2)


# Endings


@pytest.mark.parametrize(
    ("ending", "stops"),
    [("", True), (".", False), (",", True), ("\n- an item", False), ("\n```python\nx = 1", True), (" 42", False)],
)
def test_long_texts_that_stop_in_the_middle(ending, stops):
    text = " ".join(["word"] * 60) + ending
    assert endings.unfinished(text, len(text.split())) == stops


def test_short_texts_may_end_as_they_like():
    assert not endings.unfinished("d l", 2)


def test_a_limit_piles_up_lengths():
    draw = np.random.default_rng(0)
    natural = draw.integers(1, 40, size=500)
    assert endings.piled(natural) is None
    assert endings.piled(np.minimum(natural, 25)) == 25
    assert endings.piled(np.array([], dtype=np.int64)) is None
    assert endings.piled(np.array([1, 2, 4, 4, 4, 4])) is None  # short answers
    assert endings.piled(np.full(50, 12)) is None  # answers in one form


def test_responses_that_a_limit_cut_are_found():
    draw = np.random.default_rng(1)
    rows = [
        (f"p{n}", "w " * min(12, int(size)), "v " * (1 + n % 9)) for n, size in enumerate(draw.integers(1, 40, 300))
    ]
    found = named(endings.measure(texts_of(rows)))["cut_short"]
    assert found.level in ("warn", "bad")
    assert "12 words" in found.sentence


# Languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the best way to cook rice for a large family?", "English"),
        ("Wie ist das Wetter heute und was soll ich mit den Kindern machen?", "German"),
        ("Quelle est la capitale de la France et combien de gens y habitent pour vous?", "French"),
        ("今天天气怎么样？请告诉我。", "Chinese"),
        ("これは何ですか。教えてください。", "Japanese"),
        ("Как приготовить борщ на большую семью?", "Russian or another in Cyrillic"),
        ("d l", ""),
        ("x = [1, 2, 3]; print(x)", ""),
    ],
)
def test_languages(text, language):
    assert languages.language_of(text) == language


@given(st.text(max_size=300))
def test_every_text_has_a_language_or_none(text):
    assert languages.language_of(text) in ("", *languages.SCRIPTS, *languages.COMMON)


# Contamination


def test_contaminated_prompts_stand_beside_their_question():
    question = "natalia sold clips to forty eight of her friends in april and then half as many in may"
    texts = texts_of([(f"Question: {question}? Answer:", "72", "71"), ("what is a clip ?", "this", "that")])
    suites = {"other": [[{"role": "user", "content": "something else entirely , that nobody asks here"}]]}
    suites["gsm8k"] = [[{"role": "user", "content": question}]]
    found = contamination.measure(texts, suites, 0.9)
    assert found.columns["evaluation_match"] == [f"gsm8k: {question}", None]
    assert found.drop[contamination.DROP].tolist() == [True, False]
    assert "gsm8k 1" in found.findings[0].sentence


def test_no_suites_are_said_to_be_none():
    (found,) = contamination.measure(texts_of([("p", "a", "b")]), {}, 0.9).findings
    assert found.value is None
    assert "Not looked at" in found.sentence


# All of them


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "<script>"]), st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30)
    ).filter(lambda row: row[1].strip() and row[2].strip() and row[1].strip() != row[2].strip()),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(ROWS)
def test_any_texts_are_measured(rows):
    texts = texts_of(rows, labels=labels_of(rows))
    findings, table = measures(texts, Config(pairs="mine"), 16, None, {})
    assert len({each.name for each in findings}) == len(findings)
    assert table["pair"].tolist() == list(range(len(rows)))
    for each in findings:
        assert all(0 <= at < len(rows) for at in each.pairs)
        assert not each.column or each.column in table
        assert each.value is None or each.ci_low <= each.value <= each.ci_high
        assert each.question.endswith("?")
        assert len(each.places) <= NAMED


def test_a_clean_dataset_raises_no_alarm():
    """Different prompts, responses that differ in their middle, nothing else: no warning, nothing to drop."""
    draw = np.random.default_rng(3)
    words = np.array([a + b + c for a in "bdfgklmnprst" for b in "aeiou" for c in "nrst"])

    def some(n):
        return " ".join(draw.choice(words, size=n)) + " ."

    rows = [(some(12), some(int(draw.integers(8, 30))), some(int(draw.integers(8, 30)))) for _ in range(300)]
    findings, table = measures(texts_of(rows, labels=labels_of(rows)), Config(pairs="mine"), 512, None, {})
    assert {each.name for each in findings if each.level in ("warn", "bad")} == set()
    assert not table["drop"].map(len).any()
