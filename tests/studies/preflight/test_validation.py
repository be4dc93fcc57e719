"""The planted faults are what they say, and preflight's parts run together on them under different names."""

import random
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.world.oracle import reward
from studies.preflight.validation import faults, measure


@pytest.fixture
def clean(monkeypatch) -> faults.Data:
    monkeypatch.setattr(faults, "PROMPTS", 60)
    return faults.clean(7)


def test_clean_pairs_are_right_repeat_nothing_and_are_drawn_again_from_their_seed(clean) -> None:
    assert clean.pairs == faults.clean(7).pairs and len(clean.pairs) > 40
    assert all(reward(prompt, chosen) > reward(prompt, rejected) for prompt, chosen, rejected in clean.pairs)
    assert not {prompt for prompt, *_ in clean.pairs} & set(faults.asked())


def test_each_fault_is_planted_as_often_as_it_says(clean) -> None:
    data = {name: plant(clean, random.Random(0)) for name, (plant, _) in faults.FAULTS.items()}
    n = len(clean.pairs)
    turned = sum(reward(p, c) < reward(p, r) for p, c, r in data["flipped_labels"].pairs)
    assert 0.05 < turned / n < 0.4
    assert len(data["duplicated_prompts"].pairs) == n + round(faults.DUPLICATED * n)
    words = [" ".join(prompt.split()) for prompt, *_ in data["duplicated_prompts"].pairs]
    assert sum(count > 1 for count in Counter(words).values()) == round(faults.DUPLICATED * n)
    asked = set(faults.asked())
    assert sum(p in asked for p, *_ in data["contaminated"].pairs) == round(faults.CONTAMINATED * n)
    sides = [side for _, *of in data["truncated_responses"].pairs for side in of]
    assert max(len(side.split()) for side in sides) == faults.CUT
    weak = [reward(p, c) for p, c, _ in data["better_policy"].pairs]
    assert sum(weak) / len(weak) < 0.8 * sum(reward(p, c) for p, c, _ in clean.pairs) / n
    alike = [
        sum(one != other for one, other in zip(c.split(), r.split(), strict=False))
        for _, c, r in data["displacing_pairs"].pairs
        if len(c.split()) == len(r.split())
    ]
    assert sum(each == 1 for each in alike) > 0.3 * n
    for prompt, chosen, rejected in data["length_biased_scorer"].pairs:
        assert data["length_biased_scorer"].score(prompt, chosen) >= data["length_biased_scorer"].score(
            prompt, rejected
        )


@pytest.mark.slow
def test_all_parts_speak_of_a_dataset_under_different_names(clean, tiny_policy: Path) -> None:
    found = measure.findings_on(clean, measure.Bench(tiny_policy / "policy.json"))
    names = [each.name for each in found]
    assert len(names) == len(set(names))
    assert {each for _, own in faults.FAULTS.values() for each in own} <= set(names)


def test_the_table_counts_alarms_by_seed() -> None:
    watched = [name for _, names in faults.FAULTS.values() for name in names]
    rows = [
        {"fault": fault, "seed": seed, "finding": name, "level": "warn" if (name, seed) == ("headroom", 1) else "note"}
        for fault in ("none", *faults.FAULTS)
        for seed in (1, 2)
        for name in [*watched, "another"]
    ]
    rows[-1]["level"] = "bad"
    text = measure.table(pd.DataFrame(rows))
    line = next(each for each in text.splitlines() if each.startswith("| better policy"))
    assert "**50%**" in line and "another" not in line
    assert "`another` 50%" in text.splitlines()[-1]
