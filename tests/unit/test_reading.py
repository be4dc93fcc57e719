"""The pairs of a run: what a cut does to them, which are left out and why, and references of other tokens."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.lib.chat import Encoded
from scripts.lib.errors import InputError
from scripts.lib.ids import response_id
from scripts.training.reading import Pair, Side, examples_of, truncated
from tests.pairs_data import Data

TOKENS = st.lists(st.integers(0, 2), max_size=6)


@st.composite
def datasets(draw) -> list[Pair]:
    """Pairs over few tokens, so that many responses begin alike; some are refused."""

    def side(prompt: list[int]) -> Side | None:
        if draw(st.integers(0, 9)) == 0:
            return None
        response = draw(TOKENS)
        return Side(Encoded(prompt, response), np.arange(len(response), dtype=np.float32) - 7)

    prompts = draw(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), max_size=8))
    return [Pair(f"c{at}", f"r{at}", side(prompt), side(prompt)) for at, prompt in enumerate(prompts)]


@given(pairs=datasets(), max_length=st.integers(1, 9), choice=st.sampled_from(["cut", "drop"]))
@example([Pair("c", "r", *[Side(Encoded([1], [2, 2, end]), np.zeros(3, np.float32)) for end in (1, 0)])], 3, "cut")
def test_a_pair_is_learnt_from_if_its_kept_tokens_differ(pairs, max_length, choice):
    examples, dropped = examples_of(pairs, max_length, choice)
    assert len(examples) + sum(dropped.values()) == len(pairs)
    kept = {each.chosen_id[1:]: each for each in examples}
    for at, pair in enumerate(pairs):
        each = kept.get(pair.chosen_id[1:])
        whole = [side and side.encoded for side in (pair.chosen, pair.rejected)]
        cut = [side and side.response_ids[: max(0, max_length - len(side.prompt_ids))] for side in whole]
        longer = any(side and len(side) > max_length for side in whole)
        learnable = all(cut) and cut[0] != cut[1] and not (choice == "drop" and longer)
        assert (each is not None) == learnable, at
        if each:
            assert [each.chosen.response_ids, each.rejected.response_ids] == cut
            assert each.ref_chosen == sum(range(len(cut[0]))) - 7 * len(cut[0])
            assert len(each.chosen) <= max_length


@given(pairs=datasets(), max_length=st.integers(1, 9))
def test_the_table_says_what_each_choice_leaves(pairs, max_length):
    table = truncated(pairs, max_length)
    for choice in ("cut", "drop"):
        examples, dropped = examples_of(pairs, max_length, choice)
        assert table["pairs_left"][choice] == len(examples)
        assert Counter(table["dropped"][choice]) == dropped
    assert table["pairs"] == len(pairs)
    assert table["pairs_left"]["drop"] <= table["pairs_left"]["cut"]


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


def test_references_of_other_tokens_are_noticed(data) -> None:
    """As many log-probs as tokens, and of other ones: of another template, tokenizer or day."""
    data.logprobs[8]["tokens"] += 1
    with pytest.raises(InputError, match=r"pairs.parquet, row 4, chosen_id \w+: has stored log-probs of other tokens"):
        data.read()


def test_a_response_that_was_cut_when_sampled_is_learnt_without_an_end(data) -> None:
    end = data.tokenizer.eos_token_id
    row = data.responses[1]
    row |= {"finished": False, "response_id": response_id(row["prompt_id"], row["response"], finished=False)}
    assert row["response_id"] != response_id(row["prompt_id"], row["response"])
    data.pairs[0]["rejected_id"] = row["response_id"]
    data.logprobs[1] = data.reference(row)
    data.responses = [each | {"finished": each.get("finished", True)} for each in data.responses]
    first, *others = data.examples()
    assert end not in first.rejected.response_ids and first.chosen.response_ids[-1] == end
    assert all(each.rejected.response_ids[-1] == end for each in others)


def test_words_that_are_unknown_make_equal_tokens(data) -> None:
    """Responses of words that the tokenizer does not know are different texts and the same tokens."""
    for at, text in ((0, "zebra"), (1, "lion")):
        row = data.responses[at]
        row |= {"response": text, "response_id": response_id(row["prompt_id"], text)}
        data.pairs[0][("chosen_id", "rejected_id")[at]] = row["response_id"]
        data.logprobs[at] = data.reference(row)
    examples, dropped = examples_of(data.read(), 64, "cut")
    assert (len(examples), dropped) == (19, {"equal_tokens": 1})
