"""`results/metrics.json`: a run of the studies in a few numbers, for `dvc metrics diff` and `dvc exp show`.

The measured value of every claim, how many claims hold, and the mean of each benchmark over all runs. The tables and
claims.csv have the rest, with intervals.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from scripts.lib import cli
from scripts.lib.results import read_evaluation
from scripts.lib.tables import write_json

VERDICTS = ["holds", "fails", "undecided"]


def of_claims(rows: Iterable[dict[str, str]]) -> dict[str, Any]:
    """rows: of claims.csv. A value that could not be measured is left out."""
    rows = list(rows)
    verdicts = Counter(row["verdict"] for row in rows)
    measured: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["measured"]:
            measured.setdefault(row["study"], {})[row["claim"]] = float(row["measured"])
    return {"verdicts": {name: verdicts[name] for name in VERDICTS}, "claims": measured}


def of_evaluations(evaluations: Iterable[tuple[str, float]]) -> dict[str, float]:
    """(suite, score) of every run -> the mean score of each suite."""
    scores: dict[str, list[float]] = {}
    for suite, score in evaluations:
        scores.setdefault(suite, []).append(score)
    return {suite: fmean(values) for suite, values in sorted(scores.items())}


def main() -> None:
    parser = cli.parser_of("scripts.versioning.metrics", __doc__)
    parser.add_argument("--claims", type=Path, required=True, help="claims.csv")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--policies", nargs="*", default=[], help="the runs")
    parser.add_argument("--suites", nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with open(arguments.claims, encoding="utf-8", newline="") as file:
        metrics = of_claims(csv.DictReader(file))
    found = [
        (suite, read_evaluation(arguments.evaluations / policy / f"{suite}.json").value)
        for policy in arguments.policies
        for suite in arguments.suites
    ]
    write_json({**metrics, "benchmarks": of_evaluations(found)}, arguments.out)


if __name__ == "__main__":
    cli.run(main)
