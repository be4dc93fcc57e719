"""Studies whose truth is known, drawn a thousand times, and how often the claims' statistics are right about them.

The worlds are drawn here, answer by answer, without the code that judges them. Each Row is a line of the table in
docs/statistics.md; ``python -m tests.simulated_studies`` measures all of them and prints it (minutes, on one core);
``--studies 200`` is faster and less exact. tests/unit/test_coverage.py holds the rows to their bounds.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from scripts.studies.statistics.contrast import exceed
from scripts.studies.statistics.direction import all_positive, positive
from scripts.studies.statistics.equivalence import all_negligible, fixed, negligible
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import Trained, resampled_means
from scripts.studies.verdicts import Judged

STUDIES = 1000
REPLICATES = 2000
SUITES = {"gsm8k": (11, 18), "lc_ae2": (7, 8), "mmlu": (8, 17), "ifeval": (13, 19), "truthfulqa": (1.2, 1.1)}
"""Suite -> standard deviations in points: of a policy on one question, and of one run on it. Measured on 2026-11-29."""
DIFFICULTY = 15.0
"""Standard deviation of questions, alike for all policies."""
SLOPE = (-0.3, -0.1, 0.1, 0.3)
"""Weights of four equally spaced tiers in the slope of the least-squares line through them."""
CHOSEN, REJECTED = [0, 1, 2, 3], [3, 4, 5, 6]
"""Places of seven policies in the two slopes: low, medium, high, best over worst; best over worst, low, medium, high."""


@dataclass(frozen=True)
class World:
    """So many runs and questions, and what moves a run beside its policy; standard deviations in points.

    common: moves all policies trained on one draw. variants: of how many policies each training variant is; sd_seeds:
    each variant's, in place of sd_seed.
    """

    draws: int = 1
    seeds: int = 2
    questions: int = 100
    sd_seed: float = 0.3
    sd_draw: float = 0.0
    common: float = 0.0
    suites: tuple[str, ...] = tuple(SUITES)
    variants: dict[str, int] = field(default_factory=lambda: {"dpo": 7})
    sd_seeds: dict[str, float] = field(default_factory=dict)

    def answers(self, rng: np.random.Generator, truth: np.ndarray) -> list[np.ndarray]:
        """One (policies, draws, seeds, questions) per suite; truth: every policy's mean on every suite."""
        found = []
        kinds = [name for name, count in self.variants.items() for _ in range(count)]
        for suite, means in zip(self.suites, truth.T, strict=True):
            of_policy, of_run = SUITES[suite]
            difficulty = rng.normal(0, DIFFICULTY, self.questions)
            together = rng.normal(0, 1, self.draws) * self.common
            policies = []
            for mean, kind in zip(means, kinds, strict=True):
                own = difficulty + rng.normal(0, of_policy, self.questions)
                sd_seed = self.sd_seeds.get(kind, self.sd_seed)
                draws = []
                for shared in together:
                    moved = mean + shared + rng.normal(0, 1) * self.sd_draw
                    runs = moved + rng.normal(0, 1, self.seeds) * sd_seed
                    draws.append([run + own + rng.normal(0, of_run, self.questions) for run in runs])
                policies.append(draws)
            found.append(np.array(policies))
        return found

    def studies(self, truth: np.ndarray, studies: int, seed: int = 2026) -> Iterator[np.ndarray]:
        """(1 + replicates, policies, suites) of each: the means as measured, then as drawn."""
        rng = np.random.default_rng(seed)
        policies = [Trained("prompts", name) for name, count in self.variants.items() for _ in range(count)]
        for _ in range(studies):
            answers = self.answers(rng, truth)
            measured = np.stack([values.mean(axis=(1, 2, 3)) for values in answers], axis=1)
            yield np.concatenate([measured[None], resampled_means(answers, policies, rng, REPLICATES)])

    def tiers(self, chosen: float, rejected: float) -> np.ndarray:
        """Seven policies' means with these slopes on every suite."""
        means = np.array([*(chosen * (tier - 3) for tier in range(4)), *(rejected * tier for tier in (1, 2, 3))])
        return np.repeat(50 + means[:, None], len(self.suites), axis=1)


def slopes(means: np.ndarray, places: list[int]) -> list[Estimate]:
    """On every suite, from (1 + replicates, policies, suites)."""
    lines = sum(weight * means[:, place] for weight, place in zip(SLOPE, places, strict=True))
    return [Estimate.of(lines[:, suite]) for suite in range(lines.shape[1])]


def margins(means: np.ndarray) -> list[Estimate]:
    """Half of the slopes over chosen tiers, at least one point."""
    found = slopes(means, CHOSEN)
    return [Estimate(max(1.0, each.value / 2), np.maximum(1.0, each.drawn / 2)) for each in found]


def covers(judged: Judged, truth: float) -> bool:
    return judged.low <= truth <= judged.high


Count = Callable[[int], float]
"""Number of studies -> the share of them in which something was seen."""


@dataclass(frozen=True)
class Row:
    """What is counted, in which share of studies it is seen, and the bounds that this must keep."""

    what: str
    count: Count
    least: float
    most: float


def slope_covered(world: World) -> Count:
    def count(studies: int) -> float:
        found = [
            covers(positive(each), 1.0)
            for means in world.studies(world.tiers(1.0, 0.0), studies)
            for each in slopes(means, CHOSEN)
        ]
        return float(np.mean(found))

    return count


def share_of(world: World, chosen: float, rejected: float, seen: Callable[[np.ndarray], bool]) -> Count:
    """Of studies with these slopes on every suite."""
    return lambda studies: float(
        np.mean([seen(means) for means in world.studies(world.tiers(chosen, rejected), studies)])
    )


def no_trend(means: np.ndarray) -> Judged:
    """Of rejected tiers, on all suites."""
    return all_negligible(slopes(means, REJECTED), margins(means))


def over_rejected(means: np.ndarray) -> Judged:
    return exceed(slopes(means, CHOSEN), slopes(means, REJECTED))


def online_covered(world: World) -> Count:
    """The last policy minus the one before it, both alike."""

    def count(studies: int) -> float:
        truth = np.full((sum(world.variants.values()), len(world.suites)), 50.0)
        found = []
        for means in world.studies(truth, studies):
            difference = means[:, -1] - means[:, -2]
            found += [covers(positive(Estimate.of(each)), 0.0) for each in difference.T]
        return float(np.mean(found))

    return count


def planted(world: World, judge: Callable[[np.ndarray], Judged], at: Callable[[float], tuple[float, float]]) -> Count:
    """Of studies that have the smallest effect that such a study says it could decide, on average, those that hold.

    at: effect -> slopes over chosen and rejected tiers.
    """

    def count(studies: int) -> float:
        pilots = world.studies(world.tiers(*at(0.0)), max(studies // 5, 40), seed=1)
        smallest = float(np.mean([judge(means).smallest for means in pilots]))
        return share_of(world, *at(smallest), lambda means: judge(means).verdict == "holds")(studies)

    return count


def confirmed(world: World) -> Count:
    """Of studies without a trend on one suite, those that find it within the smallest margin they say they could."""

    def count(studies: int) -> float:
        pilots, trials = (
            world.studies(world.tiers(2.0, 0.0), number, seed) for number, seed in ((200, 1), (studies, 2))
        )
        smallest = np.mean([negligible(part := slopes(m, REJECTED)[0], fixed(1.0, part)).smallest for m in pilots])
        found = [negligible(part := slopes(m, REJECTED)[0], fixed(smallest, part)).verdict for m in trials]
        return float(np.mean([verdict == "holds" for verdict in found]))

    return count


SMALL, LARGE = World(seeds=2, questions=100), World(seeds=5, questions=500)
GSM8K = replace(SMALL, suites=("gsm8k",))
MANY = World(suites=("mmlu",), variants={"dpo": 24, "sft": 2, "online": 2}, sd_seed=2.0, questions=200)
MANY_PAIR = replace(MANY, variants={"dpo": 26, "sft": 1, "online": 1})
UNEQUAL = replace(MANY, sd_seed=0.5, sd_seeds={"online": 2.0})
DRAWS = replace(GSM8K, draws=3, questions=200, suites=("gsm8k", "mmlu"))


def rows() -> list[Row]:
    """All lines of the table."""
    found = []
    for world, name in ((SMALL, "2 seeds, 100 questions"), (LARGE, "5 seeds, 500 questions")):
        found += [
            Row(f"A slope's interval covers it; {name}", slope_covered(world), 0.93, 0.97),
            Row(
                f"Rejected slopes at 0.9 of their margins on five suites: the whole fails; {name}",
                share_of(world, 2.0, 0.9, lambda means: no_trend(means).verdict == "fails"),
                0.0,
                0.03,
            ),
            Row(
                f"Their largest share of a margin is covered; {name}",
                share_of(world, 2.0, 0.9, lambda means: covers(no_trend(means), 0.9)),
                0.93,
                1.0,
            ),
            Row(
                f"Slopes of 0.01 on five suites: the whole fails; {name}",
                share_of(world, 0.01, 0.0, lambda means: all_positive(slopes(means, CHOSEN)).verdict == "fails"),
                0.0,
                0.035,
            ),
            Row(
                f"The smallest of five slopes is covered; {name}",
                share_of(world, 0.5, 0.0, lambda means: covers(all_positive(slopes(means, CHOSEN)), 0.5)),
                0.93,
                1.0,
            ),
        ]
        found += [
            Row(
                f"Chosen slopes {chosen:g}, rejected 0: their contrast is covered; {name}",
                share_of(world, chosen, 0.0, lambda means, at=chosen: covers(over_rejected(means), at)),
                0.95,
                0.996,
            )
            for chosen in (0.5, 1.0, 2.0)
        ]
        found += [
            Row(
                f"Chosen slopes {chosen:g}, rejected {rejected:g}: the contrast holds; {name}",
                share_of(world, chosen, rejected, lambda means: over_rejected(means).verdict == "holds"),
                0.0,
                0.04,
            )
            for chosen, rejected in ((0.0, 0.0), (1.0, 1.0), (-2.0, 0.5))
        ]
    at_margin = replace(GSM8K, questions=1000)
    found.append(
        Row(
            "A rejected slope of 1.5 at half the chosen slope of 3: negligible; 2 seeds, 1,000 questions",
            share_of(
                at_margin,
                3.0,
                1.5,
                lambda means: negligible(slopes(means, REJECTED)[0], margins(means)[0]).verdict == "holds",
            ),
            0.0,
            0.035,
        )
    )
    found += [
        Row("Online minus SFT is covered; 28 policies, 2 seeds, seed sd 2", online_covered(MANY_PAIR), 0.93, 0.97),
        Row("The same, 2 of each variant; seed sd 0.5, of online 2", online_covered(UNEQUAL), 0.90, 0.99),
    ]
    found += [
        Row(
            f"A slope's interval covers it; 3 draws of sd {sd:g}, common {common:g}, 2 seeds, 200 questions",
            slope_covered(replace(DRAWS, sd_draw=sd, common=common)),
            0.93,
            0.97,
        )
        for sd in (0.0, 1.0, 2.0)
        for common in (0.0, 4.0)
    ]
    found += [
        Row(
            "The smallest slope that could be seen is found; one suite",
            planted(GSM8K, lambda means: positive(slopes(means, CHOSEN)[0]), lambda effect: (effect, 0.0)),
            0.77,
            0.83,
        ),
        Row(
            "The smallest slopes that could be seen are found; all of five suites",
            planted(SMALL, lambda means: all_positive(slopes(means, CHOSEN)), lambda effect: (effect, 0.0)),
            0.77,
            0.83,
        ),
        Row(
            "The smallest contrast that could be seen is found; five suites",
            planted(SMALL, over_rejected, lambda effect: (effect, 0.0)),
            0.77,
            0.83,
        ),
        Row("The smallest margin that could be confirmed is; one suite", confirmed(GSM8K), 0.77, 0.83),
        Row(
            "The same with 3 draws of sd 1",
            planted(
                replace(DRAWS, sd_draw=1.0, suites=("gsm8k",)),
                lambda means: positive(slopes(means, CHOSEN)[0]),
                lambda effect: (effect, 0.0),
            ),
            0.77,
            0.83,
        ),
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=STUDIES)
    studies = parser.parse_args().studies
    print("| of 100 studies | seen | allowed |\n|---|---|---|")
    for row in rows():
        print(
            f"| {row.what} | {100 * row.count(studies):.1f} | {100 * row.least:g} to {100 * row.most:g} |", flush=True
        )


if __name__ == "__main__":
    main()
