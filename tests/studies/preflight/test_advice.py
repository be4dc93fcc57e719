"""What is recommended: from the studies' own tables, as configuration that can be pasted, in the right direction."""

import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter

from scripts.lib.config.pairs import PairsSpec
from scripts.lib.config.training import TrainingSpec
from studies.preflight.advice import evidence, recommend
from studies.preflight.advice.measure import advised
from studies.preflight.finding import Finding

ROOT = Path(__file__).parents[3]
NAMES = recommend.Names("mine", "set", "oracle", "own")
KNOWN = evidence.read_evidence()


def boundary(value: float, low: float, high: float) -> Finding:
    return Finding("boundary", "policy", "?", ".", value, low, high)


def test_the_evidence_is_that_of_the_last_full_run() -> None:
    """Made again by the command in the module's docstring whenever docs/results changes."""
    results = ROOT / "docs/results"
    made = pd.DataFrame(evidence.rows_of(*(pd.read_csv(results / f"{name}.csv") for name in ("claims", "table4"))))
    kept = pd.read_csv(evidence.TABLE)
    assert list(kept) == evidence.COLUMNS
    pd.testing.assert_frame_equal(kept, made[evidence.COLUMNS], atol=1e-4)


def test_ranges_hold_all_intervals() -> None:
    table = pd.read_csv(evidence.TABLE)
    for name, found in KNOWN.items():
        of_name = table[table["name"] == name]
        assert found.low == of_name["ci_low"].min() and found.high == of_name["ci_high"].max()
        assert found.low <= found.value <= found.high
    turned = KNOWN["rejected_tier"].times(-2)
    assert turned.low <= turned.value <= turned.high and turned.value == pytest.approx(
        -2 * KNOWN["rejected_tier"].value
    )


def test_better_chosen_and_lower_rejected_are_recommended_where_there_are_any() -> None:
    found = recommend.tiers({"chosen": 2.0, "rejected": 1.0}, NAMES, KNOWN)
    assert found.gain == pytest.approx(2 * KNOWN["chosen_tier"].value - KNOWN["rejected_tier"].value)
    assert found.ci_low < found.gain < found.ci_high and found.ci_low > 0
    further = recommend.tiers({"chosen": 1.0, "rejected": 1.0}, NAMES, KNOWN)
    assert further.gain > found.gain
    for tier in ({"chosen": 4.0, "rejected": 0.0}, {"chosen": None, "rejected": None}):
        kept = recommend.tiers(tier, NAMES, KNOWN)
        assert kept.configuration == "" and kept.gain is None


def test_a_gap_is_not_bought_where_the_rejected_are_the_worst() -> None:
    assert recommend.wider_gap({"chosen": 4.0, "rejected": 0.0}, KNOWN).gain is None
    assert recommend.wider_gap({"chosen": 4.0, "rejected": 2.0}, KNOWN).gain > 0
    assert recommend.wider_gap({"chosen": None, "rejected": None}, KNOWN).gain is None


def test_the_stage_decides_the_share() -> None:
    def told(found: Finding | None) -> tuple[str, str]:
        made = recommend.on_policy(found, NAMES, KNOWN)
        return made.sentence, made.configuration

    assert told(boundary(0.7, 0.6, 0.8))[0].startswith("All") and told(boundary(0.7, 0.6, 0.8))[1]
    assert told(boundary(0.3, 0.2, 0.4)) == (told(boundary(0.3, 0.2, 0.4))[0], "")
    assert told(boundary(0.3, 0.2, 0.4))[0].startswith("None")
    assert told(boundary(0.52, 0.4, 0.6))[0].startswith("Either")
    assert told(None)[0].startswith("Not known")


def test_what_is_recommended_can_be_pasted() -> None:
    rows = pd.DataFrame({"prompt_id": ["a", "b"], "drop": [["one", "two"], []]})
    raised = {name: Finding(name, "text", "?", ".", level="bad") for name in ("length_bias", "displacement")}
    drop = "results/preflight/mine/drop.parquet"
    found = {
        each.name: each
        for each in [
            recommend.tiers({"chosen": 2.0, "rejected": 1.0}, NAMES, KNOWN),
            recommend.on_policy(boundary(0.7, 0.6, 0.8), NAMES, KNOWN),
            recommend.drop(rows, NAMES, drop),
        ]
    }
    for each in found.values():
        for entry in yaml.safe_load(each.configuration)["pairs"].values():
            TypeAdapter(PairsSpec).validate_python(entry)
    assert found["drop"].table == [{"reason": "one", "pairs": 1}, {"reason": "two", "pairs": 1}]
    assert found["drop"].sentence.startswith("1 of 2")
    assert recommend.drop(rows[1:], NAMES, drop).configuration == ""
    for findings, variants in ((raised, {"dpo": "dpo", "simpo": "simpo"}), ({}, {})):
        chosen = yaml.safe_load(recommend.objective(findings).configuration)["training"]
        training = TrainingSpec(**chosen)
        assert training.objective == "dpo"
        assert {name: training.variant(name).objective for name in chosen.get("variants", {})} == variants


def test_without_a_scorer_nothing_is_invented() -> None:
    rows = pd.DataFrame({"prompt_id": ["a"], "chosen_id": ["c"], "rejected_id": ["r"], "drop": [[]]})
    found = advised(rows, {}, NAMES, "drop.parquet")
    assert [each.name for each in found] == ["tiers", "wider_gap", "on_policy", "objective", "drop"]
    assert all(each.gain is None and each.kind == "advice" for each in found)
    assert json.loads(json.dumps([asdict(each) for each in found]))
