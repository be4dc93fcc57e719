"""The rows of the tables of "What Matters in Data for DPO?", with the runs and pairs datasets behind each row.

Light enough to be imported by the workflow, which asks here what to train.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.lib.config.pairs import PairsSpec, TierPairs
from scripts.lib.lineage import Run, in_draw
from scripts.lib.names import PairsName
from scripts.lib.vocabulary import TIERS
from studies.what_matters.config import Config, OnPolicy

STUDY = "what_matters"
"""The study's key in the configuration, and its folder among tables."""
BASELINE = "SFT baseline"
RISING = tuple(reversed(TIERS))
QUALITIES = {"lg_hq": "LG-HQ", "lg_lq": "LG-LQ", "sg_hq": "SG-HQ", "sg_lq": "SG-LQ"}
INVERSES = {"lg_hq_inverse": ("LG-HQ", "SG-HQ"), "sg_hq_inverse": ("SG-HQ", "SG-LQ")}
"""Dataset of Table 3 -> the datasets of its chosen and of its rejected responses."""
GAP_NAMES = QUALITIES | {"lg_hq_inverse": "LG-HQ-inv", "sg_hq_inverse": "SG-HQ-inv"}
COMPARISONS = {
    "Part 1: chosen quality, the gap held": [("lg_hq", "lg_lq"), ("sg_hq", "sg_lq")],
    "Part 2: gap, the chosen quality held": [("lg_hq", "sg_hq"), ("lg_lq", "sg_lq")],
    "Part 3: gap, the chosen responses the same": [("lg_hq", "lg_hq_inverse"), ("sg_hq_inverse", "sg_hq")],
}
"""Table 3's parts: in each pair of datasets the first is expected to gain over the second."""
Specs = dict[str, PairsSpec]


@dataclass(frozen=True)
class Row:
    """A row of a table: its label cells, the key of its published numbers, its runs and their pairs.

    runs: by draw of the data, then by seed; the base policy by itself. pairs: the dataset of which each draw has a
    part. stratum: what the dataset's draws are of, its prompt set; policies of one stratum learn from the same prompts.
    """

    labels: dict[str, str]
    published: tuple[str, ...]
    runs: tuple[str, ...]
    pairs: str | None = None
    stratum: str = ""


@dataclass(frozen=True)
class TierDataset:
    """All tiers pairs over one prompt set by one scorer: (chosen, rejected) -> pairs dataset."""

    slug: str
    prompt_set: str
    name: str
    published: str
    pairs: dict[tuple[str, str], str]

    def fixed_best(self) -> list[tuple[str, str]]:
        """Best against worst, low, medium, high, as far as they exist."""
        return [at for rejected in RISING if (at := ("best", rejected)) in self.pairs]

    def fixed_worst(self) -> list[tuple[str, str]]:
        """Low, medium, high, best against worst, as far as they exist."""
        return [at for chosen in RISING if (at := (chosen, "worst")) in self.pairs]

    def other(self) -> list[tuple[str, str]]:
        grouped = self.fixed_best() + self.fixed_worst()
        return [(c, r) for c in TIERS for r in RISING if (c, r) in self.pairs and (c, r) not in grouped]


def tier_datasets(spec: Config, pairs: Specs) -> list[TierDataset]:
    """The study's datasets in its order. A prompt set tiered by several scorers gives one dataset per scorer."""
    found = []
    for prompt_set, name in ((entry.prompt_set, entry.name) for entry in spec.datasets):
        over = {
            dataset: entry
            for dataset, entry in pairs.items()
            if isinstance(entry, TierPairs) and entry.prompt_set == prompt_set
        }
        scorers = list(dict.fromkeys(entry.scorer for entry in over.values()))
        for scorer in scorers:
            one = len(scorers) == 1
            by_scorer = {dataset: entry for dataset, entry in over.items() if entry.scorer == scorer}
            found.append(
                TierDataset(
                    slug=prompt_set if one else f"{prompt_set}-{scorer}",
                    prompt_set=prompt_set,
                    name=name if one else f"{name} by {scorer}",
                    published=name,
                    pairs={(entry.chosen, entry.rejected): dataset for dataset, entry in by_scorer.items()},
                )
            )
    return found


def runs(spec: Config, pairs: str, variant: str | None = None) -> tuple[str, ...]:
    """The study's runs on one pairs dataset: draw by draw, seed by seed."""
    return tuple(
        Run(spec.policy, in_draw(pairs, draw, spec.draws), variant or spec.variant, seed).name
        for draw in range(1, spec.draws + 1)
        for seed in spec.seeds
    )


def stratum_of(pairs: Specs, dataset: str) -> str:
    """The prompt set of a pairs dataset, or the sample set that it is of where that is all its entry names."""
    entry = pairs[dataset]
    while (origin := getattr(entry, "chosen_of", None) or getattr(entry, "base", None)) is not None:
        entry = pairs[origin]
    return getattr(entry, "prompt_set", None) or entry.samples


def table1(spec: Config, pairs: Specs) -> list[Row]:
    """The baseline, then each dataset's Fixed Best, Fixed Worst and other pairs."""
    found = [Row({"dataset": BASELINE, "chosen": "", "rejected": ""}, (BASELINE, "", ""), (spec.policy,))]
    for dataset in tier_datasets(spec, pairs):
        groups = {"Fixed Best": dataset.fixed_best(), "Fixed Worst": dataset.fixed_worst(), "Other": dataset.other()}
        for group, members in groups.items():
            for tiers in members:
                labels = {"dataset": f"{dataset.name} ({group})", "chosen": tiers[0], "rejected": tiers[1]}
                of = dataset.pairs[tiers]
                found.append(Row(labels, (dataset.published, *tiers), runs(spec, of), of, dataset.prompt_set))
    return found


def table2(spec: Config, pairs: Specs) -> list[Row]:
    """The baseline, then continual SFT and online DPO on each dataset's best responses."""
    found = [Row({"dataset": BASELINE, "configuration": ""}, (BASELINE, ""), (spec.policy,))]
    variants = {"Continual SFT": spec.table2.continual_sft, "Online DPO": spec.table2.online_dpo}
    for dataset in tier_datasets(spec, pairs):
        if of := best_pairs(dataset):
            for name, variant in variants.items():
                labels = {"dataset": dataset.name, "configuration": name}
                found.append(Row(labels, (dataset.published, name), runs(spec, of, variant), of, dataset.prompt_set))
    return found


def best_pairs(dataset: TierDataset) -> str | None:
    """The pairs with Table 2's chosen responses: the best tier over the lowest tier available."""
    fixed = dataset.fixed_best()
    return dataset.pairs[fixed[0]] if fixed else None


def table3(spec: Config, pairs: Specs) -> list[Row]:
    """Two rows per comparison, the one that is expected to gain first."""
    found = []
    for part, compared in COMPARISONS.items():
        for field in (each for both in compared for each in both):
            of = getattr(spec.table3, field)
            name = GAP_NAMES[field]
            labels = {"part": part, "configuration": name}
            found.append(Row(labels, (name,), runs(spec, of), of, stratum_of(pairs, of)))
    return found


def table4(spec: Config, pairs: Specs) -> list[Row]:
    """For each base dataset, itself without mixing, then its mixtures."""
    halves = {"high": spec.table4.high, "low": spec.table4.low}
    found = []
    for quality, half in halves.items():
        for of in (half.base, *half.mixtures):
            percent = percent_of(pairs, half, of)
            labels = {"quality": quality, "on_policy": percent}
            found.append(Row(labels, (quality, percent), runs(spec, of), of, stratum_of(pairs, of)))
    return found


def percent_of(pairs: Specs, half: OnPolicy, dataset: str) -> str:
    """The share of on-policy pairs, in percent, as written in the table."""
    return "0" if dataset == half.base else f"{100 * pairs[dataset].ratio:g}"


LAYOUTS: dict[str, Callable[[Config, Specs], list[Row]]] = {
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "table4": table4,
}


def tables(spec: Config) -> list[str]:
    """The tables of runs that the configuration asks for."""
    return [name for name in LAYOUTS if name == "table1" or getattr(spec, name) is not None]


def specs_of(table: str, spec: Config, pairs: Specs) -> Specs:
    """The entries of ``pairs`` that a table's layout depends on."""
    if table in ("table1", "table2"):
        over = {dataset.prompt_set for dataset in spec.datasets}
        return {n: entry for n, entry in pairs.items() if isinstance(entry, TierPairs) and entry.prompt_set in over}
    ahead = pairs_behind(table, spec)
    found: Specs = {}
    while ahead:
        entry = found[ahead[0]] = pairs[ahead[0]]
        origins = (getattr(entry, field, None) for field in ("chosen_of", "base"))
        ahead = [*ahead[1:], *(each for each in origins if each and each not in found)]
    return {n: entry for n, entry in pairs.items() if n in found}


def pairs_behind(table: str, spec: Config) -> list[str]:
    """The datasets of Table 3 or 4, as the configuration names them."""
    if table == "table3":
        return list(spec.table3.model_dump().values())
    return [each for half in (spec.table4.high, spec.table4.low) for each in (half.base, *half.mixtures)]


def pairs_of(tables: list[str], spec: Config, pairs: Specs) -> list[str]:
    """The pairs datasets in some tables' rows, without duplicates, in the rows' order."""
    return list(dict.fromkeys(row.pairs for table in tables for row in LAYOUTS[table](spec, pairs) if row.pairs))


def runs_of(tables: list[str], spec: Config, pairs: Specs) -> list[str]:
    """The policies in some tables' rows, including the base policy, without duplicates."""
    return list(dict.fromkeys(run for table in tables for row in LAYOUTS[table](spec, pairs) for run in row.runs))


def names(spec: Config, pairs: Specs) -> dict[str, PairsName]:
    """The names of the study's pairs datasets in Table 5 and in figures."""
    called = {}
    for dataset in tier_datasets(spec, pairs):
        for (chosen, rejected), name in dataset.pairs.items():
            called[name] = PairsName(dataset=dataset.name, chosen=chosen, rejected=rejected)
    if spec.table3:
        data = _data_of(spec, pairs[spec.table3.lg_hq].prompt_set)
        for field, name in QUALITIES.items():
            called[getattr(spec.table3, field)] = PairsName(dataset=data, chosen=name, rejected=name)
        for field, (chosen, rejected) in INVERSES.items():
            called[getattr(spec.table3, field)] = PairsName(dataset=data, chosen=chosen, rejected=rejected)
    for half in (spec.table4.high, spec.table4.low) if spec.table4 else ():
        base = called.get(half.base, PairsName(dataset=half.base, chosen="chosen", rejected="rejected"))
        called.setdefault(half.base, base)
        for each in half.mixtures:
            called[each] = base.model_copy(update={"on_policy": percent_of(pairs, half, each)})
    return called


def _data_of(spec: Config, prompt_set: str) -> str:
    return next((entry.name for entry in spec.datasets if entry.prompt_set == prompt_set), prompt_set)
