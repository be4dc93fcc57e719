"""The toy model: its setting, that instances share nothing, its gradients, and the rules that read its curves."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.objectives import OBJECTIVES, PairLogps
from studies.three_d.config import Optimiser, Toy
from studies.three_d.toy import findings, grid, policy, setting, tables, training

SPEC = Toy(
    seeds=[0, 3],
    epochs=12,
    objectives=["dpo", "slic"],
    widths=[32],
    optimisers=[Optimiser(optimiser="adam", learning_rate=0.01)],
    rejected=["listed", "batch"],
)


@pytest.fixture(scope="module")
def small() -> grid.Grid:
    return grid.Grid(SPEC, 32)


@pytest.mark.parametrize("scenario", setting.SCENARIOS)
def test_initial_likelihoods_are_the_paper_s(scenario: int) -> None:
    label = setting.label(scenario)
    chosen, rejected = setting.SCENARIOS[scenario]
    assert label.sum().item() == pytest.approx(1) and (label > 0).all()
    assert label[:8].tolist() == pytest.approx([chosen] * 4 + [rejected] * 4)
    assert label[8] == label[9]


@given(st.sampled_from(setting.REJECTED), st.integers(0, 10))
def test_rejected_are_candidates_and_never_the_chosen(rejected: str, seed: int) -> None:
    may, drawn = setting.candidates(rejected), setting.drawn(rejected, seed, 60)
    assert drawn.shape == (60, setting.PROMPTS) and not may.diagonal().any() and not may[:, setting.UNSEEN].any()
    for prompt in range(setting.PROMPTS):
        assert set(drawn[:, prompt].tolist()) == set(may[prompt].nonzero()[:, 0].tolist())  # 60 draws of at most four
    assert torch.equal(drawn, setting.drawn(rejected, seed, 60))


def test_a_network_by_hand() -> None:
    weights = policy.initial(5, [7, 8])
    first, first_bias, second, second_bias, third, third_bias = (each[1] for each in weights)
    x = torch.eye(setting.PROMPTS)
    hidden = torch.relu(torch.relu(x @ first + first_bias) @ second + second_bias)
    expected = torch.log_softmax(hidden @ third + third_bias, dim=-1)
    torch.testing.assert_close(policy.log_likelihoods(weights)[1], expected)
    assert all(each.abs().max() <= 1 / 4**0.5 for each in weights)


def test_policies_begin_at_their_labels(small: grid.Grid) -> None:
    before = small.before()
    assert before.shape == (2, 4, 2, 4, 10)
    labels = torch.stack([setting.label(scenario) for scenario in setting.SCENARIOS])
    assert (before - labels[None, :, None, None]).abs().max() <= policy.FIT_TOLERANCE


def test_a_run_is_the_same_alone_and_among_others(small: grid.Grid) -> None:
    """Scenario 3, seed 3, the second reading, under the second objective."""
    curves, after = small.trained(SPEC.optimisers[0])
    place = (1, 1, 2, 1)
    at = (place[1] * 4 + place[2]) * 2 + place[3]
    records, alone = training.train(
        [each[at : at + 1] for each in small.weights],
        ["slic"],
        small.rejected[at : at + 1],
        small.may_be_rejected[at : at + 1],
        "adam",
        0.01,
    )
    torch.testing.assert_close(after[place], alone[0, 0], rtol=1e-4, atol=1e-6)
    for column, name in enumerate(training.RECORDED):
        torch.testing.assert_close(curves[name][:, *place], records[:, column, 0, 0], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(after.sum(dim=-1), torch.ones_like(after[..., 0]))


@settings(deadline=None)
@given(st.sampled_from(sorted(OBJECTIVES)), st.integers(0, 1000))
def test_gradients_are_those_of_the_mean_loss_by_finite_differences(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    sides, reference = (
        tuple(-3 * torch.rand(2, 1, 1, 4, generator=generator, dtype=torch.float64) - 0.1) for _ in range(2)
    )
    found = training.gradients([name], sides, tuple(each[0] for each in reference))
    ones = torch.ones(4, dtype=torch.float64)
    loss = partial(_loss, name, reference, ones)
    for side in range(2):
        for prompt in range(4):
            step = torch.zeros(1, 1, 4, dtype=torch.float64)
            step[..., prompt] = 1e-6
            up, down = ([*sides], [*sides])
            up[side], down[side] = sides[side] + step, sides[side] - step
            slope = (loss(up) - loss(down)) / 2e-6
            assert found[side][0, 0, prompt].item() == pytest.approx(slope, rel=1e-4, abs=1e-4)


def _loss(name, reference, ones, sides) -> float:
    flat = [each.flatten() for each in (*sides, *reference)]
    return OBJECTIVES[name](PairLogps(*flat, ones, ones)).sum().item()


def test_what_is_recorded_by_hand() -> None:
    logps = torch.log_softmax(torch.arange(80.0, dtype=torch.float64).view(2, 4, 10) % 7, dim=-1)
    rejected = torch.tensor([[4, 5, 6, 7], [7, 6, 5, 4]])
    sides = tuple(each[None] for each in training.of_pairs(logps, rejected[..., None]))
    slopes = (torch.full_like(sides[0], -0.05), torch.full_like(sides[1], 0.02))
    mask = setting.candidates("listed").repeat(2, 1, 1)
    found = dict(zip(training.RECORDED, training.recorded(logps, sides, slopes, mask), strict=True))
    p = logps.exp()
    for i in range(2):
        chosen = [p[i, x, x].item() for x in range(4)]
        assert found["chosen"][i] == pytest.approx(sum(chosen) / 4) and found["chosen_min"][i] == pytest.approx(
            min(chosen)
        )
        assert found["rejected"][i] == pytest.approx(p[i, :, 4:8].mean().item())
        assert found["rejected_max"][i] == pytest.approx(p[i, :, 4:8].max().item())
        assert found["unseen"][i] == pytest.approx(p[i, :, 8:].sum().item() / 4)
        assert found["unpaired"][i] == pytest.approx(1 - sum(chosen) / 4 - p[i, :, 4:8].sum().item() / 4)
        by_rejected = sum(0.02 / p[i, x, rejected[i, x]].item() for x in range(4)) / 4
        assert 10 ** found["log_gradient_rejected"][i] == pytest.approx(by_rejected)


def test_gradients_stay_finite_where_a_likelihood_is_no_float() -> None:
    logps = torch.full((1, 4, 10), -2.0, dtype=torch.float64)
    logps[..., 4:8] = -1e4
    sides = tuple(each[None] for each in training.of_pairs(logps, torch.full((1, 4, 1), 5)))
    slopes = (torch.full_like(sides[0], -0.1), torch.full_like(sides[1], 0.1))
    found = training.recorded(logps, sides, slopes, setting.candidates("listed")[None])
    assert torch.isfinite(found).all()
    assert found[training.RECORDED.index("log_gradient_rejected")].item() == pytest.approx(
        -1 + 1e4 / 2.302585, rel=1e-6
    )


def curves(**changed) -> findings.Curves:
    """Curves (3 epochs, 1 objective, 1 reading, 4 scenarios, 1 seed), flat unless changed: a list of three numbers."""
    flat = {name: torch.zeros(3, 1, 1, 4, 1, dtype=torch.float64) for name in training.RECORDED}
    for name, of in changed.items():
        flat[name] = flat[name] + torch.tensor(of, dtype=torch.float64)[:, None, None, None, None]
    return flat


@pytest.mark.parametrize(
    ("finding", "shows", "does_not"),
    [
        ("peak", {"chosen": [0.12, 0.55, 0.2]}, {"chosen": [0.12, 0.45, 0.2]}),
        ("rises_and_falls", {"chosen": [0.12, 0.3, 0.2]}, {"chosen": [0.12, 0.3, 0.26]}),
        ("unseen_rise", {"unseen": [0.04, 0.0, 0.1]}, {"unseen": [0.04, 0.5, 0.08]}),
        ("unpaired_rise", {"unpaired": [0.4, 0.4, 0.46]}, {"unpaired": [0.4, 0.9, 0.4]}),
        (
            "rejected_lead",
            {"log_rejected": [-2, -3, -9], "log_chosen": [-2, -1, -1]},
            {"log_rejected": [-2, -3, -3], "log_chosen": [-2, -1, -4]},
        ),
        ("chosen_gradient_fades", {"log_gradient_chosen": [0, 1, -1.5]}, {"log_gradient_chosen": [0, -3, -0.5]}),
        ("rejected_gradient_grows", {"log_gradient_rejected": [0, 0, 2]}, {"log_gradient_rejected": [0, 5, 0.5]}),
    ],
)
def test_findings(finding: str, shows: dict, does_not: dict) -> None:
    assert findings.shown(curves(**shows))[finding].all()
    assert not findings.shown(curves(**does_not))[finding].any()


def test_a_run_that_diverged_shows_nothing_and_is_counted() -> None:
    of = curves(chosen=[0.12, 0.6, 0.1], log_rejected=[-2, -3, -9])
    of["log_chosen"][-1, 0, 0, 1] = torch.nan
    shown, whole = findings.shown(of), findings.finite(of)
    assert whole[0, 0, :, 0].tolist() == [True, False, True, True]
    assert shown["peak"][0, 0, :, 0].tolist() == [True, False, True, True]
    row = findings.summary([shown], [whole], ["dpo"], [1, 2, 3, 4])[0]
    assert (row["n_runs"], row["n_diverged"], row["scenario_1"]) == (4, 1, 100.0)
    (one, two, *_) = tables.toy(of, (["dpo"], ["listed"], [1, 2, 3, 4]), {"width": 8})
    assert (one["n_seeds"], one["n_diverged"], one["chosen_peak"]) == (1, 0, pytest.approx(0.6))
    assert (two["n_seeds"], two["n_diverged"], two["chosen_peak"]) == (0, 1, None)


def test_the_mildest_scenario_is_one_at_most() -> None:
    of = curves(chosen=[0.1, 0.5, 0.3])
    of["chosen"][1, :, :, 2] += 0.1
    of["unseen"][-1, :, :, [0, 1, 3]] += 0.1
    assert findings.shown(of)["mildest"][0, 0, :, 0].tolist() == [False, False, True, False]


def test_tables_of_a_small_grid() -> None:
    made = grid.results(SPEC)
    assert len(made["toy"]) == 2 * 2 * 4 and set(made["toy"][0]) == set(tables.COLUMNS)
    assert len(made["toy_curves"]) == 2 * 4 * 2 and {row["epoch"] for row in made["toy_curves"]} == {0, 10}
    assert len(made["toy_matrices"]) == 4 * 4 * 10
    assert len(made["toy_findings"]) == 2 * len(findings.FINDINGS)
    for row in made["toy"]:
        assert row["chosen_peak"] >= max(row["chosen_start"], row["chosen_end"]) - 1e-12
    after = {row["prompt"]: 0.0 for row in made["toy_matrices"]}
    for row in made["toy_matrices"]:
        after[row["prompt"]] += row["after"] / 4  # four scenarios
    assert after == pytest.approx(dict.fromkeys(range(1, 5), 1.0), abs=1e-5)
