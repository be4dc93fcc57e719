"""Records of every row of a study with one policy, one objective and two seeds, whose numbers are known."""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import JUDGEMENTS
from scripts.lib.tables import write_table
from studies.alignment_stages.config import Config
from studies.alignment_stages.layout import rows, starts, table2

PUBLISHED = Path("studies/alignment_stages/published")
QUESTIONS = 4
STUDY = Config(
    policies=[{"policy": "weak", "model": "Phi-2-2.7B"}],
    variants=["dpo"],
    seeds=[0, 1],
    off_policy="off",
    on_policy="on",
    blend="blend",
    foreign={"pairs": "foreign", "policies": ["weak"], "variant": "dpo"},
    boundary="stage",
    win_rate="lc",
    true_reward="reward",
)
LEVELS = {(): 10.0, ("off",): 14.0, ("on",): 12.0}
LEVELS |= {("off", "off"): 13.0, ("off", "on"): 18.0, ("on", "off"): 15.0, ("on", "on"): 11.0}
LEVELS |= {("blend",): 15.0, ("blend", "blend"): 21.0, ("foreign",): 13.5, ("off", "foreign"): 19.0}
"""Path -> the mean length-controlled win rate over questions and seeds."""
MIRRORED = {tuple({"off": "on", "on": "off"}.get(each, each) for each in path): level for path, level in LEVELS.items()}
"""The levels of every policy but the first: what off-policy data does there, on-policy data does here."""
SCORES = {(): 40.0, ("off",): 60.0, ("on",): 45.0, ("blend",): 55.0}
"""Path -> the mean boundary score in points."""
SPREAD = np.array([-3.0, -1.0, 1.0, 3.0])
"""Of questions around the mean, in every record."""


def record_all(folder: Path, spec: Config = STUDY) -> Path:
    """Seeds are a point below and above their row's level; win rates 2 below, rewards 50 above; lengths 100 to 130.

    The spec's first policy is at LEVELS.
    """
    levels = {base.policy: LEVELS if at == 0 else MIRRORED for at, base in enumerate(spec.policies)}
    for row in [*rows(spec), *table2(spec)]:
        for run in row.runs:
            apart = 0.0 if not row.path else 2.0 * int(run[-1]) - 1.0
            values = levels[row.base.policy][row.path] + apart + SPREAD
            for suite, moved in (("lc", 0.0), ("reward", 50.0)):
                found = evaluation(run, suite, "m", values + moved, {"win_rate": values.mean() - 2.0}, {})
                write_evaluation(found, folder / run / f"{suite}.json")
            judged = pd.DataFrame(
                {
                    "prompt_id": [f"p{at}" for at in range(QUESTIONS)],
                    "reference_length": 100,
                    "length": [100 + 10 * at for at in range(QUESTIONS)],
                    "preference": 1.5,
                }
            )
            write_table(judged, folder / run / "lc.judgements.parquet", JUDGEMENTS)
    for row in starts(spec):
        for run in row.runs:
            apart = 0.0 if not row.path else 4.0 * int(run[-1]) - 2.0
            found = evaluation(run, "stage", "boundary_score", SCORES[row.path] + apart + SPREAD, {}, {})
            write_evaluation(found, folder / run / "stage.json")
    return folder
