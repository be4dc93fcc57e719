"""The claims on the bandit: what is planted is found, seed by seed, by the minimum effects."""

import numpy as np
import pandas as pd
import pytest

from scripts.studies.statistics.direction import exceeding
from scripts.studies.statistics.units import over_units
from studies.mode_seeking.bandit.layout import CHOSEN, METHODS, RUNS
from studies.mode_seeking.bandit_claims import claims
from tests.studies.mode_seeking.test_bandit import SMALL

SPEC = SMALL.model_copy(update={"seeds": list(range(8)), "learning_rates": [0.01], "unshifted": False})
GAINS = {"own": {"far": 0.3, "near": 0.1}, "negative": 0.2}


def planted(own=GAINS["own"], negative=GAINS["negative"], reuse=0.0, noise=0.01) -> pd.DataFrame:
    """Rewards that rise linearly to 0.2, more with own samples and with a negative gradient; seeds differ by noise."""
    drawn, rows = np.random.default_rng(0), []
    for seed in SPEC.seeds:
        for name, method in METHODS.items():
            for optimum in SPEC.optima:
                for on_policy, times in ((False, SPEC.offline_reuse), *((True, each) for each in SPEC.reuse)):
                    final = 0.2 + (own[optimum] + reuse * (times > 1)) * on_policy + negative * method.negative
                    final += noise * drawn.standard_normal()
                    for step in range(0, SPEC.steps + 1, SPEC.evaluated_every):
                        values = [name, optimum, on_policy, times, True, 0.01, seed, step, 0, final * step / SPEC.steps]
                        rows.append(dict(zip(RUNS, values, strict=True)))
    return pd.DataFrame(rows)


def pairs(different: float, alike: float) -> pd.DataFrame:
    drawn = np.random.default_rng(1)
    return pd.DataFrame(
        [
            dict(zip(CHOSEN, [count, seed, SPEC.steps, rise + 0.1 * drawn.standard_normal(), -3.0], strict=True))
            for count, rise in ((1, alike), (2, 0.0), (9, different))
            for seed in SPEC.seeds
        ]
    )


@pytest.fixture(scope="module")
def spec():
    return SPEC.model_copy(update={"differ": [1, 2, 9], "length": 9})


def verdicts(spec, runs, of_pairs) -> dict[str, str]:
    return {each.claim: each.verdict for each in claims(spec, runs, of_pairs)}


def test_what_is_planted_is_found_with_its_size(spec) -> None:
    found = {each.claim: each for each in claims(spec, planted(), pairs(2.0, -1.0))}
    expected = {
        "on_policy": 10,
        "on_policy.far": 30,
        "on_policy_far": 20,
        "negative_gradient.near": 20,
        "complementary.far_likelihood": 20,
        "complementary.near_fixed": 10,
        "faster.far": 0.75 * (2 / 3 * 30 + 2 / 3 * 20),  # measured after half of the steps and all of them
        "reuse_cost.far": 0,
        "reuse_gain.far": (20 + 30 + 20 * 5 / 8) / 2,  # half as many steps without reuse
        "chosen.different": 2.0,
        "chosen.alike": 1.0,
    }
    for name, value in expected.items():
        each = found[name]
        assert each.measured == pytest.approx(value, abs=0.1 if name.startswith("chosen") else 1.0)
        assert each.ci_low < each.measured < each.ci_high
        assert each.verdict == "holds"
        assert (each.n_draws, each.n_seeds) == (8, 1) and "for this draw" not in each.finding
    assert {each.verdict for each in found.values()} == {"holds"}
    assert found["on_policy.far"].finding.startswith("Own samples give more reward than the reference's (far): +30.")


def test_effects_below_the_minimum_fail_and_those_near_it_are_undecided(spec) -> None:
    none = verdicts(spec, planted({"far": 0.0, "near": 0.0}, 0.0, reuse=-0.2), pairs(0.0, 0.0))
    fails = {"on_policy", "on_policy_far", "negative_gradient", "complementary", "faster", "reuse_cost", "chosen"}
    assert {name for name, verdict in none.items() if verdict != "holds"} >= fails
    assert all(none[name] == "fails" for name in fails)
    near = verdicts(spec, planted({"far": 0.05, "near": 0.05}), pairs(0.5, -0.5))
    assert near["on_policy.far"] == near["chosen.alike"] == "undecided"


def test_one_optimum_has_no_parts_and_one_seed_no_verdict(spec) -> None:
    alone = spec.model_copy(update={"optima": {"far": 70.0}, "seeds": [3]})
    found = claims(alone, planted().query("optimum == 'far' and seed == 3"), pairs(2.0, -1.0).query("seed == 3"))
    names = [each.claim for each in found]
    assert "on_policy" in names and "on_policy.far" not in names and "on_policy_far" not in names
    assert {each.verdict for each in found} == {"undecided"}


def test_intervals_over_units_are_student_s_and_cover() -> None:
    """Of 2,000 studies with eight units: coverage of the mean, and of a minimum effect exactly met."""
    drawn = np.random.default_rng(7)
    values = 3.0 + drawn.standard_normal((2000, 8)) * 2.0
    estimates = over_units(values, drawn)
    covered = np.mean([each.low() < 3.0 < each.high() for each in estimates])
    assert 0.935 < covered < 0.965
    held = np.mean([exceeding([each], 3.0).verdict == "holds" for each in estimates])
    assert 0.015 < held < 0.036
    one = exceeding(estimates[:1], 1.0)
    assert one.value == pytest.approx(values[0].mean()) and one.smallest > 1.0
