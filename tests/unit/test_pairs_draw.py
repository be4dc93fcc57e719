"""Draws of a preference dataset: disjoint parts of its prompts that all datasets share."""

import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.lineage import draws_in, in_draw, without_draw
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs import draw
from scripts.pairs.draw import draw_of
from tests.unit.test_lineage import NAME


def pairs_of(prompts: list[str], origin: str = "tiers") -> pd.DataFrame:
    rows = [(prompt, f"{prompt}+{at}", f"{prompt}-{at}", 1.0, 0.0, origin) for at, prompt in enumerate(prompts)]
    return pd.DataFrame(rows, columns=list(PAIRS.columns))


@given(st.lists(st.text("abc", min_size=1, max_size=4), max_size=40), st.integers(1, 7))
def test_draws_divide_the_prompts_and_keep_the_order(prompts: list[str], draws: int) -> None:
    whole = pairs_of(prompts)
    parts = [draw_of(whole, each, draws) for each in range(1, draws + 1)]
    assert sum(map(len, parts)) == len(whole)
    of_parts = [set(part["prompt_id"]) for part in parts]
    assert set().union(*of_parts) == set(prompts) and sum(map(len, of_parts)) == len(set(prompts))
    at = {key: place for place, key in enumerate(whole["chosen_id"])}
    for part in parts:
        assert part["chosen_id"].map(at).is_monotonic_increasing


def test_draws_are_of_nearly_equal_size_and_the_same_for_every_dataset() -> None:
    prompts = [f"p{at}" for at in range(3000)]
    parts = [draw_of(pairs_of(prompts), each, 5) for each in range(1, 6)]
    assert all(abs(len(part) - 600) < 110 for part in parts)  # five standard deviations of a binomial
    fewer = draw_of(pairs_of(prompts[::3]), 2, 5)
    assert set(fewer["prompt_id"]) == set(parts[1]["prompt_id"]) & set(prompts[::3])


@given(NAME, st.integers(1, 9), st.sampled_from(["", "@weak", "@weak.on_1+2of3.dpo.s0"]))
def test_the_name_of_a_draw_tells_the_dataset_and_how_many_there_are(name: str, draws: int, start: str) -> None:
    for each in range(1, draws + 1):
        drawn = in_draw(name, each, draws) + start
        assert without_draw(drawn) == name + start
        assert draws_in(drawn) == draws


def test_the_step_writes_its_card_and_refuses_an_empty_draw(tmp_path, monkeypatch) -> None:
    write_table(pairs_of(["a", "b", "c", "d", "e", "f"], "on-policy chosen"), tmp_path / "pairs.parquet", PAIRS)

    def run(number: int, draws: int) -> None:
        flags = ["--pairs", tmp_path / "pairs.parquet", "--draw", number, "--draws", draws]
        out = ["--out", tmp_path / "out.parquet", "--card", tmp_path / "out.json"]
        monkeypatch.setattr(sys, "argv", ["draw", *map(str, [*flags, *out])])
        draw.main()

    run(1, 2)
    card, table = read_json(tmp_path / "out.json"), read_table(tmp_path / "out.parquet", PAIRS)
    assert card["pairs"] == card["replaced_chosen"] == len(table) and card["of_pairs"] == 6
    with pytest.raises(InputError, match="fewer draws"):
        for each in range(1, 41):
            run(each, 40)
    with pytest.raises(SystemExit):
        run(3, 2)
