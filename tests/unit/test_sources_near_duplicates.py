"""Near-duplicates and containment agree with brute force; short prompts are distinguished."""

import random
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.ids import prompt_id
from scripts.sources import near_duplicates as near_duplicates_module
from scripts.sources.contamination import LEAST_WORDS, Found, contained, contaminated, nearly, text_of
from scripts.sources.near_duplicates import near_duplicates, words

thresholds = st.sampled_from([0.05, 0.3, 0.5, 2 / 3, 0.7, 0.8, 0.9, 1.0])
few_words = st.lists(st.sampled_from("abc"), max_size=12).map(" ".join)
some_texts = st.lists(few_words, max_size=25)


def bag(text: str, ends: bool = True) -> Counter:
    found = ["", "", *words(text), "", ""] if ends else words(text)
    return Counter(zip(found, found[1:], found[2:], strict=False))


def jaccard(one: str, other: str) -> float:
    shared = (bag(one) & bag(other)).total()
    return shared / (bag(one).total() + bag(other).total() - shared)


@given(some_texts, thresholds)
def test_near_duplicates_are_those_that_brute_force_finds(texts: list[str], threshold: float) -> None:
    kept: list[int] = []
    expected = {}
    for at, text in enumerate(texts):
        of = next((other for other in kept if jaccard(text, texts[other]) >= threshold), None)
        if of is None:
            kept.append(at)
        else:
            expected[at] = of
    assert near_duplicates(texts, threshold) == expected
    assert near_duplicates([texts[at] for at in kept], threshold) == {}


@given(some_texts, some_texts, thresholds)
def test_near_duplicates_of_other_texts_are_those_that_brute_force_finds(texts, others, threshold) -> None:
    first = {
        at: next((o for o, other in enumerate(others) if jaccard(text, other) >= threshold), None)
        for at, text in enumerate(texts)
    }
    assert near_duplicates(texts, threshold, others) == {at: of for at, of in first.items() if of is not None}


@given(some_texts, some_texts, thresholds)
def test_containment_is_what_brute_force_finds(texts, others, threshold) -> None:
    def holds(text: str, other: str) -> bool:
        one, two = bag(text, ends=False), bag(other, ends=False)
        long_enough = min(len(words(text)), len(words(other))) >= LEAST_WORDS
        return long_enough and (one & two).total() / min(one.total(), two.total()) >= threshold

    first = {
        at: next((o for o, other in enumerate(others) if holds(text, other)), None) for at, text in enumerate(texts)
    }
    assert contained(texts, others, threshold) == {at: of for at, of in first.items() if of is not None}


def test_texts_and_pairs_read_one_by_one_give_the_same(monkeypatch) -> None:
    rng = random.Random(1)
    texts = [" ".join(rng.choices("abc", k=rng.randint(0, 12))) for _ in range(60)]
    others = [" ".join(rng.choices("abc", k=rng.randint(0, 12))) for _ in range(20)]

    def found() -> list[dict]:
        near = [near_duplicates(texts, threshold) for threshold in (0.3, 0.6)]
        return [*near, near_duplicates(texts, 0.5, others), contained(texts, others, 0.7), nearly(texts, others, 0.7)]

    expected = found()
    assert all(expected)
    assert expected[4] == expected[3] | near_duplicates(texts, 0.7, others)
    for name, size in (("TEXTS", 3), ("PAIRS", 2), ("BUCKETS", 4)):
        monkeypatch.setattr(near_duplicates_module, name, size)
    assert found() == expected


def test_planted_near_duplicates_are_all_found_and_nothing_else() -> None:
    rng = random.Random(0)
    vocabulary = [f"word{n}" for n in range(3000)]
    originals = [rng.choices(vocabulary, k=rng.randint(60, 120)) for _ in range(300)]
    planted = []
    for text in originals[:100]:
        changed = list(text)
        changed[rng.randrange(len(changed))] = "other"
        planted.append(changed)
    found = near_duplicates([" ".join(text) for text in originals + planted], 0.9)
    assert found == {300 + at: at for at in range(100)}


def test_what_counts_as_alike() -> None:
    def alike(one: str, other: str, threshold: float = 0.9) -> bool:
        return bool(near_duplicates([one, other], threshold))

    assert alike("Reverse:  B a d c", "reverse : b A d c")
    assert not alike("reverse : b a d c", "reverse : c a d b")
    assert not alike("reverse : b a d c", "reverse : b a d c e")
    assert not alike("copy : a a a a a a a a a a a a", "copy : a a a a a a a a a a a a a", 1.0)
    assert not alike("how much is 2 + 3 ?", "how much is 2 - 3 ?")
    assert not alike("sort : a", "copy : a")
    assert alike("你好，请介绍一下北京的历史和文化。" * 5, "你好，请介绍一下北京的历史和文化。" * 5 + "吗")
    assert not alike("你好吗", "你好吧")
    long = [f"w{n}" for n in range(55)]
    assert alike(" ".join(long), " ".join([*long[:20], "x", *long[21:]]))
    assert not alike(" ".join(long[:54]), " ".join([*long[:20], "x", *long[21:54]]))


def prompts_of(source: str, *texts: str) -> pd.DataFrame:
    prompts = [[{"role": "user", "content": text}] for text in texts]
    return pd.DataFrame(
        {"prompt_id": [prompt_id(each) for each in prompts], "prompt": prompts, "source": source, "split": "x"}
    )


@pytest.mark.parametrize("batch", [2, 10_000])
@pytest.mark.parametrize("threshold", [None, 0.9])
def test_contamination_says_which_suite_and_how(monkeypatch, threshold: float | None, batch: int) -> None:
    monkeypatch.setattr(near_duplicates_module, "TEXTS", batch)
    question = "Natalia sold clips to 48 of her friends in April , and then half as many in May ."
    suites = [
        ("first", prompts_of("first", f"Question: {question}\nAnswer:", "short one")),
        ("second", prompts_of("second", "Same text .", question.upper() + " How many?", "short one")),
    ]
    own = prompts_of("own", question, "Same text .", "same text.", "short one", "a short one too", "Something else")
    texts = [text_of(prompt) for prompt in own["prompt"]]
    found = contaminated(own["prompt_id"].tolist(), texts, suites, threshold)
    by_text = {
        prompt[0]["content"]: found.get(its_id) for its_id, prompt in zip(own["prompt_id"], own["prompt"], strict=True)
    }
    near = threshold is not None
    assert by_text == {
        question: Found("first", exactly=False) if near else None,
        "Same text .": Found("second", exactly=True),
        "same text.": Found("second", exactly=False) if near else None,
        "short one": Found("first", exactly=True),
        "a short one too": None,
        "Something else": None,
    }
    assert contaminated(own["prompt_id"].tolist(), texts, [], threshold) == {}
