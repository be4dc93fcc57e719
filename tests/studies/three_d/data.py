"""Evaluations and training tables of every row of the study's experiments, whose numbers are known."""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib.lineage import Run, is_run
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import write_table
from studies.three_d.config import Experiments
from studies.three_d.layout import policies_of, regularised, scenarios, trained
from tests.evaluations_data import put

PUBLISHED = Path("studies/three_d/published")
STEPS, WATCHES = 40, 5
BETAS = {"flex_low": 0.01, "flex_mid": 0.05, "flex_dpo": 0.08, "dpo": 0.1}
SPEC = Experiments(
    policies=[{"policy": "base", "model": "Baichuan2-33B"}],
    seeds=[0, 1],
    scenarios={"on_on": "s1", "off_on": "s2", "on_off": "s3", "off_off": "s4"},
    regularised=["flex_dpo", "ipo"],
    beta_sweep=["flex_low", "flex_mid", "flex_dpo"],
    test_sets=[
        {"name": "MATH*", "full_marks": "a5", "right": "a45"},
        {"name": "SuperCLUE", "full_marks": "b5", "right": "b45"},
    ],
)
LEVELS = {"base": 20.0, "s1": 60.0, "s2": 40.0, "s3": 30.0, "s4": 35.0}
"""Percent of full marks of the base, and of DPO by pairs."""
MORE = {"flex_low": -10.0, "flex_mid": 8.0, "flex_dpo": 12.0, "ipo": -5.0}
"""The same of variants on s1, above DPO's."""
CHANGES = {"s1": (0.1, -0.4, 0.05), "s2": (0.3, -1.0, 0.05), "s3": (0.2, -0.8, 0.05), "s4": (0.4, -1.6, 0.05)}
"""Chosen, rejected, watched: change at the end of a run."""


def level(run: str) -> float:
    if not is_run(run):
        return LEVELS[run]
    of = Run.parse(run)
    return LEVELS[of.pairs] + MORE.get(of.variant, 0.0) + (of.seed - 0.5)


def training_table(run: str) -> pd.DataFrame:
    """A straight way to CHANGES over the first half; log-probs per token -1 and -2, ten tokens; beta 0.1."""
    of = Run.parse(run)
    at = np.minimum(1.0, np.arange(STEPS) / (STEPS / 2))
    noise = np.random.default_rng(of.seed).normal(0, 0.001, STEPS)
    chosen, rejected, watched = (end * at + noise for end in CHANGES[of.pairs])
    margin = 0.1 * 10 * (chosen - rejected)
    pull = np.log(0.1) - np.log1p(np.exp(margin))
    rows = pd.DataFrame({name: 0.0 for name in TRAINING.required}, index=range(STEPS)).assign(step=range(STEPS))
    logps = {"chosen": 10 * (-1 + chosen), "rejected": 10 * (-2 + rejected)}
    return rows.assign(
        pairs=8,
        chosen_logp=logps["chosen"],
        rejected_logp=logps["rejected"],
        chosen_reward=chosen,
        rejected_reward=rejected,
        chosen_token_logp=-1 + chosen,
        rejected_token_logp=-2 + rejected,
        chosen_change=chosen,
        rejected_change=rejected,
        chosen_log_gradient=pull - logps["chosen"],
        rejected_log_gradient=pull - logps["rejected"],
        watched_token_logp=[None if step % (STEPS // WATCHES) else -1 + watched[step] for step in range(STEPS)],
    )


def record_all(folder: Path, spec: Experiments = SPEC, questions: int = 40) -> Path:
    """<policy>/<suite>.json and <run>.parquet of all rows; the second test set ten points below the first."""
    swept = [trained(spec, spec.policies[-1], each, spec.scenarios.on_on, each) for each in BETAS]
    spread = np.random.default_rng(0).normal(0, 1, questions)
    for run in policies_of([*scenarios(spec), *regularised(spec), *swept]):
        for suite, moved in (("a5", 0.0), ("a45", 5.0), ("b5", -10.0), ("b45", -5.0)):
            put(folder, run, suite, (level(run) + moved + spread - spread.mean()).tolist())
        if is_run(run):
            write_table(training_table(run), folder / f"{run}.parquet", TRAINING)
    return folder
