"""The claims of "What Matters in Data for DPO?" about Tables 2 to 4, as statistics with rules of judgement.

Statistics, margins and rules were fixed on 2026-11-21, before any run of these tables had been trained.

online_is_sft (section 5.2, Table 2). "The performance profiles of Online-DPO and Continual SFT are nearly
    identical." Statistic: online DPO minus continual SFT on each benchmark, in points. Being the same is a claim of
    equivalence: it holds if every interval lies within a margin of a quarter of what continual SFT changed against
    the baseline on that benchmark, but at least two points. The paper's own differences lie within it.
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

from scripts.lib.claims import Claim
from scripts.lib.ids import seed_of
from scripts.studies.files import read_published
from scripts.studies.statistics import interval, resampled_means
from scripts.studies.verdicts import all_of, is_negligible, is_positive, largest_share
from studies.what_matters import layout
from studies.what_matters.answers import Inputs, answers, published_means
from studies.what_matters.config import Config
from studies.what_matters.layout import COMPARISONS, STUDY, Row
from studies.what_matters.tables import table2, table3, table4

LEAST_MARGIN = 2.0
"""Points: a difference between online DPO and continual SFT below this always counts as the same."""
MARGIN_SHARE = 0.25
"""The largest difference, as a share of continual SFT's change against the baseline."""
ON_POLICY_BENCHMARKS = ("lc_ae2", "gsm8k")


class Means:
    """Every row's mean on every benchmark: measured, drawn by the bootstrap, and published.

    measured, paper: (rows, benchmarks). drawn: (replicates, rows, benchmarks).
    """

    def __init__(self, name: str, rows: Sequence[Row], key: Sequence[str], spec: Config, inputs: Inputs):
        suites = answers([row.runs for row in rows], spec.benchmarks, inputs.evaluations)
        published = read_published(inputs.published / f"{name}.csv", key)
        self.measured = np.stack([values.mean(axis=(1, 2)) for values in suites], axis=1)
        self.drawn = resampled_means(
            suites, np.random.default_rng(seed_of(STUDY, name, *(row.published for row in rows)))
        )
        self.paper = published_means(published, [row.published for row in rows], spec.benchmarks)


def claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """The claims about the configured tables, in their order."""
    found = []
    if spec.table2:
        found += chosen_only_claims(spec, inputs)
    if spec.table3:
        found += gap_claims(spec, inputs)
    if spec.table4:
        found += on_policy_claims(spec, inputs)
    return found


def chosen_only_claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """online_is_sft, dataset by dataset."""
    baseline, *rows = layout.table2(spec, inputs.pairs)
    seeds, found = len(spec.seeds), []
    start = [values.mean() for values in answers([baseline.runs], spec.benchmarks, inputs.evaluations)]
    start_paper = published_means(
        read_published(inputs.published / "table2.csv", table2.KEY), [baseline.published], spec.benchmarks
    )[0]
    slugs = {data.name: data.slug for data in layout.tier_datasets(spec, inputs.pairs)}
    for sft, online in zip(rows[::2], rows[1::2], strict=True):
        data = sft.labels["dataset"]
        means = Means("table2", [sft, online], table2.KEY, spec, inputs)
        difference, paper = (each[1] - each[0] for each in (means.measured, means.paper))
        margins = np.maximum(LEAST_MARGIN, MARGIN_SHARE * np.abs(means.measured[0] - start))
        paper_margins = np.maximum(LEAST_MARGIN, MARGIN_SHARE * np.abs(means.paper[0] - start_paper))
        intervals = [interval(means.drawn[:, 1, b] - means.drawn[:, 0, b]) for b in range(len(spec.benchmarks))]
        verdicts = [is_negligible(ci, m, seeds) for ci, m in zip(intervals, margins, strict=True)]
        low, high = largest_share(intervals, margins)
        name = f"online_is_sft.{slugs[data]}"
        found.append(
            Claim(
                STUDY,
                name,
                f"{data}: online DPO with fixed chosen responses ends where continual SFT on them does, on every "
                "benchmark (the largest difference as a share of its margin)",
                _known(np.abs(paper / paper_margins).max()),
                float(np.abs(difference / margins).max()),
                low,
                high,
                seeds,
                all_of(verdicts),
            )
        )
        found += [
            Claim(
                STUDY,
                f"{name}.{benchmark}",
                f"{data}: online DPO minus continual SFT on {benchmark} (points; margin {margins[b]:.1f})",
                _known(paper[b]),
                float(difference[b]),
                *intervals[b],
                seeds,
                verdicts[b],
            )
            for b, benchmark in enumerate(spec.benchmarks)
        ]
    return found


def gap_claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """quality_over_gap and gap_over_counterfactual, in the headline benchmark."""
    rows = {row.published: row for row in layout.table3(spec, inputs.pairs)}
    means = Means("table3", list(rows.values()), table3.KEY, spec, inputs)
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

    statements = {
        "quality_over_gap": "more is gained by better chosen responses at the same gap (Table 3, Part 1) than by a "
        f"wider gap (Part 2) ({spec.headline}, points)",
        "gap_over_counterfactual": "less is gained by a wider gap where the chosen responses stay the same (Table 3, "
        f"Part 3) than where they do not (Part 2) ({spec.headline}, points)",
    }
    found = []
    for part, (name, statement) in enumerate(statements.items()):
        measured, drawn, paper = (
            parts[part] - parts[part + 1] for parts in map(gains, (means.measured, means.drawn, means.paper))
        )
        ci = interval(drawn)
        verdict = is_positive(ci, len(spec.seeds))
        found.append(Claim(STUDY, name, statement, _known(paper), float(measured), *ci, len(spec.seeds), verdict))
    return found


def on_policy_claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """on_policy_needs_quality, over its benchmarks and on each."""
    rows = layout.table4(spec, inputs.pairs)
    means = Means("table4", rows, table4.KEY, spec, inputs)
    halves = {
        quality: [at for at, row in enumerate(rows) if row.labels["quality"] == quality] for quality in ("high", "low")
    }
    benchmarks = [name for name in ON_POLICY_BENCHMARKS if name in spec.benchmarks]

    def advantage(values: np.ndarray, benchmark: str) -> np.ndarray:
        """Mean gain of the mixtures over their base, high minus low: (..., rows, benchmarks) -> (...).

        Ratios that the paper does not have are NaN there, and left out.
        """
        of_one = values[..., spec.benchmarks.index(benchmark)]
        high, low = (
            np.ma.masked_invalid(of_one[..., half[1:]]).mean(axis=-1) - of_one[..., half[0]] for half in halves.values()
        )
        return np.ma.filled(high - low, np.nan)

    seeds, parts = len(spec.seeds), []
    for benchmark in benchmarks:
        ci = interval(advantage(means.drawn, benchmark))
        parts.append(
            Claim(
                STUDY,
                f"on_policy_needs_quality.{benchmark}",
                f"on-policy samples gain more on the high-quality base than on the low one ({benchmark}, points)",
                _known(advantage(means.paper, benchmark)),
                float(advantage(means.measured, benchmark)),
                *ci,
                seeds,
                is_positive(ci, seeds),
            )
        )
    if not parts:
        return []
    least = min(parts, key=lambda part: part.measured)
    known = [part.published for part in parts if part.published is not None]
    whole = Claim(
        STUDY,
        "on_policy_needs_quality",
        "on-policy samples help more where the offline data is good (the smallest difference of gains, points)",
        min(known) if known else None,
        least.measured,
        min(part.ci_low for part in parts),
        min(part.ci_high for part in parts),
        seeds,
        all_of(part.verdict for part in parts),
    )
    return [whole, *parts]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
