"""Table 2: PPO against DPO on verses and slogans: how well the rules of form are kept, from 0 to 1.

`_published` is the paper's number, of poems and slogans by rules of its own; nothing here is like its tone pattern.
by_rules: the mean true reward, by_model: that by the reward model which PPO learns from; kl: nats a response from the
start, at the end of online training. Where by_model rises and by_rules does not, the learned reward is over-optimised.
"""

from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.studies.files import read_published, read_repeats
from studies.three_d import layout
from studies.three_d.config import Experiments, Forms
from studies.three_d.layout import Row
from studies.three_d.measured import END, mean_of

SETS = ("verses", "slogans")


def parts_of(forms: Forms) -> dict[str, str]:
    """Column -> suite, in the paper's order."""
    return {**forms.verses, **forms.slogans}


def measured(row: Row, suite: str, spec: Experiments, folder: Path) -> np.ndarray:
    """(draws, seeds, prompts): a suite's points over 100."""
    return read_repeats(folder, row.runs, suite, spec.draws) / 100


def kl_of(row: Row, folder: Path) -> float | None:
    """Over the last part of online runs; None for others."""
    tables = [read_table(folder / f"{run}.parquet", TRAINING)["kl"].dropna() for run in row.runs if row.variant]
    ends = [table.iloc[-max(1, len(table) // END) :].mean() for table in tables if len(table)]
    return float(np.mean(ends)) if ends else None


def rows_of(spec: Experiments, published: dict, evaluations: Path, training: Path) -> list[dict[str, object]]:
    forms, rows = spec.forms, []
    for row in layout.forms(spec):
        found: dict[str, object] = {"policy": row.base.policy, "setting": row.setting}
        for column, suite in parts_of(forms).items():
            values = measured(row, suite, spec, evaluations)
            found[column], found[f"{column}_se"] = mean_of(values)
            found["n_draws"], found["n_seeds"] = values.shape[:2]
        for column in ("by_rules", "by_model"):
            suites = [measured(row, suite, spec, evaluations) for suite in getattr(forms, column)]
            found[column], found[f"{column}_se"] = mean_of(np.concatenate(suites, axis=2))
        paper = published.get((row.setting,), {})
        rows.append(
            found | {f"{name}_published": paper.get(name) for name in layout.FORM_PARTS} | {"kl": kl_of(row, training)}
        )
    return rows


def columns_of(forms: Forms) -> list[str]:
    parts = [
        [*([name, f"{name}_se"] if name in parts_of(forms) else []), f"{name}_published"] for name in layout.FORM_PARTS
    ]
    rewards = [f"{name}{twin}" for name in ("by_rules", "by_model") for twin in ("", "_se")]
    return ["policy", "setting", "n_seeds", "n_draws", *(name for part in parts for name in part), *rewards, "kl"]


def main() -> None:
    parser = cli.parser_of("studies.three_d.tables.table2", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--training", type=Path, required=True, help="folder of <run>.parquet")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    published = read_published(arguments.published / "table2.csv", ["setting"])
    rows = rows_of(arguments.spec, published, arguments.evaluations, arguments.training)
    write_csv(rows, columns_of(arguments.spec.forms), arguments.out)


if __name__ == "__main__":
    cli.run(main)
