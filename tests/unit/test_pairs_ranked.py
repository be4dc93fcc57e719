"""Pairs by a ranker or a scorer: two random responses of a prompt, the better one over the other."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.lib.config.pairs import RankedPairs
from scripts.lib.config.scorers import ScratchRanker
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages, prompt_id, response_id, seed_of
from scripts.lib.rankers import ranker_of, win_probability
from scripts.lib.schemas import PAIRS, PROMPTS, RESPONSES, SCORES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs.compare import draw_comparisons
from scripts.pairs.ranked import by_ranker, by_win, draw
from scripts.training import ranker as training
from tests.scoring_data import SCORER, Data, user

RANKER = SCORER | {"max_length": 64, "epochs": 1}
responses = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 10_000)), unique_by=lambda row: row[1], max_size=40
).map(lambda rows: pd.DataFrame([(f"p{p}", f"r{r}") for p, r in rows], columns=["prompt_id", "response_id"]))
log_odds = st.none() | st.just(0.0) | st.floats(allow_nan=False, allow_infinity=False)


def tuples(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.itertuples(index=False, name=None))


# --- the draw


@given(responses, st.integers(0, 3))
def test_the_two_drawn_are_those_that_come_first_by_seed_and_id(table: pd.DataFrame, seed: int) -> None:
    expected, alone = [], 0
    for prompt, group in table.groupby("prompt_id"):
        first = sorted(group["response_id"], key=lambda each: seed_of(seed, each))[:2]
        alone += len(first) == 1
        expected += [(prompt, *sorted(first))] if len(first) == 2 else []
    for order in (table, table.iloc[::-1]):
        drawn, dropped = draw(order, seed)
        assert tuples(drawn) == expected
        assert dropped == {"prompt_with_one_response": alone}


@given(responses, st.integers(0, 3), st.randoms(use_true_random=False))
def test_a_ranker_is_shown_the_two_that_a_scorer_compares(table: pd.DataFrame, seed: int, random) -> None:
    scored = table.assign(score=[float(each) for each in random.sample(range(len(table)), len(table))])
    compared, _ = draw_comparisons(scored, seed)
    drawn, _ = draw(table, seed)
    assert tuples(drawn) == [
        (row.prompt_id, *sorted((row.chosen_id, row.rejected_id))) for row in compared.itertuples()
    ]


# --- by a ranker


@given(st.lists(log_odds, max_size=20))
def test_the_likelier_winner_is_chosen_and_every_prompt_is_counted(odds: list) -> None:
    drawn = pd.DataFrame(
        [(f"p{at}", f"a{at}", f"b{at}") for at in range(len(odds))], columns=["prompt_id", "first_id", "second_id"]
    )
    wins = [None if each is None else win_probability(each) for each in odds]
    expected = []
    for at, win in enumerate(wins):
        if win is not None and win > 0.5:
            expected.append((f"p{at}", f"a{at}", f"b{at}", win, 1 - win, "test"))
        if win is not None and win < 0.5:
            expected.append((f"p{at}", f"b{at}", f"a{at}", 1 - win, win, "test"))
    pairs, dropped = by_win(drawn, wins, "test")
    assert tuples(pairs) == expected
    assert dropped == {"no_room_for_both": wins.count(None), "equal_scores": wins.count(0.5)}
    PAIRS.validate(pa.Table.from_pandas(pairs, preserve_index=False, schema=PAIRS.arrow), "pairs")

    exchanged = drawn.rename(columns={"first_id": "second_id", "second_id": "first_id"})
    other = [None if each is None else win_probability(-each) for each in odds]
    again, counts = by_win(exchanged, other, "test")
    assert tuples(again) == tuples(pairs) and counts == dropped


def likes_length(comparisons: Sequence[tuple[Messages, str, str]]) -> list[float | None]:
    """A ranker whose log-odds are the difference in length; one prompt leaves it no room."""
    return [
        None if prompt == user("prompt 0") else win_probability(float(len(first) - len(second)))
        for prompt, first, second in comparisons
    ]


def stored(folder: Path, sizes: dict[int, list[str]]) -> tuple[pd.DataFrame, Path]:
    """Responses of each prompt, in RESPONSES, and the file of the prompts."""
    prompts, rows = [], []
    for at, texts in sizes.items():
        prompt = user(f"prompt {at}")
        of_prompt = prompt_id(prompt)
        prompts.append((of_prompt, prompt, "here", "train"))
        rows += [(response_id(of_prompt, text), of_prompt, "set", text) for text in texts]
    write_table(pd.DataFrame(prompts, columns=list(PROMPTS.columns)), folder / "prompts.parquet", PROMPTS)
    return pd.DataFrame(rows, columns=RESPONSES.required), folder / "prompts.parquet"


def test_the_order_of_responses_in_the_file_changes_nothing(tmp_path: Path) -> None:
    rows, prompts = stored(
        tmp_path, {at: [letter * (at + 1 + size) for size, letter in enumerate("abcdef")] for at in range(20)}
    )
    text_of = rows.set_index("response_id")["response"]
    found = []
    for at, order in enumerate((rows, rows.iloc[::-1], rows.sample(frac=1.0, random_state=0))):
        path = tmp_path / f"responses{at}.parquet"
        write_table(order, path, RESPONSES)
        pairs, dropped = by_ranker(path, prompts, 5, likes_length, "test")
        assert dropped == {"prompt_with_one_response": 0, "no_room_for_both": 1, "equal_scores": 0}
        found.append(pairs)
    assert len(found[0]) == 19
    for row in found[0].itertuples():
        difference = len(text_of[row.chosen_id]) - len(text_of[row.rejected_id])
        assert difference > 0 and row.chosen_score == win_probability(float(difference)) == 1 - row.rejected_score
    for other in found[1:]:
        pd.testing.assert_frame_equal(other, found[0])


def test_prompts_without_two_responses_and_ties_are_counted(tmp_path: Path) -> None:
    rows, prompts = stored(tmp_path, {1: ["a"], 2: ["a", "b"], 3: ["a", "bb"]})
    write_table(rows, tmp_path / "responses.parquet", RESPONSES)
    pairs, dropped = by_ranker(tmp_path / "responses.parquet", prompts, 0, likes_length, "test")
    of_prompt = prompt_id(user("prompt 3"))
    assert tuples(pairs[["chosen_id", "rejected_id"]]) == [(response_id(of_prompt, "bb"), response_id(of_prompt, "a"))]
    assert dropped == {"prompt_with_one_response": 1, "no_room_for_both": 0, "equal_scores": 1}


def test_prompts_of_another_prompt_set_are_refused(tmp_path: Path) -> None:
    rows, prompts = stored(tmp_path, {1: ["a", "b"]})
    strange = rows.assign(prompt_id="p7")
    write_table(strange, tmp_path / "responses.parquet", RESPONSES)
    with pytest.raises(
        InputError, match=r"responses\.parquet: has responses to p7, which .*prompts\.parquet .*\n  remedy"
    ):
        by_ranker(tmp_path / "responses.parquet", prompts, 0, likes_length, "test")


# --- the command


def run(spec: dict, *flags: object, folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.pairs.ranked", "--spec", json.dumps({"kind": "ranked"} | spec)]
    flags = [*flags, "--out", folder / "out.parquet", "--card", folder / "card.json"]
    return subprocess.run([*command, *map(str, flags)], capture_output=True, text=True)


def scored(folder: Path) -> list[object]:
    """Two families of four responses per prompt each, and the command's flags for the first one's scores."""
    rows, _ = stored(folder, {at: [f"text {each}" for each in range(8)] for at in range(5)})
    rows["family"] = [f"set.g{at % 2}" for at in range(len(rows))]
    write_table(rows, folder / "responses.parquet", RESPONSES)
    for family, ours in rows.groupby("family"):
        one = ours["prompt_id"] == rows["prompt_id"].iloc[0]
        score = [0.0 if tied else float(at) for at, tied in enumerate(one)]
        write_table(ours[["response_id"]].assign(score=score), folder / f"{family}.parquet", SCORES)
    return ["--responses", folder / "responses.parquet", "--scores", folder / "set.g0.parquet"]


def test_by_a_scorer_only_the_families_given_are_read(tmp_path: Path) -> None:
    flags = scored(tmp_path)
    (tmp_path / "set.g1.parquet").unlink()
    done = run({"prompt_set": "set", "scorer": "rm", "seed": 3}, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    pairs, rows = read_table(tmp_path / "out.parquet", PAIRS), read_table(tmp_path / "responses.parquet", RESPONSES)
    ours = rows[rows["family"] == "set.g0"].merge(read_table(tmp_path / "set.g0.parquet", SCORES))
    expected, _ = draw_comparisons(ours[["prompt_id", "response_id", "score"]], 3)
    pd.testing.assert_frame_equal(pairs, expected.assign(origin="ranked by rm"))
    assert read_json(tmp_path / "card.json") == {
        "kind": "ranked",
        "samples": None,
        "of": None,
        "prompt_set": "set",
        "ranker": None,
        "scorer": "rm",
        "seed": 3,
        "pairs": 4,
        "dropped": {"prompt_with_one_response": 0, "equal_scores": 1, "response_without_score": 20},
        "threads": None,
    }


def test_by_a_scorer_no_model_is_imported(tmp_path: Path) -> None:
    spec = json.dumps({"kind": "ranked", "samples": "own", "scorer": "rm"})
    flags = ["--spec", spec, *scored(tmp_path), "--out", tmp_path / "out.parquet", "--card", tmp_path / "card.json"]
    code = "import sys; from scripts.pairs import ranked; ranked.main(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *map(str, flags)], capture_output=True, text=True)
    assert "pandas" in done.stdout.split(), done.stderr
    assert not {"torch", "transformers"} & set(done.stdout.split())


def test_scores_that_tell_nothing_apart_and_flags_that_lack_are_refused(tmp_path: Path) -> None:
    flags = scored(tmp_path)
    frame = read_table(tmp_path / "set.g0.parquet", SCORES).assign(score=1.0)
    write_table(frame, tmp_path / "set.g0.parquet", SCORES)
    done = run({"prompt_set": "set", "scorer": "rm"}, *flags, folder=tmp_path)
    assert done.returncode == 1 and not (tmp_path / "out.parquet").exists()
    assert f"error: {tmp_path / 'responses.parquet'}: no prompt has two responses of which one is" in done.stderr
    assert "'equal_scores': 5" in done.stderr and "remedy: choose a scorer" in done.stderr
    done = run({"prompt_set": "set", "ranker": "pr"}, *flags, folder=tmp_path)
    assert done.returncode == 2 and "pairs ranked by pr need --ranker-spec" in done.stderr


def test_by_a_ranker_pairs_are_what_it_says(tmp_path: Path, monkeypatch) -> None:
    data = Data(tmp_path, prompts=24).write()
    spec = json.dumps(RANKER)
    monkeypatch.setattr(
        "sys.argv",
        ["ranker", *data.flags("pairs", "prompts", "responses", name="pr", spec=spec, out=tmp_path / "pr")],
    )
    training.main()
    flags = data.flags("responses", "prompts", ranker_spec=spec, model_dir=tmp_path / "pr")
    done = run({"samples": "own", "ranker": "pr"}, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    pairs = read_table(tmp_path / "out.parquet", PAIRS)

    prompt_of = {row["prompt_id"]: row["prompt"] for row in data.prompts}
    text_of = {row["response_id"]: row["response"] for row in data.responses}
    asked = [(prompt_of[row.prompt_id], text_of[row.chosen_id], text_of[row.rejected_id]) for row in pairs.itertuples()]
    wins = ranker_of(ScratchRanker(**RANKER), tmp_path / "pr").first_wins(asked)
    assert pairs["chosen_score"].tolist() == pytest.approx(wins, abs=1e-6)
    assert (pairs["chosen_score"] > 0.5).all() and (pairs["chosen_score"] + pairs["rejected_score"] == 1.0).all()
    assert set(pairs["origin"]) == {"ranked by pr"}
    card = read_json(tmp_path / "card.json")
    assert card["pairs"] + sum(card["dropped"].values()) == len(data.prompts)
    assert card["threads"] >= 1

    narrow = data.flags(
        "responses", "prompts", ranker_spec=json.dumps(RANKER | {"max_length": 4}), model_dir=tmp_path / "pr"
    )
    done = run({"samples": "own", "ranker": "pr"}, *narrow, folder=tmp_path)
    assert done.returncode == 1
    assert f"'no_room_for_both': {len(data.prompts)}" in done.stderr
    assert "remedy: raise the ranker's max_length" in done.stderr


# --- the entry


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"ranker": "r"}, "samples and prompt_set"),
        ({"samples": "a", "prompt_set": "b", "ranker": "r"}, "samples and prompt_set"),
        ({"samples": "a"}, "ranker and scorer"),
        ({"prompt_set": "b", "ranker": "r", "scorer": "s"}, "ranker and scorer"),
    ],
)
def test_an_entry_names_one_origin_and_one_judge(entry: dict, problem: str) -> None:
    with pytest.raises(ValidationError, match=f"give exactly one of {problem}"):
        RankedPairs(kind="ranked", **entry)


@pytest.mark.parametrize("entry", [{"samples": "a", "ranker": "r"}, {"prompt_set": "b", "scorer": "s"}])
def test_an_entry_is_its_own_json(entry: dict) -> None:
    spec = RankedPairs(kind="ranked", **entry)
    assert RankedPairs.model_validate_json(spec.model_dump_json()) == spec
