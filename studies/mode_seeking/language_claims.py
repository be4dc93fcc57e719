"""The paper's claims on language models.

Statistics and minimum effects were fixed on 2026-11-30, before any of these runs had been trained. Values are those of
the rewards' true suites, in points; intervals are over questions and seeds, of one draw of the data. Means are over
the methods of the configuration that have the sources that are compared. Parts are rewards. All above 5 points.

language_on_policy. On-policy sampling helps: own samples of every step less the start's, drawn once.
language_far. Most when the optimum is far: that difference for the first reward less that for the last.
language_negative. A negative gradient helps over maximum likelihood, on the start's samples.
language_complementary. The two add up: methods with a negative gradient on own samples, less those without on own
    samples (<reward>_likelihood) and less those with one on the start's (<reward>_fixed).
"""

from pathlib import Path

import numpy as np

from scripts.lib.claims import Claim
from scripts.lib.ids import seed_of
from scripts.studies.files import read_repeats
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import Trained, resampled_means
from studies.mode_seeking.bandit.layout import STUDY
from studies.mode_seeking.config import Language
from studies.mode_seeking.judging import Told, claims_of
from studies.mode_seeking.layout import Row

MINIMUM = 5.0
"""Points: the smallest effect that counts."""


class Values:
    """Means of rows on their rewards' true suites, (1 + 2 replicates,): as measured, as drawn, as repeated."""

    def __init__(self, spec: Language, rows: list[Row], evaluations: Path) -> None:
        self.first = [row for row in rows if row.reward == rows[0].reward]
        by_reward = []
        for reward in spec.rewards:
            own = [row for row in rows if row.reward == reward.name]
            by_reward.append(np.stack([read_repeats(evaluations, row.runs, reward.true_suite, draws=1) for row in own]))
        kinds = [Trained("prompts", row.source) for row in self.first]
        drawn = resampled_means(by_reward, kinds, np.random.default_rng(seed_of(STUDY, "language")))
        measured = np.stack([each.mean(axis=(1, 2, 3)) for each in by_reward], axis=1)
        self.means = np.concatenate([measured[None], drawn])
        self.rewards = [each.name for each in spec.rewards]

    def of(self, reward: str, source: str, negative: bool | None = None, also: str | None = None) -> np.ndarray:
        """The mean over methods with a source; also: of those that have this other source too."""
        others = {row.method for row in self.first if row.source == also}
        places = [
            at
            for at, row in enumerate(self.first)
            if row.source == source and negative in (None, row.negative) and (also is None or row.method in others)
        ]
        return self.means[:, places, self.rewards.index(reward)].mean(axis=1)

    def has(self, source: str, negative: bool) -> bool:
        return any(row.source == source and row.negative == negative for row in self.first)


def differences(values: Values) -> dict[str, dict[str, np.ndarray]]:
    """Claim -> part -> the statistic, (1 + 2 replicates,), in points; without those that no method speaks of."""
    rewards, found = values.rewards, {}
    both = {row.method for row in values.first if row.source == "own"}
    if any(row.method in both for row in values.first if row.source == "fixed"):
        gains = {at: values.of(at, "own", also="fixed") - values.of(at, "fixed", also="own") for at in rewards}
        found["language_on_policy"] = gains
        if len(rewards) > 1:
            found["language_far"] = {"": gains[rewards[0]] - gains[rewards[-1]]}
    if values.has("fixed", True) and values.has("fixed", False):
        found["language_negative"] = {
            at: values.of(at, "fixed", True) - values.of(at, "fixed", False) for at in rewards
        }
    if values.has("own", True) and values.has("own", False) and values.has("fixed", True):
        found["language_complementary"] = {
            f"{at}_{name}": values.of(at, "own", True) - values.of(at, *other)
            for at in rewards
            for name, other in (("likelihood", ("own", False)), ("fixed", ("fixed", True)))
        }
    return found


TOLD = {
    "language_on_policy": Told(
        "Language models: own samples over the start's",
        "Language models: own samples give more reward than the start's",
        MINIMUM,
    ),
    "language_far": Told(
        "Language models: own samples where the optimum is far",
        "Language models: own samples help most where the optimum is far",
        MINIMUM,
    ),
    "language_negative": Told(
        "Language models: a negative gradient over maximum likelihood, on the start's samples",
        "Language models: on the start's samples a negative gradient gives more reward than maximum likelihood",
        MINIMUM,
    ),
    "language_complementary": Told(
        "Language models: own samples and a negative gradient together, over either",
        "Language models: own samples and a negative gradient together give more reward than either",
        MINIMUM,
    ),
}


def claims(spec: Language, rows: list[Row], evaluations: Path) -> list[Claim]:
    """All claims that methods of the configuration speak of, each with its parts."""
    found = []
    for name, parts in differences(Values(spec, rows, evaluations)).items():
        estimates = {part: Estimate.of(values) for part, values in parts.items()}
        found += claims_of(name, TOLD[name], estimates, seeds=len(spec.seeds), draws=1)
    return found
