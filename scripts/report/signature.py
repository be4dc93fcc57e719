"""Which runs show the properties that "3D-Properties" names, from their training tables: a warning for the page.

The rule, fixed before it was applied to any run. Of changes since the start, in nats per token, over the last fifth of
a run's steps (of watched responses: at the last watch):

- drop: the rejected fell by at least DROP, and by at least twice as much as the chosen moved;
- degradation: the chosen, which are to be learnt, fell by at least FALL;
- dispersion: responses that no pair holds rose by at least FALL.

A run is warned of if it shows two of the three, and the warning says which; where nothing is watched there are two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib.lineage import Run, without_draw
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table

DROP, FALL = 0.1, 0.01
ENOUGH = 2
COLUMNS = ["step", "chosen_change", "rejected_change", "watched_token_logp"]
Changes = dict[str, float | None]


def changes_of(table: pd.DataFrame) -> Changes:
    """chosen, rejected, watched: change at the end of a run; None where it was not measured."""
    last = table.iloc[-max(1, len(table) // 5) :]
    watched = table["watched_token_logp"].dropna()
    found = {side: last[f"{side}_change"].mean() for side in ("chosen", "rejected")}
    found["watched"] = watched.iloc[-1] - watched.iloc[0] if len(watched) > 1 else None
    return {name: None if value is None or pd.isna(value) else float(value) for name, value in found.items()}


def signs_of(changes: Changes) -> list[str]:
    """Which of the three a run shows."""
    chosen, rejected, watched = (changes[name] for name in ("chosen", "rejected", "watched"))
    if chosen is None or rejected is None:
        return []
    shown = {
        "drop": -rejected >= max(DROP, 2 * abs(chosen)),
        "degradation": chosen <= -FALL,
        "dispersion": watched is not None and watched >= FALL,
    }
    return [name for name, holds in shown.items() if holds]


def warnings(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """One card for each start, pairs and variant of which a run is warned of, in the order of ``paths``.

    paths: <run>.parquet. Draws and seeds share a card: their number, the signs that any of them shows, mean changes.
    """
    groups: dict[tuple[str, str, str], list[Changes]] = {}
    for path in paths:
        run = Run.parse(path.name.removesuffix(".parquet"))
        key = (run.start, without_draw(run.pairs), run.variant)
        groups.setdefault(key, []).append(changes_of(read_table(path, TRAINING, COLUMNS)))
    cards = []
    for (start, pairs, variant), runs in groups.items():
        warned = [signs for each in runs if len(signs := signs_of(each)) >= ENOUGH]
        if not warned:
            continue
        means = pd.DataFrame(runs, dtype=float).mean()
        facts = {
            "runs": f"{len(warned)} of {len(runs)}",
            "signs": ", ".join(dict.fromkeys(sign for signs in warned for sign in signs)),
            **{name: round(value, 3) for name, value in means.dropna().items()},
        }
        cards.append({"name": f"{variant} on {pairs}, from {start}", "facts": facts, "dropped": {}})
    return cards
