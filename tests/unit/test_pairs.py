"""Tiers and pairs: properties of the rules that the papers leave open."""

import itertools
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.schemas import PAIRS, RESPONSES, SCORES, TIERS
from scripts.lib.tables import read_json, read_table, write_table
from scripts.lib.vocabulary import TIERS as TIER_NAMES
from scripts.pairs.compare import draw_comparisons
from scripts.pairs.pair import pair_tiers
from scripts.pairs.tiers import stratify, tier_card, tier_ranks

CONFIGURATIONS = list(itertools.combinations(TIER_NAMES, 2))

scored_tables = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 10_000), st.integers(-3, 3)),
    unique_by=lambda row: row[1],
    max_size=60,
).map(
    lambda rows: pd.DataFrame(
        [(f"p{p}", f"r{r}", float(s)) for p, r, s in rows], columns=["prompt_id", "response_id", "score"]
    )
)


@given(st.integers(2, 500))
def test_tier_ranks_are_distinct_ordered_and_reach_both_ends(n: int) -> None:
    ranks = tier_ranks(n)
    assert list(ranks) == [tier for tier in TIER_NAMES if tier in ranks]
    assert list(ranks.values()) == sorted(set(ranks.values()))
    assert ranks["best"] == 0 and ranks["worst"] == n - 1
    assert len(ranks) == min(n, len(TIER_NAMES))


@given(st.integers(5, 500))
def test_tier_ranks_are_evenly_spaced(n: int) -> None:
    for place, rank in enumerate(tier_ranks(n).values()):
        assert abs(rank - (n - 1) * place / 4) <= 0.5


@given(scored_tables, st.randoms(use_true_random=False))
def test_stratify_agrees_with_sorting_each_prompt_by_hand(scored: pd.DataFrame, random) -> None:
    expected = set()
    for prompt, group in scored.groupby("prompt_id"):
        ranked = sorted(group.itertuples(), key=lambda row: (-row.score, row.response_id))
        expected |= {
            (prompt, tier, ranked[at].response_id, ranked[at].score) for tier, at in tier_ranks(len(ranked)).items()
        }
    shuffled = scored.sample(frac=1.0, random_state=random.randint(0, 2**31)) if len(scored) else scored
    for table in (scored, shuffled):
        assert set(stratify(table).itertuples(index=False, name=None)) == expected


@given(scored_tables)
def test_every_response_has_a_tier_or_is_counted(scored: pd.DataFrame) -> None:
    tiers = stratify(scored)
    if tiers.empty:
        return
    card = tier_card(scored, tiers, unscored=0)
    assert len(tiers) + sum(card["dropped"].values()) == len(scored)


@given(scored_tables, st.sampled_from(CONFIGURATIONS))
def test_pairs_prefer_the_higher_score_and_every_prompt_is_counted(scored, configuration) -> None:
    tiers = stratify(scored)
    pairs, dropped = pair_tiers(tiers, *configuration)
    PAIRS.validate(__import__("pyarrow").Table.from_pandas(pairs, preserve_index=False), "pairs") if len(
        pairs
    ) else None
    assert len(pairs) + sum(dropped.values()) == tiers["prompt_id"].nunique()
    assert not pairs["prompt_id"].duplicated().any()


@given(scored_tables)
def test_datasets_that_share_a_tier_share_its_responses(scored) -> None:
    tiers = stratify(scored)
    chosen = {}
    for rejected in ("worst", "low", "medium", "high"):
        pairs, _ = pair_tiers(tiers, "best", rejected)
        for row in pairs.itertuples():
            assert chosen.setdefault(row.prompt_id, row.chosen_id) == row.chosen_id


@given(scored_tables, st.integers(0, 3))
def test_comparisons_are_two_responses_of_one_prompt_and_every_prompt_is_counted(scored, seed) -> None:
    pairs, dropped = draw_comparisons(scored, seed)
    PAIRS.validate(pa.Table.from_pandas(pairs, preserve_index=False, schema=PAIRS.arrow), "pairs")
    assert len(pairs) + sum(dropped.values()) == scored["prompt_id"].nunique()
    prompt_of = dict(zip(scored["response_id"], scored["prompt_id"], strict=True))
    for row in pairs.itertuples():
        assert prompt_of[row.chosen_id] == prompt_of[row.rejected_id] == row.prompt_id
    again, _ = draw_comparisons(scored.iloc[::-1], seed)
    assert set(map(tuple, again.to_numpy())) == set(map(tuple, pairs.to_numpy()))


def run(step: str, *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", step, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    responses = pd.DataFrame(
        [(f"r{p}{i}", f"p{p}", f"set.g{i}", f"text {p} {i}") for p in range(4) for i in range(5)],
        columns=RESPONSES.required,
    )
    write_table(responses, tmp_path / "responses.parquet", RESPONSES)
    for i in range(5):
        scores = pd.DataFrame(
            {"response_id": [f"r{p}{i}" for p in range(4)], "score": [float(i if p else 0) for p in range(4)]}
        )
        write_table(scores, tmp_path / f"set.g{i}.parquet", SCORES)
    return tmp_path


def test_the_steps_from_scores_to_pairs(stored: Path) -> None:
    done = run(
        "scripts.pairs.tiers",
        *["--responses", stored / "responses.parquet", "--scores", *sorted(stored.glob("set.*"))],
        *["--out", stored / "tiers.parquet", "--card", stored / "tiers.json"],
    )
    assert done.returncode == 0, done.stderr
    assert set(read_table(stored / "tiers.parquet", TIERS)["tier"]) == set(TIER_NAMES)
    spec = '{"kind": "tiers", "prompt_set": "set", "scorer": "s", "chosen": "best", "rejected": "low"}'
    done = run(
        "scripts.pairs.pair",
        *["--spec", spec, "--tiers", stored / "tiers.parquet"],
        *["--out", stored / "pairs.parquet", "--card", stored / "pairs.json"],
    )
    assert done.returncode == 0, done.stderr
    pairs = read_table(stored / "pairs.parquet", PAIRS)
    assert list(pairs["chosen_id"]) == ["r14", "r24", "r34"] and list(pairs["rejected_id"]) == ["r11", "r21", "r31"]
    assert read_json(stored / "pairs.json")["dropped"] == {"prompt_without_both_tiers": 0, "equal_scores": 1}


def test_scores_of_unknown_responses_are_refused_by_name(stored: Path) -> None:
    write_table(pd.DataFrame({"response_id": ["stranger"], "score": [1.0]}), stored / "set.x.parquet", SCORES)
    done = run(
        "scripts.pairs.tiers",
        *["--responses", stored / "responses.parquet", "--scores", stored / "set.x.parquet"],
        *["--out", stored / "tiers.parquet", "--card", stored / "tiers.json"],
    )
    assert done.returncode == 1 and "stranger" in done.stderr and "remedy" in done.stderr
    assert "Traceback" not in done.stderr and not (stored / "tiers.parquet").exists()
