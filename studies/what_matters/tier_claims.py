"""The claims of "What Matters in Data for DPO?" about Table 1 (section 5.2), as statistics with rules of judgement.

Statistics, margins and rules were fixed on 2026-11-21, before any run of this study had been evaluated.

chosen_raises. "As the chosen response quality increases from Low to Best, performance shows a
    universally climbing pattern for each of the benchmarks." Statistic: the least-squares slope over the
    chosen tiers low, medium, high, best against worst, in points per tier. Holds above zero. (Taken literally, the
    paper's own Table 1 goes down in 5 of its 30 steps; its slopes are all positive.)
rejected_no_trend. "When the chosen response is fixed to the best quality, the performance does not
    exhibit a monotonic trend as the quality of the rejected response increases or decreases."
    Statistic: the slope over the rejected tiers worst, low, medium, high against best. A wide interval cannot show
    absence, so this is a claim of equivalence: the slope is negligible compared with that over chosen tiers. Margin:
    half the measured slope over chosen tiers on the same data and benchmark, but at least one point per tier. The
    paper's own slopes lie within it, the largest at 0.90 of its margin.
chosen_over_rejected. "The quality of the chosen response is the primary determinant of the model's
    final performance." Statistic: the mean over benchmarks of |slope over chosen tiers| minus that of
    |slope over rejected tiers|. Holds above zero. Chance increases both terms alike if both slopes are small, and the
    second one more if the claim is true: the statistic is biased against the claim.

Best/Worst is one policy in both slopes; the draws keep that.

After two studies had been seen to disagree, the length-controlled win rate's values per question were given the
answers' spread (scripts/evaluation/rates.py): its intervals became wider, and nothing else changed.
"""

from collections.abc import Sequence

import numpy as np

from scripts.lib.claims import Claim, Interval, Verdict
from scripts.lib.ids import seed_of
from scripts.studies.files import read_published
from scripts.studies.statistics import interval, resampled_means, slope_weights
from scripts.studies.verdicts import all_of, is_negligible, is_positive, largest_share
from studies.what_matters.answers import Inputs, answers, published_means
from studies.what_matters.config import Config
from studies.what_matters.layout import RISING, STUDY, TierDataset, runs, tier_datasets
from studies.what_matters.tables.table1 import KEY

LEAST_MARGIN = 1.0
"""Points per tier: a slope over rejected tiers below this always counts as no trend."""
MARGIN_SHARE = 0.5
"""The largest slope over rejected tiers, as a share of the slope over chosen tiers."""
Tiers = tuple[str, str]


class Slopes:
    """Points per tier on each benchmark: over chosen tiers (rejected worst) and rejected tiers (chosen best).

    means: (..., policies, benchmarks), policies in the order of ``tiers``.
    chosen, rejected: (..., benchmarks).
    """

    def __init__(self, means: np.ndarray, tiers: Sequence[Tiers], data: TierDataset) -> None:
        self.chosen = self._over(data.fixed_worst(), 0, means, tiers)
        self.rejected = self._over(data.fixed_best(), 1, means, tiers)

    @staticmethod
    def _over(varied: list[Tiers], side: int, means: np.ndarray, tiers: Sequence[Tiers]) -> np.ndarray:
        weights = slope_weights([RISING.index(each[side]) for each in varied])
        at = [tiers.index(each) for each in varied]
        return np.einsum("p,...pb->...b", weights, means[..., at, :])

    @property
    def margins(self) -> np.ndarray:
        return np.maximum(LEAST_MARGIN, MARGIN_SHARE * self.chosen)

    @property
    def contrast(self) -> np.ndarray:
        return (np.abs(self.chosen) - np.abs(self.rejected)).mean(axis=-1)


def claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """Every claim, dataset by dataset: the claim over all benchmarks first, then its parts."""
    published = read_published(inputs.published / "table1.csv", KEY)
    found = []
    for data in tier_datasets(spec, inputs.pairs):
        if len(data.fixed_worst()) < 2 or len(data.fixed_best()) < 2:
            continue
        tiers = list(dict.fromkeys(data.fixed_best() + data.fixed_worst()))
        suites = answers([runs(spec, data.pairs[each]) for each in tiers], spec.benchmarks, inputs.evaluations)
        means = np.stack([values.mean(axis=(1, 2)) for values in suites], axis=1)
        draws = resampled_means(suites, np.random.default_rng(seed_of(STUDY, data.slug)))
        found += judge(
            data,
            spec.benchmarks,
            len(spec.seeds),
            measured=Slopes(means, tiers, data),
            drawn=Slopes(draws, tiers, data),
            paper=Slopes(
                published_means(published, [(data.published, *each) for each in tiers], spec.benchmarks), tiers, data
            ),
        )
    return found


def judge(
    data: TierDataset, benchmarks: Sequence[str], n_seeds: int, *, measured: Slopes, drawn: Slopes, paper: Slopes
) -> list[Claim]:
    """The claims about one dataset, from slopes measured, drawn by the bootstrap, and of the paper."""

    def claim(
        name: str, statement: str, published: float, value: float, ci: Interval, verdict: Verdict, part: str = ""
    ) -> Claim:
        return Claim(
            study=STUDY,
            claim=".".join([name, data.slug, part] if part else [name, data.slug]),
            statement=f"{data.name}: {statement}",
            published=None if np.isnan(published) else float(published),
            measured=float(value),
            ci_low=ci[0],
            ci_high=ci[1],
            n_seeds=n_seeds,
            verdict=verdict,
        )

    over_chosen = [interval(drawn.chosen[:, b]) for b in range(len(benchmarks))]
    over_rejected = [interval(drawn.rejected[:, b]) for b in range(len(benchmarks))]
    rising = [is_positive(ci, n_seeds) for ci in over_chosen]
    level = [is_negligible(ci, m, n_seeds) for ci, m in zip(over_rejected, measured.margins, strict=True)]
    contrast = interval(drawn.contrast)

    found = [
        claim(
            "chosen_raises",
            "every benchmark rises with the tier of the chosen responses (the smallest slope, points per tier)",
            paper.chosen.min(),
            measured.chosen.min(),
            (min(low for low, _ in over_chosen), min(high for _, high in over_chosen)),
            all_of(rising),
        )
    ]
    found += [
        claim(
            "chosen_raises",
            f"{name} rises with the tier of the chosen responses, the rejected fixed at worst (points per tier)",
            paper.chosen[b],
            measured.chosen[b],
            over_chosen[b],
            rising[b],
            name,
        )
        for b, name in enumerate(benchmarks)
    ]
    found.append(
        claim(
            "rejected_no_trend",
            "no benchmark trends with the tier of the rejected responses (the largest slope as a share of its margin)",
            (np.abs(paper.rejected) / paper.margins).max(),
            (np.abs(measured.rejected) / measured.margins).max(),
            largest_share(over_rejected, measured.margins),
            all_of(level),
        )
    )
    found += [
        claim(
            "rejected_no_trend",
            f"{name} does not trend with the tier of the rejected responses, the chosen fixed at best "
            f"(points per tier; margin: half the slope over chosen tiers, at least {LEAST_MARGIN:g})",
            paper.rejected[b],
            measured.rejected[b],
            over_rejected[b],
            level[b],
            name,
        )
        for b, name in enumerate(benchmarks)
    ]
    found.append(
        claim(
            "chosen_over_rejected",
            "benchmarks move more with the tier of the chosen responses than with that of the rejected "
            "(mean absolute points per tier, chosen minus rejected)",
            paper.contrast,
            measured.contrast,
            contrast,
            is_positive(contrast, n_seeds),
        )
    )
    return found
