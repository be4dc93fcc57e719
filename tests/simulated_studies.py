"""Studies whose truth is known, drawn a thousand times, and how often the claims' statistics are right about them.

The worlds are drawn here, answer by answer, without the code that judges them. Each Row is a line of the table in
docs/statistics.md; ``python -m tests.simulated_studies`` measures and prints it (minutes, on one core); ``--studies
200`` is faster and less exact. tests/unit/test_coverage.py holds the rows to their bounds.
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
"""Places of seven policies: low, medium, high and best over worst; best over worst, low, medium and high."""


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

    def answers(self, rng: np.random.Generator) -> list[np.ndarray]:
        """One (policies, draws, seeds, questions) per suite, every policy's mean zero."""
        found = []
        kinds = [name for name, count in self.variants.items() for _ in range(count)]
        for suite in self.suites:
            of_policy, of_run = SUITES[suite]
            difficulty = rng.normal(0, DIFFICULTY, self.questions)
            together = rng.normal(0, 1, self.draws) * self.common
            policies = []
            for kind in kinds:
                own = difficulty + rng.normal(0, of_policy, self.questions)
                sd_seed = self.sd_seeds.get(kind, self.sd_seed)
                draws = []
                for shared in together:
                    moved = shared + rng.normal(0, 1) * self.sd_draw
                    runs = moved + rng.normal(0, 1, self.seeds) * sd_seed
                    draws.append([run + own + rng.normal(0, of_run, self.questions) for run in runs])
                policies.append(draws)
            found.append(np.array(policies))
        return found

    def studies(self, studies: int, seed: int = 2026) -> Iterator[np.ndarray]:
        """(1 + 2 replicates, policies, suites) of each: means of policies that are all at zero.

        Policies that differ have the same, each moved by its own mean.
        """
        rng = np.random.default_rng(seed)
        kinds = [Trained("prompts", name) for name, count in self.variants.items() for _ in range(count)]
        for _ in range(studies):
            answers = self.answers(rng)
            measured = np.stack([values.mean(axis=(1, 2, 3)) for values in answers], axis=1)
            yield np.concatenate([measured[None], resampled_means(answers, kinds, rng, REPLICATES)])

    def truth(self, chosen: float, rejected: float) -> np.ndarray:
        """(policies, 1): seven policies' means with these slopes over tiers, on every suite; others at zero."""
        means = np.zeros((sum(self.variants.values()), 1))
        means[:7, 0] = [*(chosen * (tier - 3) for tier in range(4)), *(rejected * tier for tier in (1, 2, 3))]
        return means


def slopes(means: np.ndarray, places: list[int]) -> list[Estimate]:
    """On every suite, from (1 + 2 replicates, policies, suites)."""
    lines = sum(weight * means[:, place] for weight, place in zip(SLOPE, places, strict=True))
    return [Estimate.of(lines[:, suite]) for suite in range(lines.shape[1])]


def margins(means: np.ndarray) -> list[Estimate]:
    """Half of the slopes over chosen tiers, at least one point."""
    lines = sum(weight * means[:, place] for weight, place in zip(SLOPE, CHOSEN, strict=True))
    return [Estimate.of(each) for each in np.maximum(1.0, lines / 2).T]


def covers(judged: Judged, truth: float) -> bool:
    return judged.low <= truth <= judged.high


Look = Callable[[np.ndarray], bool]
"""Whether something is seen in a study's means (1 + 2 replicates, policies, suites)."""
Judge = Callable[[np.ndarray], Judged]


@dataclass(frozen=True)
class Row:
    """What is looked for in a world's studies, and the bounds, in percent of studies, that this must keep.

    plan: number of studies -> the slopes over chosen and rejected tiers, and the look.
    """

    what: str
    plan: Callable[[int], tuple[tuple[float, float], Look]]
    least: float
    most: float


def look(what: str, slopes: tuple[float, float], seen: Look, least: float, most: float) -> Row:
    """A row whose slopes are known."""
    return Row(what, lambda studies: (slopes, seen), least, most)


def counts(world: World, rows: list[Row], studies: int) -> list[float]:
    """For each row, in how many of 100 studies it is seen."""
    plans = [row.plan(studies) for row in rows]
    truths = [(world.truth(*slopes), seen) for slopes, seen in plans]
    seen = [[seen(means + truth) for truth, seen in truths] for means in world.studies(studies)]
    return list(100 * np.mean(seen, axis=0))


def chosen(means: np.ndarray) -> Judged:
    """The slope over chosen tiers, on the first suite."""
    return positive(slopes(means, CHOSEN)[0])


def all_chosen(means: np.ndarray) -> Judged:
    return all_positive(slopes(means, CHOSEN))


def rejected(means: np.ndarray) -> Judged:
    """Whether there is no trend over rejected tiers, on the first suite."""
    return negligible(slopes(means, REJECTED)[0], margins(means)[0])


def all_rejected(means: np.ndarray) -> Judged:
    return all_negligible(slopes(means, REJECTED), margins(means))


def contrast(means: np.ndarray) -> Judged:
    return exceed(slopes(means, CHOSEN), slopes(means, REJECTED))


def online(means: np.ndarray) -> Judged:
    """The last policy minus the one before it."""
    return positive(Estimate.of(means[:, -1, 0] - means[:, -2, 0]))


def covered(judge: Judge, truth: float) -> Look:
    def seen(means: np.ndarray) -> bool:
        judged = judge(means)
        return judged.low <= truth <= judged.high

    return seen


def verdict(judge: Judge, verdict: str) -> Look:
    return lambda means: judge(means).verdict == verdict


def smallest(world: World, judge: Judge, studies: int) -> float:
    """What studies of this world say they could see, on average."""
    return float(np.mean([judge(means).smallest for means in world.studies(max(studies // 5, 40), seed=1)]))


def planted(world: World, judge: Judge, what: str) -> Row:
    """Slopes over chosen tiers are the smallest that studies say they could see; those over rejected ones are zero."""

    def plan(studies: int) -> tuple[tuple[float, float], Look]:
        return (smallest(world, judge, studies), 0.0), verdict(judge, "holds")

    return Row(f"the smallest {what} that could be seen is planted: it holds", plan, 77.0, 83.0)


def confirmed(world: World, what: str) -> Row:
    """Slopes over rejected tiers are zero; the margin is the smallest that studies say they could confirm."""

    def plan(studies: int) -> tuple[tuple[float, float], Look]:
        margin = smallest(world, rejected, studies)

        def seen(means: np.ndarray) -> bool:
            part = slopes(means, REJECTED)[0]
            return negligible(part, fixed(margin, part)).verdict == "holds"

        return (0.0, 0.0), seen

    return Row(f"no trend, and the smallest margin that could be confirmed{what}: it holds", plan, 77.0, 83.0)


SMALL, LARGE = World(seeds=2, questions=100), World(seeds=5, questions=500)
ONE = replace(SMALL, suites=("gsm8k",), questions=200)
SHARP = replace(ONE, questions=1000)
STUDY = World(suites=("mmlu",), variants={"dpo": 24, "sft": 2, "online": 2}, sd_seed=2.0, questions=200)
UNEQUAL = replace(STUDY, sd_seed=0.5, sd_seeds={"online": 2.0})
DRAWS = [replace(ONE, draws=3, sd_draw=sd, common=common) for sd in (0.0, 1.0, 2.0) for common in (0.0, 4.0)]
"""Worlds; and among them all combinations of what a draw moves by policy and in common."""


def of_five_suites(world: World) -> list[Row]:
    return [
        look("chosen slopes 1: the first is covered", (1.0, 0.0), covered(chosen, 1.0), 93, 98),
        look("the smallest of the five is covered", (1.0, 0.0), covered(all_chosen, 1.0), 93, 100),
        look("chosen slopes 0.01: the whole fails", (0.01, 0.0), verdict(all_chosen, "fails"), 0, 3.5),
        look("rejected slopes 0.9, margin 1: the whole fails", (2.0, 0.9), verdict(all_rejected, "fails"), 0, 3),
        look("the largest of the five shares is covered", (2.0, 0.9), covered(all_rejected, 0.9), 93, 100),
        look("chosen 1, rejected 0: the contrast is covered", (1.0, 0.0), covered(contrast, 1.0), 95, 99.6),
        look("chosen 1, rejected 1: the contrast is covered", (1.0, 1.0), covered(contrast, 0.0), 95, 99.6),
        look("chosen 1, rejected 1: the contrast holds", (1.0, 1.0), verdict(contrast, "holds"), 0, 4),
        look("all slopes 0: the contrast holds", (0.0, 0.0), verdict(contrast, "holds"), 0, 4),
        look("chosen -2, rejected 0.5: the contrast holds", (-2.0, 0.5), verdict(contrast, "holds"), 0, 4),
        planted(world, all_chosen, "slope on all suites"),
        planted(world, contrast, "contrast"),
    ]


TABLE: dict[str, tuple[World, list[Row]]] = {
    "five suites, 2 seeds, 100 questions": (SMALL, of_five_suites(SMALL)),
    "five suites, 5 seeds, 500 questions": (LARGE, of_five_suites(LARGE)),
    "one suite, 2 seeds, 200 questions": (ONE, [planted(ONE, chosen, "slope"), confirmed(ONE, "")]),
    "one suite, 2 seeds, 1,000 questions": (
        SHARP,
        [
            look(
                "chosen 3, rejected at its margin of 1.5: no trend holds", (3, 1.5), verdict(rejected, "holds"), 0, 3.5
            ),
            look("chosen 2, rejected 1, its margin: no trend holds", (2, 1), verdict(rejected, "holds"), 0, 3.5),
        ],
    ),
    "28 policies, 2 seeds of sd 2, 200 questions": (
        STUDY,
        [look("online DPO minus SFT is covered", (0.0, 0.0), covered(online, 0.0), 93, 97)],
    ),
    "the same, sd 0.5, of 2 online policies 2": (
        UNEQUAL,
        [look("online DPO minus SFT is covered", (0.0, 0.0), covered(online, 0.0), 80, 99)],
    ),
} | {
    f"3 draws of sd {world.sd_draw:g}, in common {world.common:g}, 2 seeds, 200 questions": (
        world,
        [
            look("a chosen slope is covered", (1.0, 0.0), covered(chosen, 1.0), 93, 97),
            planted(world, chosen, "slope"),
        ],
    )
    for world in DRAWS
}
"""Heading -> a world and what is looked for in its studies."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=STUDIES)
    studies = parser.parse_args().studies
    print("| studies of | what is looked for | seen in | allowed |\n|---|---|---|---|")
    for heading, (world, rows) in TABLE.items():
        for row, count in zip(rows, counts(world, rows, studies), strict=True):
            print(f"| {heading} | {row.what} | {count:.1f} % | {row.least:g} to {row.most:g} % |", flush=True)
            heading = ""


if __name__ == "__main__":
    main()
