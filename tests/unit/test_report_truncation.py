"""What a cut does to the pairs of runs, as the page shows it."""

import json
from pathlib import Path

from scripts.report.truncation import truncations


def put(folder: Path, run: str, longer: int, **more) -> Path:
    card = {
        **{"choice": "cut", "max_length": 8, "pairs": 10, "chosen_longer": longer, "rejected_longer": 0},
        **{"pairs_left": {"cut": 10, "drop": 10 - longer}, "dropped": {"cut": {}, "drop": {}}},
    }
    path = folder / f"{run}.card.json"
    path.write_text(json.dumps({"run": run, "truncation": card | more}))
    return path


def test_only_datasets_that_lose_something_are_shown_once_for_all_seeds(tmp_path: Path) -> None:
    paths = [put(tmp_path, f"base.long.dpo.s{seed}", 3) for seed in (0, 1)]
    paths += [put(tmp_path, "base.short.dpo.s0", 0), put(tmp_path, "base.long.dpo.s0.next.dpo.s0", 1)]
    paths += [put(tmp_path, "base.equal.dpo.s0", 0, dropped={"cut": {"equal_tokens": 2}, "drop": {}})]
    found = truncations(paths)
    assert [each["name"] for each in found] == [
        "long, from base",
        "next, from base.long.dpo.s0",
        "equal, from base",
    ]
    assert found[0]["facts"] == {
        **{"max_length": 8, "truncation": "cut", "pairs": 10, "chosen longer": 3, "rejected longer": 0},
        **{"left by cut": 10, "left by drop": 7},
    }
    assert found[2]["dropped"] == {"equal_tokens": 2}
