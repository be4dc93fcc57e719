"""The rows of the toy model's tables: toy.csv, toy_curves.csv, toy_matrices.csv; toy_findings.csv is in findings.py."""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor

from studies.three_d.toy import findings
from studies.three_d.toy.setting import PROMPTS, RESPONSES, candidates

EVERY = 10
"""Epochs between two rows of a curve."""
SETTING = ["objective", "rejected", "width", "optimiser", "learning_rate", "scenario"]
MEASURES = [
    "chosen_start",
    "chosen_peak",
    "chosen_peak_epoch",
    "chosen_end",
    "rejected_end",
    "unseen_start",
    "unseen_end",
    "unpaired_start",
    "unpaired_end",
    "log_chosen_change",
    "log_rejected_change",
    "log_gradient_chosen_change",
    "log_gradient_rejected_change",
]
COLUMNS = [*SETTING, "n_seeds", "n_diverged", *(f"{name}{twin}" for name in MEASURES for twin in ("", "_se"))]


def measures(curves: findings.Curves) -> dict[str, Tensor]:
    """MEASURES of every run (objectives, readings, scenarios, seeds)."""
    chosen = curves["chosen"]
    found = {"chosen_peak": chosen.amax(dim=0), "chosen_peak_epoch": chosen.argmax(dim=0).double()}
    for name in ("chosen", "rejected", "unseen", "unpaired"):
        found |= {f"{name}_start": curves[name][0], f"{name}_end": curves[name][-1]}
    for name in ("log_chosen", "log_rejected", "log_gradient_chosen", "log_gradient_rejected"):
        found[f"{name}_change"] = curves[name][-1] - curves[name][0]
    return {name: found[name] for name in MEASURES}


def toy(curves: findings.Curves, names: Sequence[Sequence[object]], setting: dict[str, object]) -> list[dict]:
    """Rows of toy.csv for one width and optimiser: means over the seeds that did not diverge, with standard errors.

    names: of the objectives, the readings of the rejected, and the scenarios.
    """
    values, ended = measures(curves), findings.finite(curves)
    objectives, readings, scenarios = names
    rows = []
    for i, objective in enumerate(objectives):
        for j, rejected in enumerate(readings):
            for k, scenario in enumerate(scenarios):
                kept = ended[i, j, k]
                row = {"objective": objective, "rejected": rejected, "scenario": scenario} | setting
                row |= {"n_seeds": int(kept.sum()), "n_diverged": int((~kept).sum())}
                for name, of_all in values.items():
                    row[name], row[f"{name}_se"] = mean_and_error(of_all[i, j, k][kept])
                rows.append(row)
    return rows


def mean_and_error(values: Tensor) -> tuple[float | None, float | None]:
    """The mean and its standard error; None where there are too few values, or one is infinite."""
    n = len(values)
    mean = values.mean().item() if n and torch.isfinite(values).all() else None
    return mean, values.std().item() / sqrt(n) if n > 1 and mean is not None else None


def curves_of(curves: findings.Curves, objectives: Sequence[str], scenarios: Sequence[int]) -> list[dict]:
    """Rows of toy_curves.csv: every EVERY epochs, means over seeds, for the first reading of the rejected.

    Blank where a gradient is zero, whose logarithm is not finite, or a run has diverged.
    """
    rows = []
    for i, objective in enumerate(objectives):
        for k, scenario in enumerate(scenarios):
            for epoch in range(0, len(curves["chosen"]), EVERY):
                of = {name: mean_and_error(curve[epoch, i, 0, k])[0] for name, curve in curves.items()}
                rows.append({"objective": objective, "scenario": scenario, "epoch": epoch} | of)
    return rows


def matrices(before: Tensor, after: Tensor, rejected: str, scenarios: Sequence[int]) -> list[dict]:
    """Rows of toy_matrices.csv: likelihoods before and after training, means over seeds; Figure 1.

    before, after: (scenarios, seeds, 4, 10), of the first objective and reading. paired: the response's part in the
    prompt's pairs.
    """
    may, rows = candidates(rejected), []
    for k, scenario in enumerate(scenarios):
        for prompt in range(PROMPTS):
            for response in range(RESPONSES):
                paired = "chosen" if response == prompt else "rejected" if may[prompt, response] else ""
                at = (k, slice(None), prompt, response)
                rows.append(
                    {
                        "scenario": scenario,
                        "prompt": prompt + 1,
                        "response": response + 1,
                        "paired": paired,
                        "before": before[at].mean().item(),
                        "after": after[at].mean().item(),
                    }
                )
    return rows
