"""Table 1 of "What Matters in Data for DPO?" (section 5.2), row for row, the published numbers beside ours.

A value is the mean over seeds; `<benchmark>_se` is its standard error over seeds and questions
(scripts/studies/statistics.py, `standard_error`); `<benchmark>_published` is the paper's number, blank
where the paper has none. All in points, 0 to 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.pairs import TierPairs
from scripts.lib.config.studies import WhatMattersStudy
from scripts.lib.errors import InputError
from scripts.lib.plan import Run
from scripts.lib.vocabulary import TIERS
from scripts.studies.files import read_published, read_runs, write_csv
from scripts.studies.statistics import standard_error

BASELINE = "SFT baseline"
RISING = tuple(reversed(TIERS))
KEY = ("dataset", "chosen", "rejected")


@dataclass(frozen=True)
class TierDataset:
    """All tiers pairs over one prompt set by one scorer: (chosen, rejected) -> pairs dataset."""

    slug: str
    name: str
    published: str
    pairs: dict[tuple[str, str], str]

    def fixed_best(self) -> list[tuple[str, str]]:
        """Best against worst, low, medium, high: those that there are."""
        return [at for rejected in RISING if (at := ("best", rejected)) in self.pairs]

    def fixed_worst(self) -> list[tuple[str, str]]:
        """Low, medium, high, best against worst: those that there are."""
        return [at for chosen in RISING if (at := (chosen, "worst")) in self.pairs]

    def other(self) -> list[tuple[str, str]]:
        grouped = self.fixed_best() + self.fixed_worst()
        return [(c, r) for c in TIERS for r in RISING if (c, r) in self.pairs and (c, r) not in grouped]


@dataclass(frozen=True)
class Row:
    """One row of Table 1: what it is called, where its published numbers stand, and its runs, one a seed."""

    dataset: str
    published: tuple[str, str, str]
    runs: tuple[str, ...]


def tier_datasets(spec: WhatMattersStudy, pairs: dict[str, TierPairs]) -> list[TierDataset]:
    """The study's datasets in its order. A prompt set tiered by several scorers is one dataset a scorer."""
    found = []
    for place, (prompt_set, name) in enumerate((entry.prompt_set, entry.name) for entry in spec.datasets):
        over = {dataset: entry for dataset, entry in pairs.items() if entry.prompt_set == prompt_set}
        scorers = list(dict.fromkeys(entry.scorer for entry in over.values()))
        if not scorers:
            raise InputError(
                f"studies.what_matters.datasets[{place}]",
                f"no tiers pairs over the prompt set {prompt_set}",
                "add entries of kind tiers under pairs, or take the prompt set out of the study",
            )
        for scorer in scorers:
            one = len(scorers) == 1
            found.append(
                TierDataset(
                    slug=prompt_set if one else f"{prompt_set}-{scorer}",
                    name=name if one else f"{name} by {scorer}",
                    published=name,
                    pairs=_by_tiers({dataset: entry for dataset, entry in over.items() if entry.scorer == scorer}),
                )
            )
    return found


def _by_tiers(pairs: dict[str, TierPairs]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for dataset, entry in pairs.items():
        tiers = (entry.chosen, entry.rejected)
        if tiers in found:
            raise InputError(
                f"pairs.{dataset}", f"is the same as pairs.{found[tiers]}", "keep one of them: each costs a run a seed"
            )
        found[tiers] = dataset
    return found


def runs(spec: WhatMattersStudy, pairs: str) -> tuple[str, ...]:
    """The study's runs on one pairs dataset, one a seed."""
    return tuple(Run(spec.policy, pairs, spec.variant, seed).name for seed in spec.seeds)


def rows(spec: WhatMattersStudy, pairs: dict[str, TierPairs]) -> list[Row]:
    """Table 1's rows: the baseline, then each dataset's Fixed Best, Fixed Worst and other pairs."""
    found = [Row(BASELINE, (BASELINE, "", ""), (spec.policy,))]
    for dataset in tier_datasets(spec, pairs):
        groups = {"Fixed Best": dataset.fixed_best(), "Fixed Worst": dataset.fixed_worst(), "Other": dataset.other()}
        for group, members in groups.items():
            found += [
                Row(f"{dataset.name} ({group})", (dataset.published, *tiers), runs(spec, dataset.pairs[tiers]))
                for tiers in members
            ]
    return found


def table1(
    spec: WhatMattersStudy,
    pairs: dict[str, TierPairs],
    evaluations: Path,
    published: dict[tuple[str, ...], dict[str, float]],
) -> list[dict[str, object]]:
    """Table 1 as dictionaries, one a row."""
    table = []
    for row in rows(spec, pairs):
        _, chosen, rejected = row.published
        cells: dict[str, object] = {
            "dataset": row.dataset,
            "chosen": chosen,
            "rejected": rejected,
            "n_seeds": len(row.runs),
        }
        for benchmark in spec.benchmarks:
            values = read_runs(evaluations, row.runs, benchmark)
            cells[benchmark] = values.mean()
            cells[f"{benchmark}_se"] = standard_error(values)
            cells[f"{benchmark}_published"] = published.get(row.published, {}).get(benchmark)
        table.append(cells)
    return table


def columns(benchmarks: Sequence[str]) -> list[str]:
    measured = [f"{benchmark}{suffix}" for benchmark in benchmarks for suffix in ("", "_se", "_published")]
    return ["dataset", "chosen", "rejected", "n_seeds", *measured]


def main() -> None:
    parser = cli.parser_of("scripts.studies.what_matters", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(WhatMattersStudy), required=True, help="JSON of the study")
    parser.add_argument(
        "--pairs", type=cli.spec_of(dict[str, TierPairs]), required=True, help="JSON: every tiers pairs entry, by name"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="the paper's Table 1 as CSV")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    table = table1(spec, arguments.pairs, arguments.evaluations, read_published(arguments.published, KEY))
    write_csv(table, columns(spec.benchmarks), arguments.out)


if __name__ == "__main__":
    cli.run(main)
