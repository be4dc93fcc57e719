"""The paper's claims on the bandit.

Statistics and minimum effects were fixed on 2026-11-29, after a first look at seeds 0 and 1 (README.md) and before any
other run; those seeds are not judged. A seed draws its own reference, prompts and samples: it is a draw of the
data, and the unit of every interval. Rewards are in points, 100 times the expected reward. "Own": the policy's samples
of every gradient step; "fixed": the reference's, drawn once. Means are over the methods of a kind, each at the learning
rate of its row. Parts are optima, in the configuration's order, where nothing else is said.

on_policy. On-policy sampling helps: reward with own less reward with fixed samples, all methods. Above 5 points.
on_policy_far. Most when the optimum is far: that difference for the first optimum less that for the last. Above 5.
negative_gradient. It helps over maximum likelihood: with fixed samples, methods with one less methods without. Above 5.
complementary. The two add up: methods with a negative gradient on own samples, less those without on own samples
    (<optimum>_likelihood) and less themselves on fixed samples (<optimum>_fixed). Above 5.
faster. Mode-seeking moves mass faster: the mean reward during training, at equal gradient steps, of all that samples
    on-policy or has a negative gradient, less that of maximum likelihood on fixed samples. Above 5.
reuse_cost. Moderate reuse (the least above none) costs little on-policy: final reward with it less that without, all
    methods. Above -5.
reuse_gain. It lets off-policy data be used: at equal numbers of samples, final reward with reuse less that without
    (which has then taken as many times fewer gradient steps), all methods. Above 5.
chosen. A negative gradient raises the chosen only if the rejected differs enough: the change of the chosen's
    log-prob after DPO on fixed pairs: its rise where most tokens differ (different), and its fall where fewest do
    (alike). Both above half a nat.
"""

import numpy as np
import pandas as pd

from scripts.lib.claims import Claim
from scripts.lib.ids import seed_of
from scripts.studies.statistics.units import over_units
from studies.mode_seeking.bandit.layout import METHODS, STUDY
from studies.mode_seeking.bandit.spec import Bandit
from studies.mode_seeking.judging import Told, claims_of
from studies.mode_seeking.tables.found import at_best_rate

MINIMUM, NATS = 5.0, 0.5
"""The smallest effects that count: of rewards in points, of log-probs in nats."""
WITH, WITHOUT = (tuple(name for name, each in METHODS.items() if each.negative == kind) for kind in (True, False))
OWN, FIXED = True, False


class Rewards:
    """Rewards in points, by optimum, method, source of samples and gradient step; one number for each seed."""

    def __init__(self, spec: Bandit, runs: pd.DataFrame) -> None:
        self.spec = spec
        best = at_best_rate(runs[runs["shifted"]])
        key = ["optimum", "method", "on_policy", "reuse", "step"]
        table = best.pivot_table(index=key, columns="seed", values="reward")
        self._values = 100 * table[sorted(spec.seeds)]

    def of(
        self, optimum: str, methods: tuple[str, ...], own: bool, step: int | None = None, reuse: int = 1
    ) -> np.ndarray:
        """The mean over methods (seeds,): after training, or after some gradient steps."""
        reuse, step = reuse if own else self.spec.offline_reuse, self.spec.steps if step is None else step
        return np.mean([self._values.loc[(optimum, name, own, reuse, step)] for name in methods], axis=0)

    def during(self, optimum: str, methods: tuple[str, ...], own: bool) -> np.ndarray:
        """The mean over methods and over the measurements after the start (seeds,)."""
        every = self.spec.evaluated_every
        return np.mean([self.of(optimum, methods, own, at) for at in range(every, self.spec.steps + 1, every)], axis=0)


def differences(spec: Bandit, rewards: Rewards) -> dict[str, dict[str, np.ndarray]]:
    """Claim -> part -> the statistic of every seed, in points."""
    every, optima = tuple(METHODS), list(spec.optima)
    gains = {at: rewards.of(at, every, OWN) - rewards.of(at, every, FIXED) for at in optima}
    found = {"on_policy": gains}
    if len(optima) > 1:
        found["on_policy_far"] = {"": gains[optima[0]] - gains[optima[-1]]}
    found["negative_gradient"] = {at: rewards.of(at, WITH, FIXED) - rewards.of(at, WITHOUT, FIXED) for at in optima}
    found["complementary"] = {
        f"{at}_{name}": rewards.of(at, WITH, OWN) - rewards.of(at, *other)
        for at in optima
        for name, other in (("likelihood", (WITHOUT, OWN)), ("fixed", (WITH, FIXED)))
    }
    seeking = ((WITHOUT, OWN), (WITH, OWN), (WITH, FIXED))
    found["faster"] = {
        at: np.mean([rewards.during(at, *each) for each in seeking], axis=0) - rewards.during(at, WITHOUT, FIXED)
        for at in optima
    }
    if reuse := spec.moderate_reuse:
        reused = {at: rewards.of(at, every, OWN, reuse=reuse) for at in optima}
        found["reuse_cost"] = {at: reused[at] - rewards.of(at, every, OWN) for at in optima}
        found["reuse_gain"] = {at: reused[at] - rewards.of(at, every, OWN, spec.steps // reuse) for at in optima}
    return found


def chosen_moved(spec: Bandit, pairs: pd.DataFrame) -> dict[str, np.ndarray]:
    """The parts of `chosen`, in nats: one number for each seed."""
    last = pairs[pairs["step"] == pairs["step"].max()]
    moved = last.pivot_table(index="different", columns="seed", values="chosen")
    return {
        "different": moved.loc[max(spec.differ)].to_numpy(),
        "alike": -moved.loc[min(spec.differ)].to_numpy(),
    }


TOLD = {
    "on_policy": Told("Own samples over the reference's", "Own samples give more reward than the reference's", MINIMUM),
    "on_policy_far": Told(
        "Own samples where the optimum is far", "Own samples help most where the optimum is far", MINIMUM
    ),
    "negative_gradient": Told(
        "A negative gradient over maximum likelihood, on the reference's samples",
        "On the reference's samples a negative gradient gives more reward than maximum likelihood",
        MINIMUM,
    ),
    "complementary": Told(
        "Own samples and a negative gradient together, over either",
        "Own samples and a negative gradient together give more reward than either",
        MINIMUM,
    ),
    "faster": Told(
        "Mode-seeking over maximum likelihood on the reference's samples, during training",
        "Mode-seeking moves faster than maximum likelihood on the reference's samples",
        MINIMUM,
    ),
    "reuse_cost": Told("Moderate reuse of own samples", "Moderate reuse of own samples costs little", above=-MINIMUM),
    "reuse_gain": Told(
        "Moderate reuse of own samples, per sample",
        "Moderate reuse of own samples gives more reward per sample",
        MINIMUM,
    ),
    "chosen": Told(
        "DPO and the likelihood of the chosen",
        "DPO raises the chosen where the rejected differs, and lowers it where it is like the chosen",
        NATS,
        "nats",
    ),
}


def claims(spec: Bandit, runs: pd.DataFrame, pairs: pd.DataFrame) -> list[Claim]:
    """All claims, each with its parts. A seed is a draw of the data with one run."""
    found = []
    for name, parts in (differences(spec, Rewards(spec, runs)) | {"chosen": chosen_moved(spec, pairs)}).items():
        drawn = np.random.default_rng(seed_of(STUDY, name))
        estimates = dict(zip(parts, over_units(np.stack([*parts.values()]), drawn), strict=True))
        found += claims_of(name, TOLD[name], estimates, seeds=1, draws=len(spec.seeds))
    return found
