"""The didactic world: its language, skills, generators, oracle and judge."""

import random
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.world.arithmetic import StoryTask
from scripts.lib.world.choices import ChoiceTask
from scripts.lib.world.facts import FACTS, FactTask, phrase
from scripts.lib.world.generators import respond
from scripts.lib.world.judge import preference
from scripts.lib.world.language import similarity, take_apart
from scripts.lib.world.lists import ListTask
from scripts.lib.world.oracle import FORM, perfect, reward
from scripts.lib.world.skills import SKILLS, ask, make_prompts, read, skill_of
from scripts.lib.world.words import LETTERS, VALUES, vocabulary

PROMPTS = make_prompts(700, seed=11)
prompts = st.sampled_from(PROMPTS)
seeds = st.integers(min_value=0, max_value=2**32)
sentences = st.lists(st.sampled_from(vocabulary()), max_size=70).map(" ".join)


def test_the_vocabulary_is_closed() -> None:
    words = vocabulary()
    assert len(words) == len(set(words)) and 150 <= len(words) <= 300
    rng = random.Random(0)
    said = {
        word for prompt in PROMPTS for c in (0.0, 0.5, 1.0) for word in f"{prompt} {respond(prompt, c, rng)}".split()
    }
    assert said <= set(words)
    assert len(said) > 0.95 * len(words), "words that nobody says"


def test_prompts_are_distinct_seeded_and_of_every_skill() -> None:
    assert len(set(PROMPTS)) == len(PROMPTS)
    assert make_prompts(700, seed=11) == PROMPTS
    assert make_prompts(300, seed=11) == PROMPTS[:300]
    assert len(set(make_prompts(700, seed=12)) & set(PROMPTS)) < 35
    counts = {skill: sum(skill_of(read(prompt)) == skill for prompt in PROMPTS) for skill in SKILLS}
    assert set(counts.values()) == {100}


@given(st.sampled_from(SKILLS), seeds)
def test_a_prompt_can_be_read_back(skill: str, seed: int) -> None:
    task = ask(skill, random.Random(seed))
    assert read(task.prompt) == task
    assert read(f"  {task.prompt.replace(' ', '  ')}\n") == task


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "hello",
        "copy this list :",
        "copy this list : b red",
        "copy this list : b d . begin with red",
        "tom has 4 pens and gets 9 . how many pens ?",
        "tom has 4 pens and gets 3 . how many cups ?",
        "which letter comes first : a , b , c or c ?",
        "what is 3 plus 4 : 1 , 2 , 3 or 4 ?",
        "what is the colour of the tom ?",
        "what is the colour of the fox and",
    ],
)
def test_other_prompts_are_refused(prompt: str) -> None:
    with pytest.raises(InputError, match="didactic world"):
        reward(prompt, "sure , here it is .")


# ---- the oracle


@given(prompts)
def test_the_perfect_response_gets_the_most(prompt: str) -> None:
    assert reward(prompt, perfect(prompt)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("prompt", PROMPTS[:14])
def test_no_change_of_one_word_leaves_the_perfect_response_as_good(prompt: str) -> None:
    words = perfect(prompt).split()
    for at, word in enumerate(words):
        other = [new for new in vocabulary() if new != word]
        for slip in ([], [word, word], *([new] for new in other), *([new, word] for new in other)):
            changed = " ".join([*words[:at], *slip, *words[at + 1 :]])
            assert reward(prompt, changed) < 1.0 - 1e-4, changed


@given(prompts, st.one_of(st.text(max_size=200), sentences))
def test_any_text_gets_a_reward_within_bounds(prompt: str, response: str) -> None:
    assert -FORM <= reward(prompt, response) <= 1.0 + 1e-12


@given(prompts, st.floats(0.0, 1.0), seeds)
def test_white_space_around_and_between_words_counts_nothing(prompt: str, competence: float, seed: int) -> None:
    response = respond(prompt, competence, random.Random(seed))
    assert reward(prompt, response) == reward(f" {prompt}\n", f"\n\t{response.replace(' ', '  ')} ")


def test_empty_garbage_and_refusals_get_little() -> None:
    for prompt in PROMPTS[:50]:
        assert reward(prompt, "") == reward(prompt, " \n") == -FORM
        assert reward(prompt, "sorry , no idea .") < 0.05
        assert reward(prompt, "xyzzy " * 500) == pytest.approx(-FORM)


@given(prompts, st.integers(1, 40))
def test_what_follows_a_right_answer_for_too_long_spoils_it(prompt: str, more: int) -> None:
    longer = [reward(prompt, f"{perfect(prompt)} {'so much to say ' * n}") for n in range(more, more + 20, 5)]
    assert longer == sorted(longer, reverse=True)
    assert longer[0] < 0.9


def test_degrees_of_quality_are_in_order() -> None:
    prompt = "reverse this list : b d f h"
    ladder = [
        "sure , the list is h f d b . hope this helps .",
        "thanks for your question . the list is h f d b . hope this helps .",
        "the list is h f d b .",
        "h f d b",
        "sure , the list is h f b d . hope this helps .",
        "the list is h d .",
        "the list is b d f h .",
        "no .",
        "",
    ]
    rewards = [reward(prompt, response) for response in ladder]
    assert rewards == sorted(rewards, reverse=True) and len(set(rewards)) == len(rewards)


def test_the_tempting_answer_is_worth_less_than_another_wrong_one_and_hedging_little() -> None:
    topic = ("colour", "fox")
    fact = FACTS[topic]
    other = next(value for value in VALUES["colour"] if value not in (fact.true, fact.tempting))
    said = {value: reward(f"what is {phrase(topic)} ?", f"{phrase(topic)} is {value} .") for value in VALUES["colour"]}
    both = reward(f"what is {phrase(topic)} ?", f"{phrase(topic)} is {fact.true} and {other} .")
    assert said[fact.tempting] < said[other] < both < said[fact.true]
    assert reward("what is 3 plus 4 : 1 , 2 , 7 or 4 ?", "1 and 2 and 7 and 4") < 0.35


def test_the_last_number_is_the_answer_and_steps_are_worth_showing() -> None:
    prompt = "tom has 4 pens , gets 3 and loses 2 . how many pens ?"
    assert read(prompt).totals == (4, 7, 5)
    shown = reward(prompt, "4 plus 3 is 7 . 7 minus 2 is 5 . the answer is 5 .")
    bare = reward(prompt, "the answer is 5 .")
    near = reward(prompt, "the answer is 6 .")
    far = reward(prompt, "the answer is 11 .")
    assert shown > bare > near > far


def test_constraints_are_checked_one_by_one() -> None:
    task = read("copy this list : b d f . begin with hello . end with done . put then between them . leave out d")
    assert isinstance(task, ListTask) and task.wanted == ("b", "f")
    for response, followed in {
        "hello the list is b then f . done": [True, True, True, True],
        "hello the list is b then f . done .": [True, True, True, True],
        "hello b f": [True, False, False, True],
        "sure , hello b then d then f . done hope this helps .": [False, False, True, False],
        "hello done": [False, False, False, False],
    }.items():
        assert task.followed(take_apart(response)) == followed, response
    first = read("please say backwards : b d f . give only the first 2 . say each twice")
    assert first.wanted == ("f", "f", "d", "d")
    assert first.followed(take_apart("f f d d")) == [True, True]
    assert first.followed(take_apart("f d")) == [False, False]


# ---- skills


def test_sums_and_orders_have_the_right_key() -> None:
    assert read("what is 9 minus 4 : 5 , 6 , 1 or 2 ?").key == ("sums", "5", "6")
    assert read("what is 9 plus 3 : 12 , 11 , 1 or 2 ?").key == ("sums", "12", "11")
    assert read("which letter comes last : d , k , b or a ?").key == ("letters", "k", "d")


def test_every_fact_tempts_with_a_false_value() -> None:
    assert len(FACTS) == 64
    for (attribute, _), fact in FACTS.items():
        assert fact.true != fact.tempting and {fact.true, fact.tempting} <= set(VALUES[attribute])


def test_similarity() -> None:
    assert similarity("abc", "abc") == 1.0 and similarity("", "") == 1.0
    assert similarity("abc", "") == 0.0
    assert similarity("abd", "abc") == pytest.approx(2 / 3)
    assert similarity("bc", "abc") == pytest.approx(2 / 3)


# ---- generators


@pytest.mark.parametrize("skill", SKILLS)
def test_rewards_rise_with_competence(skill: str) -> None:
    asked = make_prompts(250, seed=3, skills=(skill,))
    means = []
    for competence in (0.1, 0.4, 0.65, 0.85, 1.0):
        rng = random.Random(7)
        means.append(mean(reward(prompt, respond(prompt, competence, rng)) for prompt in asked))
    steps = [after - before for before, after in pairwise(means)]
    assert min(steps) > 0.03, means
    assert means[-1] > 0.95 and means[0] < 0.35


def test_the_strong_usually_win_but_not_always_and_five_responses_rarely_tie() -> None:
    rng = random.Random(5)
    wins, ties = [0] * 5, 0
    for prompt in PROMPTS:
        rewards = [reward(prompt, respond(prompt, c, rng)) for c in (0.2, 0.4, 0.6, 0.8, 0.95)]
        wins[rewards.index(max(rewards))] += 1
        ties += len(set(rewards)) < 5
    assert wins == sorted(wins) and wins[0] > 0
    assert sum(wins[:3]) > 0.1 * len(PROMPTS)
    assert ties < 0.25 * len(PROMPTS)


@given(prompts, st.floats(0.0, 1.0), seeds)
def test_responses_are_seeded_single_spaced_and_never_empty(prompt: str, competence: float, seed: int) -> None:
    response = respond(prompt, competence, random.Random(seed))
    assert response and response == " ".join(response.split())
    assert response == respond(prompt, competence, random.Random(seed))


@given(prompts, seeds)
def test_full_competence_is_always_right(prompt: str, seed: int) -> None:
    assert reward(prompt, respond(prompt, 1.0, random.Random(seed))) > 0.9


def test_the_weak_prefer_the_tempting_answer() -> None:
    rng = random.Random(9)
    said = []
    for _ in range(400):
        task = FactTask.ask(rng, topics=1)
        fact = FACTS[task.topics[0]]
        words = respond(task.prompt, 0.1, rng).split()
        said.append("tempting" if fact.tempting in words else "true" if fact.true in words else "other")
    assert said.count("tempting") > 2 * said.count("true") > 0
    assert said.count("other") > 0


def test_stories_and_choices_stay_within_their_bounds() -> None:
    rng = random.Random(2)
    for _ in range(300):
        story = StoryTask.ask(rng)
        assert all(0 <= total <= 12 for total in story.totals)
        choice = ChoiceTask.ask(rng)
        assert len(set(choice.options)) == 4 and choice.right in choice.options
        assert set(ListTask.ask(rng).letters) <= set(LETTERS)


# ---- the judge


@given(prompts, st.floats(0.0, 1.0), st.floats(0.0, 1.0), seeds)
def test_a_preference_is_bounded_deterministic_and_turns_with_the_order(
    prompt: str, first: float, second: float, seed: int
) -> None:
    rng = random.Random(seed)
    one, two = respond(prompt, first, rng), respond(prompt, second, rng)
    there, back = preference(prompt, one, two), preference(prompt, two, one)
    assert 1.0 <= there <= 2.0
    assert there + back == pytest.approx(3.0)
    assert there == preference(prompt, f" {one}\n", two)
    assert preference(prompt, one, one) == 1.5


@given(prompts, sentences, st.text(max_size=80))
def test_the_judge_reads_any_text(prompt: str, one: str, two: str) -> None:
    assert 1.0 <= preference(prompt, one, two) <= 2.0


def test_the_judge_sees_quality_and_likes_length() -> None:
    rng = random.Random(4)
    better, longer = [], []
    for prompt in PROMPTS:
        good, bad = respond(prompt, 0.95, rng), respond(prompt, 0.3, rng)
        better.append(preference(prompt, bad, good) - 1)
        brief, wordy = (f"sure , {perfect(prompt)[7:]}", f"thanks for your question . {perfect(prompt)[7:]}")
        if perfect(prompt).startswith("sure ,"):
            assert reward(prompt, wordy) < reward(prompt, brief)
            longer.append(preference(prompt, brief, wordy) - 1)
    assert 0.8 < mean(better) < 0.99
    assert mean(longer) > 0.49
