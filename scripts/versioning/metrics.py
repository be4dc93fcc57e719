"""Makes `results/metrics.json`: the studies in a few numbers, for `dvc metrics diff` and `dvc exp show`.
And `results/figures/claims.csv`: the measured value of every claim, for `dvc plots show`.

For each study: how many claims about runs hold, and how many theorems; the measured value of every claim; the mean of
each benchmark over its runs.
The tables and claims.csv have the rest, with intervals.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from scripts.lib import cli
from scripts.lib.claims import COLUMNS, VERDICTS, read_claims
from scripts.lib.csv_files import write_csv
from scripts.lib.results import read_evaluation
from scripts.lib.tables import write_json


def of_claims(claims: pd.DataFrame) -> dict[str, Any]:
    """The claims of one study, from rows of claims.csv. Values that could not be measured are left out."""
    counts = Counter(zip(claims["kind"], claims["verdict"], strict=True))
    measured = claims.dropna(subset="measured")
    return {
        "verdicts": {name: counts["finding", name] for name in VERDICTS if name != "beyond"},
        "theorems": {name: counts["theorem", name] for name in VERDICTS},
        "claims": dict(zip(measured["claim"], measured["measured"].astype(float), strict=True)),
    }


def of_evaluations(evaluations: Iterable[tuple[str, float]]) -> dict[str, float]:
    """(suite, score) of every run -> the mean score of each suite."""
    scores: dict[str, list[float]] = {}
    for suite, score in evaluations:
        scores.setdefault(suite, []).append(score)
    return {suite: fmean(values) for suite, values in sorted(scores.items())}


def metrics(claims: pd.DataFrame, measured: dict[str, list[tuple[str, str]]], evaluations: Path) -> dict[str, Any]:
    """Study -> its numbers. measured: study -> (policy, suite); only runs count, whose names have dots."""
    found = {}
    for study, pairs in measured.items():
        scores = [
            (suite, read_evaluation(evaluations / policy / f"{suite}.json").value)
            for policy, suite in pairs
            if "." in policy
        ]
        found[study] = {**of_claims(claims[claims["study"] == study]), "benchmarks": of_evaluations(scores)}
    return found


def drawn(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """The claims that could be measured, each under its study's name. Without any the file is there, with no rows."""
    return [
        {"claim": f"{row.study}: {row.claim}", "measured": float(row.measured)}
        for row in claims.dropna(subset="measured").itertuples()
    ]


def main() -> None:
    parser = cli.parser_of("scripts.versioning.metrics", __doc__)
    parser.add_argument("--claims", type=Path, help="claims.csv, where a study makes claims")
    parser.add_argument(
        "--measured",
        type=cli.spec_of(dict[str, list[tuple[str, str]]]),
        required=True,
        help="JSON: study -> [policy, suite] of all that it measures",
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--drawn", type=Path, required=True, help="the claims' values, as CSV")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    claims = read_claims(arguments.claims) if arguments.claims else pd.DataFrame(columns=COLUMNS)
    write_json(metrics(claims, arguments.measured, arguments.evaluations), arguments.out)
    write_csv(drawn(claims), ["claim", "measured"], arguments.drawn)


if __name__ == "__main__":
    cli.run(main)
