"""Figure 1 of "What Matters in Data for DPO?" as densities: two rejected distributions, and the two policies.

The paper gives no numbers with its picture; these were chosen so that each scene shows its case. Responses are points
on a line. Chosen, reference and the first rejected distribution stay the same; the second rejected differs from the
first only where the chosen are rare. In the scene "overlap" it keeps the reference's breadth there. In "gap", of which
the paper does not speak, it leaves out responses that the chosen still have a few of, and equation 7 raises the ratio
there to the power 1 / beta.
"""

import torch
from torch import Tensor
from torch.distributions import Normal

from studies.what_matters.theory import tabular

BETA = 0.1
SCENES = ("overlap", "gap")
DECIMALS = 6
COLUMNS = [
    "scene",
    "response",
    "reference",
    "chosen",
    "rejected",
    "other_rejected",
    "policy",
    "other_policy",
]
LINE = torch.linspace(-7.0, 7.0, 561, dtype=torch.float64)
GAP, BREADTH, LEFT_OUT = -0.3, 0.4, 0.9997
"""Position and width of the gap, and the share of the rejected missing at its centre."""


def bell(mean: float, deviation: float) -> Tensor:
    """A normal distribution's probabilities on the points of the line."""
    logits = Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(deviation, dtype=torch.float64))
    return torch.softmax(logits.log_prob(LINE), dim=0)


def distributions(scene: str) -> dict[str, Tensor]:
    """The inputs of eq. 7, as probabilities on the line: reference, chosen, rejected, other_rejected."""
    reference, far = bell(0.0, 2.0), bell(-3.6, 0.6)
    rejected = (reference + far) / 2
    if scene == "overlap":
        other = (reference + bell(-1.4, 0.6)) / 2
    else:
        missing = rejected * LEFT_OUT * torch.exp(-(((LINE - GAP) / BREADTH) ** 4))
        other = rejected - missing + missing.sum() * far
    return {"reference": reference, "chosen": bell(2.0, 0.7), "rejected": rejected, "other_rejected": other}


def policies(given: dict[str, Tensor], beta: float = BETA) -> tuple[Tensor, Tensor]:
    """The two policies of Theorem 4.3, as log-probabilities."""
    logs = {name: probabilities.log() for name, probabilities in given.items()}
    one, other = (
        tabular.tilted(logs["chosen"], logs[rejected], logs["reference"], beta)
        for rejected in ("rejected", "other_rejected")
    )
    return one, other


def picture() -> list[dict[str, object]]:
    """The densities of both scenes, one row per point of the line; the fields are COLUMNS."""
    width = float(LINE[1] - LINE[0])
    rows = []
    for scene in SCENES:
        given = distributions(scene)
        policy, other_policy = policies(given)
        curves = {**given, "policy": policy.exp(), "other_policy": other_policy.exp()}
        densities = {name: (curve / width).tolist() for name, curve in curves.items()}
        rows += [
            {"scene": scene, "response": response, **{name: densities[name][at] for name in densities}}
            for at, response in enumerate(LINE.tolist())
        ]
    return rows
