"""Step: trains the toy model under every objective, in every scenario, over the grid of what the paper does not state.

The paper gives 4 prompts, 10 responses, a three-layer network, the initial likelihoods and 500 epochs. Chosen here:
ReLU between layers, PyTorch's initial weights, one batch of the four prompts an epoch, each objective's default options
(DPO's beta is 0.1), and the grid: widths, optimisers with learning rates, and readings of how the rejected are drawn.
"""

import itertools
import logging
from pathlib import Path

import torch

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.three_d.config import Optimiser, Toy
from studies.three_d.toy import findings, policy, setting, tables, training

DECIMALS = 6
"""Decimal places in the tables: likelihoods are small."""

log = logging.getLogger(__name__)


class Grid:
    """Instances of one width: readings of the rejected x scenarios x seeds."""

    def __init__(self, spec: Toy, width: int) -> None:
        self.spec = spec
        scenarios, seeds = list(setting.SCENARIOS), spec.seeds
        labels = torch.stack([setting.label(scenario) for scenario in scenarios for _ in seeds])
        drawn = [each.repeat(len(scenarios), *[1] * (each.dim() - 1)) for each in policy.initial(width, seeds)]
        weights = policy.fitted(drawn, labels)
        many = len(spec.rejected)
        self.weights = [each.repeat(many, *[1] * (each.dim() - 1)) for each in weights]
        self.rejected = torch.stack(
            [
                setting.drawn(rejected, seed, spec.epochs + 1)
                for rejected, _, seed in itertools.product(spec.rejected, scenarios, seeds)
            ]
        )
        self.may_be_rejected = torch.stack(
            [setting.candidates(rejected) for rejected in spec.rejected for _ in range(len(labels))]
        )
        self.shape = (many, len(scenarios), len(seeds))

    def before(self) -> torch.Tensor:
        """Initial likelihoods (readings, scenarios, seeds, 4, 10)."""
        return policy.log_likelihoods(self.weights).double().exp().unflatten(0, self.shape)

    def trained(self, how: Optimiser) -> tuple[findings.Curves, torch.Tensor]:
        """Curves by name (epochs + 1, objectives, *shape), and likelihoods after it (objectives, *shape, 4, 10)."""
        records, after = training.train(
            self.weights,
            self.spec.objectives,
            self.rejected,
            self.may_be_rejected,
            how.optimiser,
            how.learning_rate,
        )
        curves = {name: records[:, at].unflatten(-1, self.shape) for at, name in enumerate(training.RECORDED)}
        return curves, after.unflatten(1, self.shape)


def results(spec: Toy) -> dict[str, list[dict]]:
    """The rows of all tables, by the table's name."""
    scenarios = list(setting.SCENARIOS)
    rows: dict[str, list[dict]] = {"toy": []}
    shares, whole = [], []
    for width in spec.widths:
        grid = Grid(spec, width)
        for how in spec.optimisers:
            curves, after = grid.trained(how)
            names = (spec.objectives, spec.rejected, scenarios)
            rows["toy"] += tables.toy(curves, names, {"width": width} | how.model_dump())
            shares.append(findings.shown(curves))
            whole.append(findings.finite(curves))
            if len(whole) == 1:
                rows["toy_curves"] = tables.curves_of(curves, spec.objectives, scenarios)
                rows["toy_matrices"] = tables.matrices(grid.before()[0], after[0, 0], spec.rejected[0], scenarios)
            log.info("width %d, %s at %g: done", width, how.optimiser, how.learning_rate)
    rows["toy_findings"] = findings.summary(shares, whole, spec.objectives, scenarios)
    return rows


def main() -> None:
    parser = cli.parser_of("studies.three_d.toy.grid", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Toy), required=True, help="the key three_d.toy as JSON")
    parser.add_argument("--out", type=Path, nargs=4, required=True, help="toy.csv, toy_{findings,curves,matrices}.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # many small matrices: more threads cost more than they bring
    made = results(arguments.spec)
    for path in arguments.out:
        rows = made[path.stem]
        write_csv(rows, tables.COLUMNS if path.stem == "toy" else list(rows[0]), path, DECIMALS)


if __name__ == "__main__":
    cli.run(main)
