"""The claims of "What Matters in Data for DPO?" about Tables 2 to 4, as statistics with rules of judgement.

Statistics and margins were fixed on 2026-11-21, before any run of these tables had been trained; the rules of judgement
were corrected on 2026-11-29, after a simulation of their coverage (docs/statistics.md), before the runs that they now
judge.

online_is_sft (section 5.2, Table 2). "The performance profiles of Online-DPO and Continual SFT are nearly
    identical." Statistic: online DPO minus continual SFT on each benchmark, in points. Being the same is a claim of
    equivalence: it holds if every interval lies within a margin of a quarter of what continual SFT changed against
    the baseline on that benchmark, but at least two points; that change is measured, and its chance is counted. The
    paper's own differences lie within it.
quality_over_gap (section 5.3, Table 3). "The gain from higher chosen quality (Part 1) is consistently and
    significantly larger than the gain from a wider preference gap (Part 2)." Statistic: the mean gain of Part 1's two
    comparisons minus that of Part 2's, in the headline benchmark. Holds above zero. The terms of LG-HQ and SG-LQ
    cancel: it says that SG-HQ does better than LG-LQ.
gap_over_counterfactual. "The counterfactuals in Part 3 further confirm this": the mean gain of Part 2's comparisons
    minus that of Part 3's. Holds above zero.
on_policy_needs_quality (section 5.3, Table 4). "Introducing on-policy responses yields substantial gains in LC-AE2
    and GSM8K metrics. However, such benefit strictly depends on the base data quality." Statistic: the mean gain of
    the mixtures over the high-quality base minus that over the low-quality base, on each of the two benchmarks.
    Holds if it is above zero on both.

After two studies had been seen to disagree, the length-controlled win rate's values per question were given the
answers' spread (scripts/evaluation/rates.py): its intervals became wider, and nothing else changed.
"""

from collections.abc import Sequence

import numpy as np

from scripts.report.labels import benchmark
from scripts.studies.files import read_published
from scripts.studies.findings import Words
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.equivalence import all_negligible, negligible
from scripts.studies.statistics.estimates import Estimate
from studies.what_matters import layout
from studies.what_matters.answers import Inputs, Means, published_means
from studies.what_matters.config import Config
from studies.what_matters.found import Found, found, greatest_known, least_known
from studies.what_matters.layout import COMPARISONS, Row
from studies.what_matters.tables import table2, table3, table4

LEAST_MARGIN = 2.0
"""Points: a difference between online DPO and continual SFT below this always counts as the same."""
MARGIN_SHARE = 0.25
"""The largest difference, as a share of continual SFT's change against the baseline."""
ON_POLICY_BENCHMARKS = ("lc_ae2", "gsm8k")


class OfTable:
    """The means of a table's rows, in points.

    here: (1 + 2 replicates, rows, benchmarks), as measured, as drawn, as repeated. paper: (rows, benchmarks).
    """

    def __init__(
        self, name: str, rows: Sequence[Row], key: Sequence[str], spec: Config, inputs: Inputs, means: Means
    ) -> None:
        published = read_published(inputs.published / f"{name}.csv", key)
        self.here = means.of(rows)
        self.paper = published_means(published, [row.published for row in rows], spec.benchmarks)


def judged(spec: Config, inputs: Inputs, means: Means) -> list[Found]:
    """The claims about the configured tables, in their order."""
    claims = []
    if spec.table2:
        claims += chosen_only_claims(spec, inputs, means)
    if spec.table3:
        claims += gap_claims(spec, inputs, means)
    if spec.table4:
        claims += on_policy_claims(spec, inputs, means)
    return claims


def chosen_only_claims(spec: Config, inputs: Inputs, means: Means) -> list[Found]:
    """online_is_sft, dataset by dataset."""
    baseline, *rows = layout.table2(spec, inputs.pairs)
    slugs = {data.name: data.slug for data in layout.tier_datasets(spec, inputs.pairs)}
    claims = []
    for sft, online in zip(rows[::2], rows[1::2], strict=True):
        of_table = OfTable("table2", [baseline, sft, online], table2.KEY, spec, inputs, means)
        claims += _online_is_sft(sft.labels["dataset"], slugs[sft.labels["dataset"]], spec.benchmarks, means, of_table)
    return claims


def _online_is_sft(data: str, slug: str, benchmarks: Sequence[str], means: Means, of_table: OfTable) -> list[Found]:
    (difference, margin), (paper, paper_margin) = (
        (
            values[..., 2, :] - values[..., 1, :],
            np.maximum(LEAST_MARGIN, MARGIN_SHARE * np.abs(values[..., 1, :] - values[..., 0, :])),
        )
        for values in (of_table.here, of_table.paper)
    )
    parts, margins = ([Estimate.of(each[:, b]) for b in range(len(benchmarks))] for each in (difference, margin))
    name, about = f"online_is_sft.{slug}", f"{data}: online DPO with fixed chosen responses"
    largest = benchmark(benchmarks[int((np.abs(difference) / margin)[0].argmax())])
    whole = found(
        means,
        name,
        f"{data}: online DPO with fixed chosen responses ends where continual SFT on them does, on every benchmark "
        "(the largest difference as a share of its margin)",
        Words(
            f"{about} against SFT on them",
            f"{about} ends where SFT on them does on every benchmark",
            f"{about} does not end where SFT on them does on every benchmark",
            "of its margin",
            f"farthest on {largest}, ",
        ),
        all_negligible(parts, margins),
        greatest_known(np.abs(paper) / paper_margin),
        margin=1.0,
    )
    return [whole] + [
        found(
            means,
            f"{name}.{on}",
            f"{data}: online DPO minus continual SFT on {on} (points; margin: a quarter of what continual SFT changed, "
            f"at least {LEAST_MARGIN:g})",
            Words(
                f"{about} against SFT on them on {benchmark(on)}",
                f"{about} ends where SFT on them does on {benchmark(on)}",
                f"{about} does not end where SFT on them does on {benchmark(on)}",
                "points",
            ),
            negligible(parts[b], margins[b]),
            paper[b],
            margin=margins[b].value,
        )
        for b, on in enumerate(benchmarks)
    ]


GAP_STATEMENTS = {
    "quality_over_gap": "more is gained by better chosen responses at the same gap (Table 3, Part 1) than by a wider "
    "gap (Part 2)",
    "gap_over_counterfactual": "less is gained by a wider gap where the chosen responses stay the same (Table 3, Part "
    "3) than where they do not (Part 2)",
}
GAP_WORDS = {
    "quality_over_gap": (
        "Better chosen responses against a wider gap",
        "Better chosen responses gain more than a wider gap",
        "Better chosen responses do not gain more than a wider gap",
    ),
    "gap_over_counterfactual": (
        "A wider gap without better chosen responses",
        "A wider gap gains less where the chosen responses stay the same",
        "A wider gap does not gain less where the chosen responses stay the same",
    ),
}
"""topic, holds, fails (scripts/studies/findings.py)."""


def gap_claims(spec: Config, inputs: Inputs, means: Means) -> list[Found]:
    """quality_over_gap and gap_over_counterfactual, in the headline benchmark."""
    rows = {row.published: row for row in layout.table3(spec, inputs.pairs)}
    of_table = OfTable("table3", list(rows.values()), table3.KEY, spec, inputs, means)
    at = {key[0]: place for place, key in enumerate(rows)}
    headline = spec.benchmarks.index(spec.headline)

    def gains(values: np.ndarray) -> list[np.ndarray]:
        """The mean gain of each part: (..., rows, benchmarks) -> parts of (...)."""
        values = values[..., headline]
        return [
            np.mean(
                [values[..., at[layout.GAP_NAMES[a]]] - values[..., at[layout.GAP_NAMES[b]]] for a, b in compared], 0
            )
            for compared in COMPARISONS.values()
        ]

    claims = []
    for part, (name, statement) in enumerate(GAP_STATEMENTS.items()):
        here, paper = (parts[part] - parts[part + 1] for parts in map(gains, (of_table.here, of_table.paper)))
        words = Words(*GAP_WORDS[name], unit=f"points of {benchmark(spec.headline)}")
        statement = f"{statement} ({spec.headline}, points)"
        claims.append(found(means, name, statement, words, positive(Estimate.of(here)), paper))
    return claims


def on_policy_claims(spec: Config, inputs: Inputs, means: Means) -> list[Found]:
    """on_policy_needs_quality, over its benchmarks and on each."""
    rows = layout.table4(spec, inputs.pairs)
    of_table = OfTable("table4", rows, table4.KEY, spec, inputs, means)
    high, low = ([at for at, row in enumerate(rows) if row.labels["quality"] == quality] for quality in ("high", "low"))
    benchmarks = [name for name in ON_POLICY_BENCHMARKS if name in spec.benchmarks]
    if not benchmarks:
        return []

    def advantages(values: np.ndarray) -> list[np.ndarray]:
        """Mean gain of the mixtures over their base, high minus low: (..., rows, benchmarks) -> benchmarks of (...).

        Ratios that the paper does not have are NaN there, and left out.
        """
        values = np.ma.masked_invalid(values[..., [spec.benchmarks.index(each) for each in benchmarks]])
        of_high, of_low = (values[..., half[1:], :].mean(axis=-2) - values[..., half[0], :] for half in (high, low))
        return list(np.moveaxis(np.ma.filled(of_high - of_low, np.nan), -1, 0))

    parts, paper = [Estimate.of(each) for each in advantages(of_table.here)], np.array(advantages(of_table.paper))
    least = benchmark(benchmarks[int(np.argmin([part.value for part in parts]))])
    name, about = "on_policy_needs_quality", "On-policy samples"
    whole = found(
        means,
        name,
        "on-policy samples help more where the offline data is good (the smallest difference of gains, points)",
        Words(
            f"{about} in good against bad offline data",
            f"{about} help more where the offline data is good",
            f"{about} do not help more wherever the offline data is good",
            "points",
            f"least on {least}, ",
        ),
        all_positive(parts),
        least_known(paper),
    )
    return [whole] + [
        found(
            means,
            f"{name}.{on}",
            f"on-policy samples gain more on the high-quality base than on the low one ({on}, points)",
            Words(
                f"{about} in good against bad offline data on {benchmark(on)}",
                f"{about} help more on {benchmark(on)} where the offline data is good",
                f"{about} do not help more on {benchmark(on)} where the offline data is good",
                "points",
            ),
            positive(parts[b]),
            paper[b],
        )
        for b, on in enumerate(benchmarks)
    ]
