"""Verses and slogans: prompts that ask for a form, and how well responses keep it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.scorers import FormScorer
from scripts.lib.errors import InputError
from scripts.lib.rewards import scorer_of
from scripts.lib.world.generators import respond
from scripts.lib.world.oracle import form, perfect, reward
from scripts.lib.world.skills import SKILLS, WRITING, ask, make_prompts, read, skill_of
from scripts.lib.world.verses import PARTS, RHYMES
from scripts.lib.world.words import LETTERS

SEEDS = st.integers(0, 2**32 - 1)
VERSES = "write 2 rows of 3 words about the fox . rhyme with night . call it my song"
SLOGAN = "write one slogan of 5 words for cups . say cheap and strong"


@given(st.sampled_from(sorted(WRITING)), SEEDS)
def test_a_prompt_is_read_as_the_task_that_it_is_of(skill, seed) -> None:
    task = ask(skill, random.Random(seed))
    assert read(task.prompt) == task and skill_of(task) == skill


@given(st.sampled_from(sorted(WRITING)), SEEDS)
def test_the_perfect_response_keeps_every_rule(skill, seed) -> None:
    prompt = ask(skill, random.Random(seed)).prompt
    assert form(prompt, perfect(prompt)) == 1.0 and reward(prompt, perfect(prompt)) == pytest.approx(1.0)


@given(st.sampled_from(sorted(WRITING)), SEEDS, st.text(max_size=60))
def test_any_text_has_a_reward_and_parts_between_0_and_1(skill, seed, text) -> None:
    task = ask(skill, random.Random(seed))
    for response in (text, respond(task.prompt, 0.3, random.Random(seed))):
        kept = task.kept(response)
        assert set(kept) <= set(PARTS) and all(0.0 <= each <= 1.0 for each in kept.values())
        assert form(task.prompt, response) == pytest.approx(sum(kept.values()) / len(kept))
        assert -0.05 <= reward(task.prompt, response) <= 1.0


@pytest.mark.parametrize(
    ("prompt", "response", "kept"),
    [
        (VERSES, "my song : fox sees light / old fox sight . the end", [1, 1, 1, 1]),
        (VERSES, "my song : fox sees light / old fox light the end", [1, 1, 0.5, 1]),
        (VERSES, "fox sees light / old fox sight", [1, 1, 1, 0]),
        (VERSES, "our song : fox light / old fox day / fox might", [0.5, 1 / 3, 2 / 3, 0]),
        (VERSES, "", [0, 0, 0, 0]),
        (SLOGAN, "slogan : cups cheap and strong now the end", [1, 1]),
        (SLOGAN, "cups strong", [1 - 3 / 5, 2 / 3]),
        (SLOGAN, "", [0, 0]),
    ],
)
def test_each_rule_counts_by_itself(prompt, response, kept) -> None:
    found = read(prompt).kept(response)
    assert list(found) == (list(PARTS[:4]) if prompt == VERSES else list(PARTS[4:]))
    assert list(found.values()) == pytest.approx(kept)


def test_more_competent_writers_keep_more_of_every_rule() -> None:
    for skill in WRITING:
        prompts = make_prompts(150, 1, (skill,))
        means = []
        for competence in (0.2, 0.5, 0.8, 1.0):
            kept = [read(each).kept(respond(each, competence, random.Random(at))) for at, each in enumerate(prompts)]
            means.append({part: sum(each[part] for each in kept) / len(kept) for part in kept[0]})
        for part in means[0]:
            values = [each[part] for each in means]
            assert values == sorted(values) and values[0] < 0.9 and values[-1] == 1.0


def test_nobody_is_asked_for_them_who_does_not_say_so() -> None:
    assert not WRITING.keys() & set(SKILLS)
    assert {skill_of(read(each)) for each in make_prompts(200, 3)} == set(SKILLS)


def test_no_word_of_verses_is_a_letter_and_no_two_rhymes_are_one_word() -> None:
    words = [word for of in RHYMES.values() for word in of]
    assert len(words) == len(set(words)) and not set(words) & set(LETTERS)


@pytest.mark.parametrize(
    "prompt",
    [
        VERSES.replace("night", "stone"),
        VERSES.replace("2 rows", "0 rows"),
        SLOGAN.replace("cheap", "dear"),
        SLOGAN.replace("cups", "ships"),
    ],
)
def test_what_no_prompt_says_is_refused(prompt) -> None:
    with pytest.raises(InputError, match="not a prompt of the didactic world"):
        read(prompt)


def test_a_scorer_by_form() -> None:
    items = [([{"role": "user", "content": each}], "cups strong") for each in (VERSES, SLOGAN)]
    assert scorer_of(FormScorer(kind="form")).score(items) == pytest.approx([0.25 * 0.5, (0.4 + 2 / 3) / 2])
    assert scorer_of(FormScorer(kind="form", part="content")).score(items) == [None, pytest.approx(2 / 3)]
    with pytest.raises(InputError, match="asks for no verses and no slogan"):
        scorer_of(FormScorer(kind="form")).score([([{"role": "user", "content": "copy this list : a b"}], "a b")])
