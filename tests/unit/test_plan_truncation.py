"""What the plan says of max_length: by hand, and as a run's card says it where tokens are as long as it assumes."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib.chat import Encoded
from scripts.lib.ids import response_id
from scripts.lib.schemas import PAIRS, RESPONSES
from scripts.lib.tables import write_table
from scripts.studies.plan import told
from scripts.studies.truncation import Cut, effect
from scripts.training.reading import Pair, Side, truncated

RESPONSE = ["response_id", "prompt_id", "family", "response"]


def responses_of(texts: dict[str, list[str]], family: str = "ps") -> pd.DataFrame:
    rows = [(response_id(of, text), of, family, text) for of, each in texts.items() for text in each]
    return pd.DataFrame(rows, columns=RESPONSE)


def pairs_at(path: Path, pairs: list[tuple[str, str, str]]) -> str:
    rows = [(of, response_id(of, one), response_id(of, other), 1.0, 0.0, "x") for of, one, other in pairs]
    write_table(pd.DataFrame(rows, columns=list(PAIRS.columns)), path, PAIRS)
    return str(path)


def cut_at(max_length: int, pairs: str, **more) -> Cut:
    given = {"policy": "base", "truncation": "cut", "families": ["ps"], "sampled": [], "cards": [[]]}
    return Cut(pairs=pairs, max_length=max_length, **given | more)


def test_before_pairing_the_responses_are_counted(tmp_path: Path) -> None:
    table = pd.concat([responses_of({"p": ["x" * 4, "y" * 5]}), responses_of({"p": ["z" * 9]}, "other")])
    drawn = tmp_path / "drawn.parquet"
    cut = cut_at(2, str(tmp_path / "none.parquet"), sampled=[str(drawn), str(tmp_path / "to_come.parquet")])
    found = effect(cut, {"p": 4}, table)
    assert (found["responses"], found["longer"], found["pairs_left_cut"]) == (2, 1, None)
    assert found["counted"] == "by bytes, before pairing, sample sets to come: 2"
    write_table(responses_of({"p": ["ü" * 3]}, "ps.own"), drawn, RESPONSES)
    found = effect(cut, {"p": 4}, table)
    assert (found["responses"], found["longer"]) == (3, 2) and "sample sets to come: 1" in found["counted"]


words = st.text("ab", min_size=1, max_size=4)
sentences = st.lists(words.map(lambda word: word.ljust(4, "c")), min_size=1, max_size=6)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(sentences, sentences, sentences), min_size=1, max_size=6, unique_by=lambda row: str(row[0])),
    st.integers(1, 12),
)
def test_pairs_are_counted_as_training_counts_them(tmp_path: Path, rows: list, max_length: int) -> None:
    """With tokens of four bytes and no template, the estimate is exact."""
    rows = [row for row in rows if row[1] != row[2]]
    if not rows:
        return
    names = {"".join(prompt): tuple("".join(each) for each in both) for prompt, *both in rows}
    path = pairs_at(tmp_path / "pairs.parquet", [(of, *both) for of, both in names.items()])
    found = effect(cut_at(max_length, path), {of: len(of) for of in names}, responses_of(names))

    numbers: dict[str, int] = {}

    def side(prompt: list[str], response: list[str]) -> Side:
        ids = [[numbers.setdefault(word, len(numbers)) for word in each] for each in (prompt, response)]
        return Side(Encoded(*ids), [])

    card = truncated([Pair("c", "r", side(row[0], row[1]), side(row[0], row[2])) for row in rows], max_length)
    assert found["responses"] == 2 * card["pairs"]
    assert found["longer"] == card["chosen_longer"] + card["rejected_longer"]
    assert {"cut": found["pairs_left_cut"], "drop": found["pairs_left_drop"]} == card["pairs_left"]
    assert found["counted"] == "by bytes"


def test_pairs_of_other_responses_are_as_good_as_none(tmp_path: Path) -> None:
    path = pairs_at(tmp_path / "pairs.parquet", [("p", "gone", "y")])
    assert "before pairing" in effect(cut_at(9, path), {"p": 1}, responses_of({"p": ["x", "y"]}))["counted"]


def test_a_runs_card_has_the_last_word_once_every_draw_has_one(tmp_path: Path) -> None:
    cards = [tmp_path / name for name in ("draw1.s0.json", "draw1.s1.json", "draw2.s0.json")]
    counts = {"pairs": 5, "chosen_longer": 1, "rejected_longer": 2, "pairs_left": {"cut": 4, "drop": 3}}
    cut = cut_at(9, str(tmp_path / "none"), cards=[[str(cards[0]), str(cards[1])], [str(cards[2])]])
    cards[1].write_text(json.dumps({"truncation": counts}))
    assert "by bytes" in effect(cut, {"p": 1}, responses_of({"p": ["x"]}))["counted"]
    cards[2].write_text(json.dumps({"truncation": counts}))
    found = effect(cut, {"p": 1}, responses_of({"p": ["x"]}))
    assert [found[name] for name in ("responses", "longer", "pairs_left_cut", "pairs_left_drop")] == [20, 6, 8, 6]
    assert found["counted"] == "in tokens, by a run"


@pytest.mark.parametrize(("longer", "lines"), [([0, 0], 1), ([0, 3], 6), ([2, 3], 6)])
def test_only_datasets_that_lose_something_are_printed(tmp_path: Path, longer: list[int], lines: int) -> None:
    row = effect(cut_at(9, str(tmp_path / "none")), {}, responses_of({}))
    to_come = row | {"longer": 0, "counted": "by bytes, before pairing, sample sets to come: 1"}
    assert "nothing" not in told([to_come]) and "to come: 1" in told([to_come])
    text = told([row | {"longer": each} for each in longer])
    assert ("nothing is longer in" in text) == (0 in longer) and ("None" not in text)
    assert ("before pairing" in text) == any(longer) and text.endswith("\n")
