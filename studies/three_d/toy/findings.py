"""What the paper reads from its toy model, as rules on a run's curves, and how many runs of the grid show it.

Rules and thresholds were fixed before any run of the grid. A change is CHANGE of likelihood or more.
"""

import torch
from torch import Tensor

Curves = dict[str, Tensor]
"""What toy/training.py records, by name: (epochs + 1, objectives, readings, scenarios, seeds)."""
CHANGE, PEAK, AROUND, FADED, GROWN = 0.05, 0.6, 0.1, -1.0, 1.0
"""In likelihood: a change, the paper's peak in scenario 1, and what counts as near it. In powers of ten: by how much a
gradient must have fallen, or grown."""

FINDINGS = {
    "peak": "The chosen peak at 0.6, give or take 0.1",
    "rises_and_falls": "The chosen rise by 0.05 or more, then fall by 0.05 or more",
    "unseen_rise": "Responses 9 and 10 end with 0.05 or more above their start",
    "unpaired_rise": "Responses that no pair of the prompt holds end with 0.05 or more above their start",
    "rejected_lead": "The rejected's log-likelihood ends further from its start than the chosen's",
    "chosen_gradient_fades": "The gradient by pi+ ends at a tenth of its start or less",
    "rejected_gradient_grows": "The gradient by pi- ends at ten times its start or more",
    "mildest": "Of the four scenarios this one has the highest peak, and the smallest rise of responses 9 and 10",
}


def finite(curves: Curves) -> Tensor:
    """Which runs did not diverge."""
    return torch.isfinite(curves["log_chosen"]).all(dim=0)


def shown(curves: Curves) -> dict[str, Tensor]:
    """Finding -> which runs (objectives, readings, scenarios, seeds) show it; none that diverged does."""
    chosen, change = curves["chosen"], {name: curve[-1] - curve[0] for name, curve in curves.items()}
    peak = chosen.amax(dim=0)
    found = {
        "peak": (peak - PEAK).abs() <= AROUND,
        "rises_and_falls": (peak - chosen[0] >= CHANGE) & (peak - chosen[-1] >= CHANGE),
        "unseen_rise": change["unseen"] >= CHANGE,
        "unpaired_rise": change["unpaired"] >= CHANGE,
        "rejected_lead": change["log_rejected"].abs() > change["log_chosen"].abs(),
        "chosen_gradient_fades": change["log_gradient_chosen"] <= FADED,
        "rejected_gradient_grows": change["log_gradient_rejected"] >= GROWN,
        "mildest": is_first(peak) & is_first(-change["unseen"]),
    }
    return {name: which & finite(curves) for name, which in found.items()}


def is_first(values: Tensor) -> Tensor:
    """Where a scenario has the largest value of all scenarios, the last dimension but one."""
    return values == values.amax(dim=-2, keepdim=True)


def summary(shares: list[dict[str, Tensor]], whole: list[Tensor], objectives: list[str], scenarios: list[int]):
    """Rows of toy_findings.csv: of each finding under each objective, the percentage of runs of the grid that show it.

    shares, whole: of each setting, what ``shown`` and ``finite`` return. Diverged runs are counted, and left out.
    """
    ended = torch.stack(whole).sum(dim=(0, 2, 4))
    total = sum(each[0].numel() for each in whole)
    rows = []
    for name, says in FINDINGS.items():
        having = torch.stack([each[name] for each in shares]).sum(dim=(0, 2, 4))
        for at, objective in enumerate(objectives):
            of = [100 * (having[at, each] / ended[at, each]).item() for each in range(len(scenarios))]
            cells = {f"scenario_{scenario}": share for scenario, share in zip(scenarios, of, strict=True)}
            rows.append(
                {"finding": says, "objective": objective}
                | cells
                | {"n_runs": total, "n_diverged": int(total - ended[at].sum())}
            )
    return rows
