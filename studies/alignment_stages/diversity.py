"""Intra-diversity (Appendix C.5, eq. 12): how far apart a policy holds the two responses of a pair.

    Div = 1/N sum_i ( log pi(chosen_i | x_i) - log pi(rejected_i | x_i) ),    in nats

One row per policy of Table 2, its initial policy and the data that it is trained on. Before training, from stored
log-probs, over all pairs: diversity; spread, the standard deviation of the differences over pairs; size, the mean of
their absolute values (signs cancel in eq. 12). In training, from what each step measured on its own pairs (Figure 3):
in_training, the mean over steps; fluctuation, the standard deviation over steps, which the paper reads as diversity;
lowest, highest.

n_pairs: pairs whose responses both have log-probs. Numbers are means over seeds and draws. `diversity_se`: over pairs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.evaluation.preference import Likelihoods, read_likelihoods
from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.schemas import PAIRS, TRAINING
from scripts.lib.tables import read_table

LABELS = ["policy", "model", "iteration_1", "data"]
COLUMNS = [*LABELS, "n_pairs", "diversity", "diversity_se", "spread", "size"]
COLUMNS += ["in_training", "fluctuation", "lowest", "highest"]


class Trained(Spec):
    """One run: the files of its pairs, of its reference's log-probs and of its steps."""

    pairs: str
    logprobs: list[str]
    steps: str


class Case(Spec):
    """A row of the table: what was trained on which data, and its runs."""

    policy: str
    model: str | None
    iteration_1: str | None
    data: str
    runs: list[Trained]


def differences(pairs: pd.DataFrame, likelihoods: Likelihoods) -> np.ndarray:
    """Chosen minus rejected log-probability, in nats, of each of PAIRS whose responses both have one."""
    sides = zip(pairs["chosen_id"], pairs["rejected_id"], strict=True)
    known = [(one, other) for one, other in sides if one in likelihoods and other in likelihoods]
    return np.array([likelihoods[one][0] - likelihoods[other][0] for one, other in known])


def intra_diversity(values: np.ndarray) -> float:
    """Eq. 12 from the differences of its pairs."""
    return float(np.mean(values))


def along(steps: pd.DataFrame) -> np.ndarray:
    """Eq. 12 of each training step (TRAINING, in order), over the step's own pairs."""
    ordered = steps.sort_values("step")
    return (ordered["chosen_logp"] - ordered["rejected_logp"]).to_numpy()


def before(runs: Sequence[Trained]) -> dict[str, float]:
    """The columns from stored log-probs, as means over runs."""
    found = []
    for run in runs:
        values = differences(
            read_table(Path(run.pairs), PAIRS), read_likelihoods([Path(each) for each in run.logprobs])
        )
        if len(values) < 2:
            raise InputError(run.pairs, f"{len(values)} pairs have log-probs", "raise the max_length of the policy")
        spread = values.std(ddof=1)
        found.append((len(values), intra_diversity(values), spread / np.sqrt(len(values)), spread, abs(values).mean()))
    return dict(zip(("n_pairs", "diversity", "diversity_se", "spread", "size"), np.mean(found, axis=0), strict=True))


def during(runs: Sequence[Trained]) -> dict[str, float]:
    """The columns from training, as means over runs."""
    curves = [along(read_table(Path(run.steps), TRAINING)) for run in runs]
    found = [(each.mean(), each.std(), each.min(), each.max()) for each in curves]
    return dict(zip(("in_training", "fluctuation", "lowest", "highest"), np.mean(found, axis=0), strict=True))


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.diversity", __doc__)
    parser.add_argument("--cases", type=cli.spec_of(list[Case]), required=True, help="JSON, one per row")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [case.model_dump() | before(case.runs) | during(case.runs) for case in arguments.cases]
    write_csv(rows, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
