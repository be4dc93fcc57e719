"""Table 7: log-probs per token of chosen and rejected before and after training, and of what no pair holds.

All in nats per token. `before` is the start's, over all pairs; `change` is the policy's minus the start's on the same
pairs, in the last fifth of a run's steps, and `after` their sum: the paper does not say on which pairs it measures.
`watched_change` is that of the start's own samples that no pair holds, at the last two watches. `chosen_pull`,
`rejected_pull`: the natural logarithm of the gradient's magnitude by the likelihood, in the last fifth, minus what it
was at the start's likelihoods of the same pairs. `_se` is the standard error over steps and over draws, or seeds where
there is one draw.
"""

from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_published
from studies.three_d.config import Experiments
from studies.three_d.layout import Row, regularised, scenarios
from studies.three_d.measured import Steps, mean_of

SIDES = ("chosen", "rejected")
COLUMNS = [
    *("policy", "model", "setting", "n_seeds", "n_draws"),
    *(f"{side}_{when}{twin}" for side in SIDES for when in ("before", "after") for twin in ("", "_published")),
    *(f"{side}_change{twin}" for side in (*SIDES, "watched") for twin in ("", "_se")),
    *(f"{side}_pull{twin}" for side in SIDES for twin in ("", "_se")),
]


def pull(steps: Steps, row: Row, side: str, beta: float) -> np.ndarray:
    """(draws, seeds, steps): ln |d loss / d pi| of DPO over the same at the start's likelihoods of each step's pairs.

    At the start it is ln(beta / 2) - log pi_0, whose mean over a step's pairs follows from their implicit rewards.
    """
    of_start = steps.of(row, f"{side}_logp") - steps.of(row, f"{side}_reward") / beta
    return steps.of(row, f"{side}_log_gradient") - (np.log(beta / 2) - of_start)


def cells(row: Row, steps: Steps, published: dict, beta: float, has_pull: bool) -> dict[str, object]:
    """One row of the table."""
    found: dict[str, object] = dict.fromkeys(COLUMNS)
    found |= {"policy": row.base.policy, "model": row.base.model, "setting": row.setting}
    paper = published.get((row.base.model or "", row.setting), {})
    for side in SIDES:
        change = steps.at_end(row, f"{side}_change")
        found["n_draws"], found["n_seeds"] = change.shape[:2]
        before = float(steps.start(row, side).mean())
        found[f"{side}_change"], found[f"{side}_change_se"] = mean_of(change)
        found |= {f"{side}_before": before, f"{side}_after": before + found[f"{side}_change"]}
        found |= {f"{side}_{when}_published": paper.get(f"{side}_{when}") for when in ("before", "after")}
        if has_pull:
            values = pull(steps, row, side, beta)
            found[f"{side}_pull"], found[f"{side}_pull_se"] = mean_of(values[..., -change.shape[2] :])
    watched = steps.watched(row)
    if watched.size:
        found["watched_change"], found["watched_change_se"] = mean_of(watched)
    return found


def main() -> None:
    parser = cli.parser_of("studies.three_d.tables.table7", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument("--beta", type=float, required=True, help="of plain DPO")
    parser.add_argument("--training", type=Path, required=True, help="folder of <run>.parquet")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    steps = Steps(spec, arguments.training)
    published = read_published(arguments.published / "table7.csv", ["model", "setting"])
    rows = [row for row in [*scenarios(spec), *regularised(spec)] if row.pairs]
    plain = [row.variant == spec.variant for row in rows]
    table = [cells(row, steps, published, arguments.beta, is_plain) for row, is_plain in zip(rows, plain, strict=True)]
    write_csv([row for row in table if row["setting"] != spec.variant], COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
