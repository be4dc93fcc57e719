"""The boundary measurement: counts as in the paper's algorithm, its interval, and what a reader is told."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.evaluation import boundaries, boundary
from scripts.evaluation.boundaries import COLUMNS, FINE_TUNING, INJECTION, interval, row_of, stage_of
from scripts.evaluation.boundary import by_scores, comparisons, first_by_hash, verdicts
from scripts.lib.config.evaluation import BoundarySuite
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id, seed_of
from scripts.lib.results import evaluation, read_evaluation
from scripts.lib.schemas import PAIRS, PROMPTS, RESPONSES, SAMPLES, SCORES
from scripts.lib.tables import write_table
from tests.pair_rm_data import save_hf, tiny_pair_rm, train
from tests.scoring_data import user

SUITE = {"kind": "boundary", "pairs": "off", "samples": "own", "scorer": "rm"}
rewards = st.none() | st.integers(0, 3).map(float)
prompts = st.lists(
    st.tuples(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), rewards), max_size=3), rewards, rewards),
    min_size=1,
    max_size=8,
)


def tables(drawn: list) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """SAMPLES, pairs and SCORES of prompts, each with its samples' texts and rewards and its pair's rewards."""
    samples, pairs, scores = [], [], {}
    for at, (own, chosen, rejected) in enumerate(drawn):
        for number, (text, reward) in enumerate(own):
            key = f"p{at}.{text}"
            samples.append((key, f"p{at}", "own", text or None, True, 0, number))
            scores.setdefault(key, reward if text else None)
        pairs.append((f"p{at}", f"p{at}.b", f"p{at}.off"))  # "b" may be sampled too
        scores.setdefault(f"p{at}.b", chosen)
        scores[f"p{at}.off"] = rejected
    known = [(key, value) for key, value in scores.items() if value is not None]
    return (
        pd.DataFrame(samples, columns=list(SAMPLES.columns)),
        pd.DataFrame(pairs, columns=["prompt_id", "chosen_id", "rejected_id"]),
        pd.DataFrame(known, columns=["response_id", "score"]),
    )


def by_the_algorithm(samples: pd.DataFrame, pairs: pd.DataFrame, score: dict[str, float]) -> list[tuple[int, int, int]]:
    """(V_on, V_off, ties among V_off) of every prompt that can be compared, line by line as it is printed."""
    found = []
    for prompt, *others in pairs.itertuples(index=False):
        own = samples[(samples["prompt_id"] == prompt) & (samples["sample"] < 2)]
        v_on = v_off = ties = 0
        comparable = len(own) == 2
        for y, text in zip(own["response_id"], own["response"], strict=True):
            for other in others:
                if not isinstance(text, str):
                    v_off += 1
                elif y == other:
                    v_off, ties = v_off + 1, ties + 1
                elif y not in score or other not in score:
                    comparable = False
                elif score[y] > score[other]:
                    v_on += 1
                else:
                    v_off, ties = v_off + 1, ties + (score[y] == score[other])
        found += [(v_on, v_off, ties)] if comparable else []
    return found


@settings(max_examples=80)
@given(prompts)
def test_votes_are_those_of_the_algorithm(drawn: list) -> None:
    samples, pairs, scores = tables(drawn)
    compared, lost = comparisons(samples, pairs)
    counts, unknown = verdicts(compared, by_scores(compared, scores))
    expected = by_the_algorithm(samples, pairs, dict(zip(scores["response_id"], scores["score"], strict=True)))
    assert list(zip(counts["won"], 4 - counts["won"], counts["tied"], strict=True)) == expected
    assert len(expected) + lost["prompt_without_two_samples"] + unknown["comparison_without_a_verdict"] == len(drawn)


def test_a_tie_is_not_a_preference() -> None:
    compared = pd.DataFrame({"prompt_id": ["p"] * 4, "own_id": "a", "other_id": "b", "empty": [False] * 3 + [True]})
    counts, _ = verdicts(compared, [0.5, 0.5 + 1e-12, 0.3, 1.0])
    assert counts.loc["p"].tolist() == [1, 1]
    assert stage_of(2, 2) == FINE_TUNING and stage_of(1, 2) == INJECTION  # V_off > V_on, as printed


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99)), unique=True, max_size=30), st.integers(1, 12))
def test_one_pair_per_prompt_whatever_the_order(rows: list, count: int) -> None:
    table = pd.DataFrame([(f"p{prompt}", f"r{pair}") for prompt, pair in rows], columns=["prompt_id", "pair"])
    found = first_by_hash(table, "pair", count)
    expected = {
        prompt: min(group["pair"], key=lambda each: seed_of("boundary", each))
        for prompt, group in table.groupby("prompt_id")
    }
    kept = sorted(expected, key=lambda each: seed_of("boundary", each))[:count]
    assert found.to_dict("records") == [{"prompt_id": each, "pair": expected[each]} for each in kept]
    pd.testing.assert_frame_equal(first_by_hash(table.iloc[::-1], "pair", count), found)


# --- the interval


@pytest.mark.parametrize(
    ("mean", "alike", "least"),
    [(0.5, 1.0, 0.94), (0.5, 8.0, 0.94), (0.9, 2.0, 0.93), (0.1, 0.5, 0.93), (0.97, 2.0, 0.9), (0.03, 0.5, 0.9)],
)
def test_the_interval_covers_the_truth_over_prompts(mean: float, alike: float, least: float) -> None:
    """2,000 measurements of 100 prompts, whose four comparisons agree more or less (a beta of sum ``alike``)."""
    draw = np.random.default_rng(0)
    chances = draw.beta(mean * alike, (1 - mean) * alike, size=(2000, 100))
    shares = draw.binomial(4, chances) / 4
    ends = np.array([interval(each) for each in shares])
    assert least <= ((ends[:, 0] <= mean) & (mean <= ends[:, 1])).mean() <= 0.99


@given(st.lists(st.integers(0, 4).map(lambda won: won / 4), min_size=2, max_size=40))
def test_the_interval_is_a_proper_one_and_mirrors(shares: list[float]) -> None:
    low, high = interval(shares)
    assert 0 <= low <= np.mean(shares) + 1e-12 and np.mean(shares) - 1e-12 <= high <= 1 and low < high
    mirrored = interval([1 - each for each in shares])
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


# --- what a reader is told


def record(won: list[int], ties: int = 0, **details):
    counted = {"dataset": "off", "samples": "own", "ranker": "rm", "v_on": sum(won), "v_off": 4 * len(won) - sum(won)}
    counted |= {"ties": ties, "empty": 0, "prompts_of_dataset": 100, "prompts_sampled": 60, "dropped": {}} | details
    return evaluation("policy", "stage", "boundary_score", [25.0 * each for each in won], {}, counted)


def test_a_row_says_the_stage_and_what_to_train_on() -> None:
    row = row_of(record([4, 4, 3, 4, 4, 4, 3, 4]))
    assert list(row) == COLUMNS
    assert (row["stage"], row["recommended"], row["note"]) == (FINE_TUNING, "on-policy", "")
    assert (row["score"], row["measured"], row["to_sample"]) == (30 / 32, 0.08, 80)
    row = row_of(record([0, 1, 0, 0, 0, 1, 0, 0]))
    assert (row["stage"], row["recommended"], row["to_sample"]) == (INJECTION, "off-policy", 0)


def test_a_reader_is_told_when_ties_decide_and_when_chance_may() -> None:
    row = row_of(record([1, 2] * 40, ties=100))
    assert (row["stage"], row["stage_halves"]) == (INJECTION, FINE_TUNING)
    assert row["score"] == 120 / 320 and row["score_halves"] == 170 / 320
    assert "100 ties decide: counted as halves, the stage is fine-tuning" in row["note"]
    assert "0.5 is inside" in row_of(record([1, 3] * 4))["note"]


# --- the steps


def stored(folder: Path, prompts: int = 12) -> dict[str, Path]:
    """Tables in which every second prompt's samples are good; the off-policy pair is fine over poor."""
    rows: dict[str, list] = {"prompts": [], "responses": [], "samples": [], "pairs": [], "own": [], "off": []}
    for at in range(prompts):
        prompt = user(f"say something {' '.join(str(at))}")
        of = prompt_id(prompt)
        rows["prompts"].append((of, prompt, "here", "train"))
        ids = [response_id(of, text) for text in ("so fine", "so poor")]
        rows["responses"] += [
            (key, of, "set", text, True) for key, text in zip(ids, ("so fine", "so poor"), strict=True)
        ]
        rows["pairs"].append((of, *ids, 1.0, 0.0, "test"))
        rows["off"] += zip(ids, (1.0, 0.0), strict=True)
        for number, text in enumerate(("good good", "good") if at % 2 else ("bad", "")):
            key = response_id(of, text)
            rows["samples"].append((key, of, "set.own", text, True, 7, number))
            rows["own"] += [(key, 2.0 if at % 2 else -1.0)] if text else []
    schemas = {"prompts": PROMPTS, "responses": RESPONSES, "samples": SAMPLES, "pairs": PAIRS}
    schemas |= {"own": SCORES, "off": SCORES}
    for name, schema in schemas.items():
        write_table(pd.DataFrame(rows[name], columns=list(schema.columns)), folder / f"{name}.parquet", schema)
    return {name: folder / f"{name}.parquet" for name in schemas}


def run(monkeypatch, module, **flags) -> None:
    words = []
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    monkeypatch.setattr("sys.argv", ["step", *words])
    module.main()


def measured(monkeypatch, tmp_path: Path, suite: dict, **flags) -> dict:
    files = stored(tmp_path)
    given = {"name": "policy", "suite": "stage", "spec": json.dumps(suite), "out": tmp_path / "found.json"}
    run(monkeypatch, boundary, **given, samples=files["samples"], pairs=files["pairs"], **flags)
    run(monkeypatch, boundaries, evaluations=[tmp_path / "found.json"], out=tmp_path / "boundary.csv")
    table = pd.read_csv(tmp_path / "boundary.csv", keep_default_na=False)
    assert list(table) == COLUMNS
    return table.iloc[0].to_dict()


def test_by_a_scorer_from_stored_scores(tmp_path: Path, monkeypatch) -> None:
    scores = [tmp_path / "own.parquet", tmp_path / "off.parquet"]
    row = measured(monkeypatch, tmp_path, SUITE, scores=scores)
    assert (row["n_prompts"], row["v_on"], row["v_off"], row["stage"]) == (12, 24, 24, FINE_TUNING)
    assert (row["policy"], row["dataset"], row["ranker"], row["measured"]) == ("policy", "off", "rm", 1.0)
    assert row["ci_low"] < row["score"] == 0.5 < row["ci_high"] and row["to_sample"] == 0
    found = read_evaluation(tmp_path / "found.json")
    assert found.details["empty"] == 12 and found.value == 50.0  # two comparisons of each empty sample


def test_by_pair_rm_and_of_some_prompts(tmp_path: Path, monkeypatch) -> None:
    ranker = tiny_pair_rm()
    order = ["good good", "good", "so fine", "so poor", "bad"]
    train(ranker, [(user("say something"), a, b) for at, a in enumerate(order) for b in order[at + 1 :]], steps=150)
    spec = {"kind": "pair_rm", "model": str(save_hf(ranker, tmp_path / "model")), "source_length": 24}
    spec |= {"candidate_length": 12}
    texts = {"prompts": [tmp_path / "prompts.parquet"], "responses": [tmp_path / "responses.parquet"]}
    suite = {name: value for name, value in SUITE.items() if name != "scorer"} | {"ranker": "pair_rm", "prompts": 7}
    row = measured(monkeypatch, tmp_path, suite, ranker_spec=json.dumps(spec), **texts)
    assert (row["n_prompts"], row["ranker"], row["v_on"] + row["v_off"]) == (7, "pair_rm", 28)
    samples = pd.read_parquet(tmp_path / "samples.parquet")
    pairs = pd.read_parquet(tmp_path / "pairs.parquet")
    kept = first_by_hash(pairs.assign(pair=pairs["chosen_id"] + pairs["rejected_id"]), "pair", 7)["prompt_id"]
    good = samples[samples["response"] == "good"]["prompt_id"].isin(kept).sum()
    assert row["v_on"] == pytest.approx(4 * good, abs=2) and good > 0
    assert math.isclose(row["measured"], 7 / 12, abs_tol=1e-4)


def test_nothing_to_compare_is_refused(tmp_path: Path, monkeypatch) -> None:
    empty = tmp_path / "none.parquet"
    write_table(pd.DataFrame({"response_id": ["x"], "score": [1.0]}), empty, SCORES)
    with pytest.raises(InputError, match="0 of 12 prompts of off can be compared"):
        measured(monkeypatch, tmp_path, SUITE | {"prompts": 100}, scores=[empty])
    with pytest.raises(InputError, match="none of kind boundary"):
        run(monkeypatch, boundaries, out=tmp_path / "out.csv")


def test_a_suite_has_one_who_compares() -> None:
    for more in ({"ranker": "r"}, {"scorer": None}):
        with pytest.raises(ValidationError, match="exactly one of ranker and scorer"):
            BoundarySuite.model_validate(SUITE | more)
