"""Step: trains a method on the bandit, every run of it, and writes how their expected rewards went."""

from itertools import groupby
from pathlib import Path

import torch

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.mode_seeking.bandit.layout import RUN, RUNS
from studies.mode_seeking.bandit.methods import METHODS
from studies.mode_seeking.bandit.runs import Training, references, runs_of
from studies.mode_seeking.bandit.spec import Bandit

DECIMALS = 6


def trained(spec: Bandit, method: str) -> list[dict[str, object]]:
    """A row for each run and measurement. Runs that take the same steps on samples are trained side by side."""
    start = references(spec)
    rows = []

    def source(run):
        return run.on_policy, run.reuse, run.shifted

    for _, group in groupby(sorted(runs_of(spec), key=source), source):
        runs = list(group)
        for step, samples, rewards in Training(spec, METHODS[method], runs, start).steps():
            rows += [
                {"method": method, "step": step, "samples": samples, "reward": float(reward)}
                | {name: getattr(run, name) for name in RUN[1:]}
                for run, reward in zip(runs, rewards, strict=True)
            ]
    return rows


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.bandit.train", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Bandit), required=True, help="the bandit, as JSON")
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="CSV file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # so that numbers are equal whatever the cores
    write_csv(trained(arguments.spec, arguments.method), RUNS, arguments.out, DECIMALS)


if __name__ == "__main__":
    cli.run(main)
