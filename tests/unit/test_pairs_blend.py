"""Blends of off-policy and on-policy pairs: the ends, the share, and the record that it is read from."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scripts.lib.config.behind import depends_on_start, sample_sets_behind
from scripts.lib.config.pairs import RankedPairs
from scripts.lib.config.references import problems
from scripts.lib.config.root import AtlasConfig
from scripts.lib.errors import InputError
from scripts.lib.lineage import families_behind, pairs_for, prompt_set_behind
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import PAIRS
from scripts.lib.tables import read_json, read_table, write_table
from scripts.pairs import blend as step
from scripts.pairs.blend import OFF, ON, blend
from scripts.workflow.files import Files
from tests.unit.test_lineage import atlas

KEYS = ["prompt_id", "chosen_id", "rejected_id"]
STAGE = {"kind": "boundary", "pairs": "off_1", "samples": "own", "ranker": "judge"}
prompts = st.lists(st.integers(0, 40), unique=True, max_size=20)


def pairs_of(side: str, numbers: list[int], each: int = 1) -> pd.DataFrame:
    rows = [(f"p{n}", f"{side}{n}+{at}", f"{side}{n}-{at}", 0.7, 0.3, "ranked") for n in numbers for at in range(each)]
    return pd.DataFrame(rows, columns=list(PAIRS.columns))


def keys(pairs: pd.DataFrame) -> set:
    return set(pairs[KEYS].itertuples(index=False, name=None))


@given(prompts, prompts, st.integers(1, 2), st.integers(0, 5))
def test_its_ends_are_the_two_datasets(off: list[int], on: list[int], each: int, seed: int) -> None:
    others, own = pairs_of("off", off, each), pairs_of("on", on)
    for share, whole, origin in ((0.0, others, OFF), (1.0, own, ON)):
        found, counts = blend(others, own, share, seed)
        assert keys(found) == keys(whole) and set(found["origin"]) <= {origin}
        assert sum(counts.values()) == len(set(off) | set(on))


@given(prompts, prompts, st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_a_prompt_is_on_one_side_and_a_larger_share_takes_more_of_the_same(off, on, one, other, seed) -> None:
    others, own = pairs_of("off", off), pairs_of("on", on)
    taken = []
    for share in sorted((one, other)):
        found, counts = blend(others, own, share, seed)
        assert not found["prompt_id"].duplicated().any() and found["prompt_id"].is_monotonic_increasing
        assert keys(found) <= keys(others) | keys(own)
        n = len(set(off) | set(on))
        assert counts["on_policy"] + counts["without_on_policy_pair"] == int(share * n + 1e-9)
        assert (
            len(found)
            == counts["on_policy"] + counts["off_policy"]
            == n - sum(count for name, count in counts.items() if name.startswith("without"))
        )
        taken.append(set(found.loc[found["origin"] == ON, "prompt_id"]))
    assert taken[0] <= taken[1]
    shuffled, _ = blend(others[::-1], own[::-1], max(one, other), seed)
    pd.testing.assert_frame_equal(shuffled, found)


def test_the_step_takes_its_share_from_the_boundary_score(tmp_path: Path, monkeypatch) -> None:
    write_table(pairs_of("off", list(range(8))), tmp_path / "off.parquet", PAIRS)
    write_table(pairs_of("on", list(range(8))), tmp_path / "on.parquet", PAIRS)
    spec = json.dumps({"kind": "blend", "off_policy": "off", "on_policy": "on", "boundary": "stage"})

    def run(points: float) -> None:
        record = evaluation("weak", "stage", "boundary_score", [points, points], {}, {})
        write_evaluation(record, tmp_path / "stage.json")
        flags = {"spec": spec} | {name: tmp_path / f"{name}.parquet" for name in ("off", "on")}
        words = ["--spec", spec, "--off-policy", flags["off"], "--on-policy", flags["on"]]
        words += ["--boundary", tmp_path / "stage.json", "--out", tmp_path / "out.parquet"]
        monkeypatch.setattr(sys, "argv", ["blend", *map(str, words), "--card", str(tmp_path / "card.json")])
        step.main()

    for points, own in ((0.0, 0), (25.0, 2), (62.5, 5), (100.0, 8)):
        run(points)
        found, card = read_table(tmp_path / "out.parquet", PAIRS), read_json(tmp_path / "card.json")
        assert (found["origin"] == ON).sum() == card["on_policy"] == own and card["off_policy"] == 8 - own
        assert card["share"] == points / 100 and card["dropped"] == dict.fromkeys(card["dropped"], 0)
    write_table(pairs_of("on", []), tmp_path / "on.parquet", PAIRS)
    with pytest.raises(InputError, match=r"none of the prompts that a share of 1.00 takes"):
        run(100.0)


# --- in the configuration


def blended(**changes) -> AtlasConfig:
    """test_lineage's configuration with a boundary suite, a blend, and weak's pairs for every start."""
    raw = atlas().model_dump(mode="json")
    raw["evaluation"]["suites"]["stage"] = {**STAGE, **changes.pop("stage", {})}
    raw["pairs"]["both"] = {"kind": "blend", "off_policy": "off_1", "on_policy": "on_1", "boundary": "stage", **changes}
    raw["pairs"]["weaks"] = {"kind": "ranked", "samples": "own", "of": "weak", "ranker": "judge"}
    return AtlasConfig.model_validate(raw)


def test_a_blend_is_of_its_start_and_needs_what_both_sides_need() -> None:
    config = blended()
    files = Files(config)
    assert pairs_for(config, "both", "weak") == "both@weak" and prompt_set_behind(config, "both") == "uf"
    assert families_behind(config, "both", "weak") == ["uf.a", "uf.b", "uf.own@weak"]
    both = {path for name in ("off_1", "on_1") for path in files.references(name, "weak")}
    assert set(files.references("both", "weak")) == both


def test_pairs_of_a_named_policy_are_the_same_for_every_start() -> None:
    """They are of the samples that this policy's own pairs are made of: nothing is sampled again."""
    config = blended()
    files = Files(config)
    assert sample_sets_behind(config, "weaks") == ["own@weak"] and not depends_on_start(config, "weaks")
    assert pairs_for(config, "weaks", "medium") == "weaks"
    for start in ("weak", "medium"):
        assert families_behind(config, "weaks", start) == ["uf.own@weak"]
        assert files.responses_behind(["weaks"], start) == ["results/samples/weak/uf.own@weak.responses.parquet"]
        assert files.references("weaks", start) == [f"results/logprobs/{start}/uf.own@weak.parquet"]
    assert files.ranked_responses("weaks") == files.ranked_responses("on_1@weak")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"off_policy": "on_2"}, "on_2 is sampled from each start"),
        ({"on_policy": "off_2"}, "off_2 is not sampled from each start"),
        ({"on_policy": "weaks"}, "weaks is not sampled from each start"),
        ({"boundary": "gone"}, "no evaluation.suites 'gone'"),
        ({"stage": {"samples": "fixed"}}, "are those of weak alone"),
    ],
)
def test_what_cannot_be_blended_is_refused(changes: dict, message: str) -> None:
    found, fine = ([problem for _, problem, _ in problems(each)] for each in (blended(**changes), blended()))
    assert any(message in each for each in found) and not any(message in each for each in fine), found


def test_samples_of_a_named_policy_have_no_other_policy() -> None:
    raw = blended().model_dump(mode="json")
    raw["pairs"]["weaks"]["samples"] = "fixed"
    found = [problem for _, problem, _ in problems(AtlasConfig.model_validate(raw))]
    assert "weak's samples, and fixed are those of weak" in found
    with pytest.raises(ValidationError, match="give samples"):
        RankedPairs(kind="ranked", prompt_set="uf", of="weak", ranker="judge")
