"""The claims of "What Matters in Data for DPO?" about Table 1 (section 5.2), as statistics with rules of judgement.

Statistics and margins were fixed on 2026-11-21, before any run of this study had been evaluated; the rules of
judgement were corrected on 2026-11-29, after a simulation of their coverage (docs/statistics.md), before any run that
they now judge.

chosen_raises. "As the chosen response quality increases from Low to Best, performance shows a
    universally climbing pattern for each of the benchmarks." Statistic: the least-squares slope over the
    chosen tiers low, medium, high, best against worst, in points per tier. Holds above zero. (Taken literally, the
    paper's own Table 1 goes down in 5 of its 30 steps; its slopes are all positive.)
rejected_no_trend. "When the chosen response is fixed to the best quality, the performance does not
    exhibit a monotonic trend as the quality of the rejected response increases or decreases."
    Statistic: the slope over the rejected tiers worst, low, medium, high against best. A wide interval cannot show
    absence, so this is a claim of equivalence: the slope is negligible compared with that over chosen tiers. Margin:
    half the slope over chosen tiers on the same data and benchmark, but at least one point per tier; that slope is
    measured, and its chance is counted. The paper's own slopes lie within it, the largest at 0.90 of its margin.
chosen_over_rejected. "The quality of the chosen response is the primary determinant of the model's
    final performance." Statistic: the mean over benchmarks of the slope over chosen tiers minus that of
    |slope over rejected tiers|. Holds above zero; where better chosen responses harm, it cannot.

Best/Worst is one policy in both slopes; the draws keep that.

After two studies had been seen to disagree, the length-controlled win rate's values per question were given the
answers' spread (scripts/evaluation/rates.py): its intervals became wider, and nothing else changed.
"""

from collections.abc import Sequence

import numpy as np

from scripts.report.labels import benchmark
from scripts.studies.files import read_published
from scripts.studies.findings import Words
from scripts.studies.statistics.contrast import exceed
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.equivalence import all_negligible, negligible
from scripts.studies.statistics.estimates import Estimate, slope_weights
from studies.what_matters.answers import Inputs, Means, published_means
from studies.what_matters.config import Config
from studies.what_matters.found import Found, found, greatest_known, least_known
from studies.what_matters.layout import RISING, Row, TierDataset, table1, tier_datasets
from studies.what_matters.tables.table1 import KEY

LEAST_MARGIN = 1.0
"""Points per tier: a slope over rejected tiers below this always counts as no trend."""
MARGIN_SHARE = 0.5
"""The largest slope over rejected tiers, as a share of the slope over chosen tiers."""
Tiers = tuple[str, str]


class Slopes:
    """Points per tier on each benchmark: over chosen tiers (rejected worst) and rejected tiers (chosen best).

    means: (..., policies, benchmarks), policies in the order of ``tiers``.
    chosen, rejected, margins: (..., benchmarks).
    """

    def __init__(self, means: np.ndarray, tiers: Sequence[Tiers], data: TierDataset) -> None:
        self.chosen = self._over(data.fixed_worst(), 0, means, tiers)
        self.rejected = self._over(data.fixed_best(), 1, means, tiers)
        self.margins = np.maximum(LEAST_MARGIN, MARGIN_SHARE * self.chosen)

    @staticmethod
    def _over(varied: list[Tiers], side: int, means: np.ndarray, tiers: Sequence[Tiers]) -> np.ndarray:
        weights = slope_weights([RISING.index(each[side]) for each in varied])
        at = [tiers.index(each) for each in varied]
        return np.einsum("p,...pb->...b", weights, means[..., at, :])


def judged(spec: Config, inputs: Inputs, means: Means) -> list[Found]:
    """Every claim, dataset by dataset: the claim over all benchmarks first, then its parts."""
    published = read_published(inputs.published / "table1.csv", KEY)
    rows = {row.pairs: row for row in table1(spec, inputs.pairs)}
    claims = []
    for data in tier_datasets(spec, inputs.pairs):
        if len(data.fixed_worst()) < 2 or len(data.fixed_best()) < 2:
            continue
        tiers = list(dict.fromkeys(data.fixed_best() + data.fixed_worst()))
        of_tiers: list[Row] = [rows[data.pairs[each]] for each in tiers]
        paper = published_means(published, [(data.published, *each) for each in tiers], spec.benchmarks)
        here, theirs = Slopes(means.of(of_tiers), tiers, data), Slopes(paper, tiers, data)
        claims += _chosen(data, spec.benchmarks, means, here, theirs)
        claims += _rejected(data, spec.benchmarks, means, here, theirs)
        claims.append(_contrast(data, means, here, theirs))
    return claims


def _estimates(slopes: np.ndarray) -> list[Estimate]:
    return [Estimate.of(slopes[:, b]) for b in range(slopes.shape[1])]


def _chosen(data: TierDataset, benchmarks: Sequence[str], means: Means, here: Slopes, paper: Slopes) -> list[Found]:
    parts = _estimates(here.chosen)
    name, about = f"chosen_raises.{data.slug}", f"{data.name}: better chosen responses"
    least = benchmark(benchmarks[int(here.chosen[0].argmin())])
    whole = found(
        means,
        name,
        f"{data.name}: every benchmark rises with the tier of the chosen responses (the smallest slope, points per "
        "tier)",
        Words(
            f"{about} on every benchmark",
            f"{about} help on every benchmark",
            f"{about} do not help on every benchmark",
            "points a tier",
            f"least on {least}, ",
        ),
        all_positive(parts),
        least_known(paper.chosen),
    )
    return [whole] + [
        found(
            means,
            f"{name}.{on}",
            f"{data.name}: {on} rises with the tier of the chosen responses, the rejected fixed at worst (points per "
            "tier)",
            Words(
                f"{about} on {benchmark(on)}",
                f"{about} help on {benchmark(on)}",
                f"{about} do not help on {benchmark(on)}",
                "points a tier",
            ),
            positive(part),
            paper.chosen[b],
        )
        for b, (on, part) in enumerate(zip(benchmarks, parts, strict=True))
    ]


def _rejected(data: TierDataset, benchmarks: Sequence[str], means: Means, here: Slopes, paper: Slopes) -> list[Found]:
    parts, margins = _estimates(here.rejected), _estimates(here.margins)
    name, about = f"rejected_no_trend.{data.slug}", f"{data.name}: better rejected responses"
    largest = benchmark(benchmarks[int((np.abs(here.rejected) / here.margins)[0].argmax())])
    whole = found(
        means,
        name,
        f"{data.name}: no benchmark trends with the tier of the rejected responses (the largest slope as a share of "
        "its margin)",
        Words(
            f"{about} on any benchmark",
            f"{about} change every benchmark little",
            f"{about} change some benchmark much",
            "of its margin",
            f"most on {largest}, ",
        ),
        all_negligible(parts, margins),
        greatest_known(np.abs(paper.rejected) / paper.margins),
        margin=1.0,
    )
    return [whole] + [
        found(
            means,
            f"{name}.{on}",
            f"{data.name}: {on} does not trend with the tier of the rejected responses, the chosen fixed at best "
            f"(points per tier; margin: half the slope over chosen tiers, at least {LEAST_MARGIN:g})",
            Words(
                f"{about} on {benchmark(on)}",
                f"{about} change {benchmark(on)} little",
                f"{about} change {benchmark(on)} much",
                "points a tier",
            ),
            negligible(part, margins[b]),
            paper.rejected[b],
            margin=margins[b].value,
        )
        for b, (on, part) in enumerate(zip(benchmarks, parts, strict=True))
    ]


def _contrast(data: TierDataset, means: Means, here: Slopes, paper: Slopes) -> Found:
    about = f"{data.name}: better chosen responses"
    known = paper.chosen - np.abs(paper.rejected)
    return found(
        means,
        f"chosen_over_rejected.{data.slug}",
        f"{data.name}: benchmarks rise more with the tier of the chosen responses than they move with that of the "
        "rejected (mean points per tier over chosen tiers, minus mean absolute points per tier over rejected ones)",
        Words(
            f"{about} against better rejected ones",
            f"{about} help more than better rejected ones change",
            f"{about} do not help more than better rejected ones change",
            "points a tier on average",
        ),
        exceed(_estimates(here.chosen), _estimates(here.rejected)),
        float(known[~np.isnan(known)].mean()) if not np.isnan(known).all() else np.nan,
    )
