"""Figure 6 and the likelihoods along training: one row per setting, seed and step of the scenarios and of Table 9.

chosen, rejected: change of the mean log-prob per token since the start, in nats, on each step's pairs; watched: that of
the start's own samples that no pair holds, blank between watches. chosen_pull, rejected_pull: ln |d loss / d pi|, mean
over the step's pairs.
"""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.three_d.config import Experiments
from studies.three_d.layout import Row, regularised, scenarios
from studies.three_d.measured import Steps

VALUES = {
    "chosen": "chosen_change",
    "rejected": "rejected_change",
    "watched": "watched_token_logp",
    "chosen_pull": "chosen_log_gradient",
    "rejected_pull": "rejected_log_gradient",
}
"""Column -> column of the training table."""
COLUMNS = ["policy", "setting", "draw", "seed", "step", *VALUES]


def rows_of(row: Row, steps: Steps) -> list[dict[str, object]]:
    """All steps of a setting's runs."""
    columns = {name: steps.of(row, column) for name, column in VALUES.items()}
    columns["watched"] = columns["watched"] - columns["watched"][..., :1]
    draws, seeds, count = columns["chosen"].shape
    return [
        {
            "policy": row.base.policy,
            "setting": row.setting,
            "draw": draw + 1,
            "seed": steps.spec.seeds[seed],
            "step": at,
        }
        | {name: _or_none(values[draw, seed, at]) for name, values in columns.items()}
        for draw in range(draws)
        for seed in range(seeds)
        for at in range(count)
    ]


def _or_none(value: float) -> float | None:
    return None if value != value else float(value)


def main() -> None:
    parser = cli.parser_of("studies.three_d.tables.dynamics", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument("--training", type=Path, required=True, help="folder of <run>.parquet")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    steps = Steps(spec, arguments.training)
    trained = [row for row in [*scenarios(spec), *regularised(spec)] if row.pairs and row.setting != spec.variant]
    write_csv([each for row in trained for each in rows_of(row, steps)], COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
