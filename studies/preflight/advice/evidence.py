"""The few numbers of our own studies on which preflight's recommendations rest, from the tables of docs/results.

    python -m studies.preflight.advice.evidence --results docs/results --out studies/preflight/advice/evidence.csv

A row: what was measured, on which data, its value with a 95 % interval in points, by what, and the table it is from.
Every number is of the didactic world (docs/calibration.md): a few hundred pairs, a policy of 0.5 million parameters.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.csv_files import write_csv

COLUMNS = ["name", "data", "value", "ci_low", "ci_high", "suite", "source"]
TABLE = Path(__file__).with_name("evidence.csv")
SUITE, HEADLINE = "true_reward", "lc_ae2"
DATA = ("open_assistant", "ultrafeedback")
CONTRASTS = {"wider_gap": "gap_over_counterfactual", "quality_over_gap": "quality_over_gap"}
Z = 1.96


@dataclass(frozen=True)
class Range:
    """A number over several datasets: the mean of their values, and the interval that holds all their intervals."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Range":
        low, high = sorted((factor * self.low, factor * self.high))
        return Range(factor * self.value, low, high)

    def plus(self, other: "Range") -> "Range":
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)


def rows_of(claims: pd.DataFrame, mixtures: pd.DataFrame) -> list[dict[str, object]]:
    """claims: docs/results/claims.csv. mixtures: docs/results/table4.csv, on-policy samples mixed into offline data."""
    by_claim = claims.set_index("claim")

    def row(name: str, data: str, claim: str, suite: str) -> dict[str, object]:
        numbers = by_claim.loc[claim, ["measured", "ci_low", "ci_high"]]
        named = dict(zip(("value", "ci_low", "ci_high"), map(float, numbers), strict=True))
        return {"name": name, "data": data, **named, "suite": suite, "source": f"docs/results/claims.csv, {claim}"}

    found = [
        row(name, data, f"{claim}.{data}.{SUITE}", SUITE)
        for name, claim in (("chosen_tier", "chosen_raises"), ("rejected_tier", "rejected_no_trend"))
        for data in DATA
    ]
    found += [row(name, "ultrafeedback", claim, HEADLINE) for name, claim in CONTRASTS.items()]
    offline = mixtures[mixtures["on_policy"] == 0].set_index("quality")[SUITE]
    for each in mixtures[mixtures["on_policy"] > 0].itertuples():
        value, reach = getattr(each, SUITE) - offline[each.quality], Z * getattr(each, f"{SUITE}_gain_se")
        numbers = {"value": value, "ci_low": value - reach, "ci_high": value + reach}
        name = f"on_policy_{each.on_policy}"
        found.append({"name": name, "data": f"{each.quality} quality", **numbers, "suite": SUITE})
        found[-1]["source"] = "docs/results/table4.csv"
    return found


def read_evidence(path: Path = TABLE) -> dict[str, Range]:
    """Name -> its range over the datasets."""
    groups = pd.read_csv(path).groupby("name", sort=False)
    return {
        name: Range(float(rows["value"].mean()), float(rows["ci_low"].min()), float(rows["ci_high"].max()))
        for name, rows in groups
    }


def main() -> None:
    parser = cli.parser_of("studies.preflight.advice.evidence", __doc__)
    parser.add_argument("--results", type=Path, required=True, help="docs/results")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tables = [pd.read_csv(arguments.results / name) for name in ("claims.csv", "table4.csv")]
    write_csv(rows_of(*tables), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
