"""`snakemake boundary` on a policy, pairs and a ranker of one's own, from ten lines of configuration."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.pair_rm_data import save_hf, tiny_pair_rm, train
from tests.scoring_data import user
from tests.workflow.house import ROOT, House

GOOD, BAD = "copy the list", "no is not"


@pytest.fixture
def house(tiny_policy: Path, tmp_path: Path) -> House:
    """The configuration of docs/boundary.md on local files."""
    house = House.build(tmp_path / "house")
    rows = [{"prompt": f"sort {at}", "chosen": f"{GOOD} {at}", "rejected": f"{BAD} {at}"} for at in range(12)]
    (house.folder / "my_pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    ranker = tiny_pair_rm()
    train(ranker, [(user("so"), "good", "bad")], steps=5)
    save_hf(ranker, house.folder / "ranker")
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/boundary.md").read_text(), re.DOTALL)[1]
    assert len(text.splitlines()) <= 10
    text = text.replace("my/policy", str(tiny_policy)).replace("llm-blender/PairRM-hf", "ranker")
    text = text.replace("samples: 2,", "samples: 2, max_new_tokens: 8, precision: float32,")
    text = text.replace("kind: given,", "kind: given, max_length: 64,")
    text = text.replace("kind: pair_rm,", "kind: pair_rm, source_length: 24, candidate_length: 12,")
    (house.folder / "mine.yaml").write_text(text)
    return house


ASKED = ["--configfile", "miniature.yaml", "mine.yaml", "--", "boundary"]


def test_only_what_the_measurement_needs_is_made(house: House) -> None:
    assert house.planned(*ASKED) == {
        "load": 1,
        "curate": 1,
        "preferences": 1,
        "labelled": 1,
        "given": 1,
        "sample_prompt_set": 1,
        "boundary_score": 1,
        "boundary": 1,
    }


@pytest.mark.slow
def test_the_table_is_made_and_an_edited_ranker_is_seen(house: House) -> None:
    house.snakemake(*ASKED)
    row = pd.read_csv(house.folder / "results/boundary.csv").iloc[0]
    assert (row["policy"], row["dataset"], row["ranker"], row["n_prompts"]) == ("mine", "mine", "pair_rm", 12)
    assert row["v_on"] + row["v_off"] == 48 and row["ci_low"] <= row["score"] <= row["ci_high"]
    assert row["stage"] == ("injection" if row["v_off"] > row["v_on"] else "fine-tuning")
    assert house.planned(*ASKED) == {}
    config = house.folder / "ranker/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"edited": True}))
    assert house.planned(*ASKED) == {"boundary_score": 1, "boundary": 1}
