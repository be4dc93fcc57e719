"""Reward model against DPO (Figures 5 and 7 to 9): how accurate on held-out pairs, how steady, how overfitted.

`rm_vs_dpo`: one row per set of pairs and kind of model, in percentage points; reward_model/curves.py says what the
columns are. best: the highest held-out accuracy of a run, final: the last. `_se`: the standard error
over runs. `rm_vs_dpo_curves`: one row per set, kind, seed and step. The paper prints no numbers of these figures.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.three_d import layout
from studies.three_d.config import Experiments
from studies.three_d.reward_model.curves import changes, gaps, held_out, of_seeds, read_curve

STATISTICS = {
    "best": lambda curve: held_out(curve).max(keepdims=True),
    "final": lambda curve: held_out(curve)[-1:],
    "fluctuation": changes,
    "overfit": gaps,
}
LABELS = ["set", "kind", "n_seeds", "n_draws"]
CURVES = ["set", "kind", "draw", "seed", "step", "loss", "accuracy", "held_out"]


def summary(spec: Experiments, folder: Path) -> list[dict[str, object]]:
    """The rows of `rm_vs_dpo`."""
    rows, seeds = [], layout.seeds_of(spec, spec.reward_models)
    for pairs, kind, runs in layout.reward_models(spec):
        curves = [read_curve(folder / f"{run}.csv") for run in runs]
        row: dict[str, object] = {"set": pairs.name, "kind": kind, "n_seeds": len(seeds), "n_draws": spec.draws}
        for name, statistic in STATISTICS.items():
            of_runs = of_seeds(curves, statistic).mean(axis=1)
            row[name] = float(of_runs.mean())
            row[f"{name}_se"] = float(of_runs.std(ddof=1) / len(runs) ** 0.5) if len(runs) > 1 else None
        rows.append(row)
    return rows


def curves_of(spec: Experiments, folder: Path) -> pd.DataFrame:
    """The rows of `rm_vs_dpo_curves`."""
    parts, seeds = [], layout.seeds_of(spec, spec.reward_models)
    for pairs, kind, runs in layout.reward_models(spec):
        for at, run in enumerate(runs):
            draw, seed = at // len(seeds) + 1, seeds[at % len(seeds)]
            of = {"set": pairs.name, "kind": kind, "draw": draw, "seed": seed}
            parts.append(read_curve(folder / f"{run}.csv").assign(**of))
    return pd.concat(parts)


def main() -> None:
    parser = cli.parser_of("studies.three_d.tables.rm_vs_dpo", __doc__)
    parser.add_argument("--what", choices=["summary", "curves"], required=True)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument("--curves", type=Path, required=True, help="folder of <run>.csv")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    if arguments.what == "summary":
        columns = [f"{name}{twin}" for name in STATISTICS for twin in ("", "_se")]
        write_csv(summary(arguments.spec, arguments.curves), [*LABELS, *columns], arguments.out)
        return
    frame = curves_of(arguments.spec, arguments.curves).astype(object)
    write_csv(frame.where(frame.notna(), None).to_dict("records"), CURVES, arguments.out)


if __name__ == "__main__":
    cli.run(main)
