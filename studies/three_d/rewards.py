"""Claims about rewards: reward models against DPO, and PPO against DPO.

Statistics were fixed on 2026-11-30, before any run of them. Each claim has parts and holds if all hold.

rm_steadier (section 4.4, Figures 5 and 7). "RM training proved to be significantly more stable, whereas DPO training
    exhibited notable fluctuations." Statistic, by set of pairs: the fluctuation of DPO's held-out accuracy minus that
    of the reward model's (reward_model/curves.py). Holds above zero.
dpo_overfits (Figures 8 and 9). "The DPO model demonstrated a higher tendency to overfit": the same for overfit.
ppo_beats_dpo (Table 2). "DPO underperforms compared to RLHF-PPO on both datasets": the mean over the rules of a set
    after PPO on the learned reward minus that after DPO, by set, in points of 100. Holds above zero. The paper's is the
    mean over its columns that are measured here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scripts.lib.claims import Claim
from scripts.studies.files import read_repeats
from studies.three_d import layout
from studies.three_d.config import Experiments
from studies.three_d.drawn import Drawn
from studies.three_d.layout import Row
from studies.three_d.parts import claims_of, part
from studies.three_d.reward_model.curves import changes, gaps, of_seeds, read_curve


def reward_models(spec: Experiments, folder: Path) -> list[Claim]:
    """rm_steadier and dpo_overfits."""
    by_set: dict[str, dict[str, Row]] = {}
    curves = {}
    for pairs, kind, runs in layout.reward_models(spec):
        row = Row(spec.policies[-1], kind, tuple(runs), pairs.pairs, kind)
        by_set.setdefault(pairs.name, {})[kind] = row
        curves[row] = [read_curve(folder / f"{run}.csv") for run in runs]
    found, seeds = [], layout.seeds_of(spec, spec.reward_models)
    for name, statistic, subject in (
        ("rm_steadier", changes, "DPO's held-out accuracy fluctuates more than a reward model's"),
        ("dpo_overfits", gaps, "DPO overfits its pairs more than a reward model does"),
    ):
        parts = []
        for at, rows in enumerate(by_set.values(), start=1):
            values = {row: of_seeds(curves[row], statistic) for row in rows.values()}
            least = min(each.shape[1] for each in values.values())
            drawn = Drawn(
                f"{name} {at}",
                {row: each[:, :least].reshape(spec.draws, -1, least) for row, each in values.items()},
            )
            parts.append(part(f"set_{at}", f"on set {at}", [drawn.difference(rows["dpo"], rows["rm"])]))
        fails = subject.replace(" more ", " no more ")
        found += claims_of(spec, name, subject, fails, "percentage points", "on each set of pairs", parts, seeds)
    return found


def forms(spec: Experiments, folder: Path, table2: Mapping[tuple[str, ...], dict[str, float]]) -> list[Claim]:
    """ppo_beats_dpo."""
    _, ppo, dpo, *_ = layout.forms(spec)
    parts = []
    for name in ("verses", "slogans"):
        suites = getattr(spec.forms, name)
        values = {
            row: np.mean([read_repeats(folder, row.runs, suite, spec.draws) for suite in suites.values()], axis=0)
            for row in (ppo, dpo)
        }
        papers = [np.mean([table2[row.setting,][column] for column in suites]) for row in (ppo, dpo)]
        paper = 100 * float(papers[0] - papers[1])
        parts.append(part(name, f"on {name}", [Drawn(f"forms {name}", values).difference(ppo, dpo)], [paper]))
    return claims_of(
        spec,
        "ppo_beats_dpo",
        "PPO keeps the rules of form better than DPO",
        "PPO keeps the rules of form no better than DPO",
        "points of 100",
        "on verses and on slogans",
        parts,
        layout.seeds_of(spec, spec.forms),
    )
