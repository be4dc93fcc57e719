"""Section 4 of "What Matters in Data for DPO?" on tabular policies: each statement, and faults to be detected."""

import itertools
import math

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.studies.theorems import Statement, by_statement, read_theory, verdict_of
from studies.what_matters.figures import figure1
from studies.what_matters.theory import (
    check,
    gradient_step,
    insights,
    minimiser,
    online,
    online_training,
    picture,
    tabular,
)
from studies.what_matters.theory.claims import slug
from studies.what_matters.theory.instances import EXACT, OPTIMISED, RESPONSES, SEEDS, SUPPORTED, Draws, order

INSTANCES = 20
SEED = st.integers(0, 10_000)
BETA = st.sampled_from([0.05, 0.1, 0.3, 1.0, 2.0])
VERDICTS = {
    gradient_step.UNSUPPORTED: "holds",
    gradient_step.UNSUPPORTED_STATED: "fails",
    gradient_step.SHARED: "beyond",
    gradient_step.SIGN: "holds",
    gradient_step.SIGN_STATED: "fails",
    minimiser.MINIMISER: "holds",
    minimiser.REWARD: "holds",
    minimiser.FROM_REFERENCE: "holds",
    minimiser.REWARDED: "holds",
    minimiser.ALIGNED: "holds",
    minimiser.LABELLED: "beyond",
    insights.OVERLAP: "holds",
    insights.RULE: "beyond",
    insights.CEILING: "beyond",
    online.EXPANSION: "holds",
    online.ONE_CHOSEN: "holds",
    online.STATED: "fails",
    online.NEAR: "holds",
    online.DROPPED: "beyond",
    online.FAR: "beyond",
    online_training.SIGN: "holds",
    online_training.TRAINED: "fails",
    online_training.WEIGHT: "holds",
    online_training.STANDSTILL: "holds",
}
"""The paper's statements in the order of the page, and their verdicts at every seed."""
few = settings(max_examples=15)


def instance(seed, *shapes):
    """Distributions of one instance, float64."""
    generator = torch.Generator().manual_seed(seed)
    return [tabular.normalised(torch.randn(n, generator=generator, dtype=torch.float64)) for n in shapes]


def proposed(seed):
    """(reference, policy, proposals, preferences) of INSTANCES instances of one seed."""
    draws = Draws("test", [seed], INSTANCES)
    return [each[0] for each in (draws.policy(), draws.policy(), draws.proposals(), draws.preferences())]


def brute_force_loss(policy, reference, pairs, beta):
    """Equation 4, literally, over all pairs of one instance."""
    total = 0.0
    for w in range(len(policy)):
        for l in range(len(policy)):  # noqa: E741
            margin = (policy[w] - reference[w]) - (policy[l] - reference[l])
            total -= pairs[w][l] * math.log(1 / (1 + math.exp(-beta * margin)))
    return total


def differences(function, at, step=1e-6):
    """The gradient (n,) of a function of one instance, by central differences."""
    unit = torch.eye(len(at), dtype=at.dtype) * step
    return torch.stack([(function(at + each) - function(at - each)) / (2 * step) for each in unit])


# The implementation


@few
@given(SEED, BETA)
def test_the_loss_is_that_of_every_pair_weighed(seed, beta):
    policy, reference, joint = instance(seed, 4, 4, 16)
    pairs = joint.exp().view(4, 4)
    expected = brute_force_loss(policy.tolist(), reference.tolist(), pairs.tolist(), beta)
    assert float(tabular.dpo_loss(policy, reference, pairs, beta)) == pytest.approx(expected, rel=1e-12)


def test_instances_do_not_mix():
    reference, policy, proposals, preferences = proposed(0)
    pairs = tabular.labelled(proposals, preferences)
    together = tabular.dpo_loss(policy, reference, pairs, 0.1)
    alone = [tabular.dpo_loss(policy[i], reference[i], pairs[i], 0.1) for i in range(INSTANCES)]
    assert torch.allclose(together, torch.stack(alone), rtol=0, atol=1e-15)
    slope, hessian = tabular.curvature(lambda f: tabular.dpo_loss(f, reference, pairs, 0.1), policy)
    one = torch.autograd.functional.hessian(lambda f: tabular.dpo_loss(f, reference[3], pairs[3], 0.1), policy[3])
    assert torch.allclose(hessian[3], one, rtol=0, atol=1e-14)
    assert torch.allclose(slope, tabular.derivative(policy - reference, pairs, 0.1), rtol=0, atol=1e-15)


def test_draws_are_what_they_say():
    proposals, preferences = proposed(1)[2:]
    assert torch.equal(proposals, proposals.mT) and torch.allclose(proposals.sum(dim=(1, 2)), torch.ones(1).double())
    assert not proposals[:, SUPPORTED:].any() and (proposals.sum(dim=-1)[:, :SUPPORTED] > 0).all()
    assert torch.allclose(preferences + preferences.mT, torch.ones(1).double())
    assert torch.allclose(tabular.labelled(proposals, preferences).sum(dim=(1, 2)), torch.ones(1).double())


def test_a_seed_has_its_own_instances_whatever_the_others_are():
    both, alone = Draws("test", [3, 1]).policy(), Draws("test", [1]).policy()
    assert torch.equal(both[1], alone[0]) and not torch.equal(both[0], both[1])
    assert not torch.equal(alone, Draws("other", [1]).policy())
    assert both.shape[0] == 2 and torch.allclose(both.exp().sum(dim=-1), torch.ones(1).double())


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_order_is_the_exponent(power):
    """Seed by seed."""
    error = torch.tensor([[2.0, -3.0], [5.0, 0.0]])
    found = order([0.4, 0.2, 0.1], lambda size: error * torch.tensor([[size**power], [size]]))
    assert found.tolist() == pytest.approx([power, 1])


def test_the_optimiser_says_when_there_is_no_minimum():
    """One pair, always labelled the same way: the loss decreases forever."""
    pairs = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    start = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ArithmeticError, match="no stationary point"):
        tabular.minimise(lambda f: tabular.dpo_loss(f, start, pairs, 0.01), start)


# Theorem 4.1 and Proposition 4.2


@few
@given(SEED, BETA)
def test_the_derivative_is_that_of_equation_16(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f, pairs = policy - reference, tabular.labelled(proposals, preferences)
    g = tabular.derivative(f, pairs, beta)
    assert torch.allclose(g, tabular.derivative_by_hand(f, proposals, preferences, beta), rtol=0, atol=1e-14)
    numeric = differences(lambda at: tabular.dpo_loss(at, torch.zeros_like(at), pairs[0], beta), f[0])
    assert torch.allclose(g[0], numeric, rtol=0, atol=1e-8)
    swapped = tabular.derivative_by_hand(f, proposals, preferences.mT, beta)
    assert (g - swapped).abs().max() > 1e3 * EXACT


@few
@given(SEED, BETA, st.floats(0.01, 10.0))
def test_unsupported_responses_move_with_the_normaliser_alone(seed, beta, size):
    reference, policy, proposals, preferences = proposed(seed)
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, preferences), beta)
    moved = tabular.normalised(policy - size * g) - policy
    assert not g[:, SUPPORTED:].any()
    between = moved[:, SUPPORTED:] - moved[:, SUPPORTED : SUPPORTED + 1]
    assert between.abs().max() < 1e-12
    assert moved[:, SUPPORTED:].abs().max() > 1e3 * EXACT


@few
@given(SEED, BETA)
def test_a_step_on_logits_is_the_step_of_the_proof(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    pairs = tabular.labelled(proposals, preferences)
    on_logits = tabular.gradient(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, pairs, beta), policy)
    assert torch.allclose(on_logits, tabular.derivative(policy - reference, pairs, beta), rtol=0, atol=1e-15)


@few
@given(SEED, BETA)
def test_a_step_follows_the_sign_of_the_difference(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f = policy - reference
    g = tabular.derivative(f, tabular.labelled(proposals, preferences), beta)[:, :SUPPORTED]
    difference = tabular.underestimates(f, proposals, preferences, beta)
    assert (-g.sign() == difference[:, :SUPPORTED].sign()).all()
    assert difference[:, SUPPORTED:].isnan().all()


@few
@given(SEED)
def test_a_step_on_shared_features_moves_unsupported_logits(seed):
    reference, _, proposals, preferences = proposed(seed)
    features = torch.randn(INSTANCES, RESPONSES, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    pairs, weights = tabular.labelled(proposals, preferences), torch.ones(INSTANCES, 4, dtype=torch.float64)

    def loss(logits):
        return tabular.dpo_loss(tabular.normalised(logits), reference, pairs, 0.1)

    def logits(weights):
        return (features @ weights[..., None])[..., 0]

    moved = logits(tabular.gradient(lambda w: loss(logits(w)), weights))
    expected = gradient_step.through(features, tabular.gradient(loss, logits(weights)))
    assert torch.allclose(moved, expected, rtol=0, atol=1e-14)
    assert (moved[:, SUPPORTED:].abs() > EXACT).all()


def test_data_that_the_policy_explains_moves_nothing():
    reference, policy, proposals, _ = proposed(2)
    explained = tabular.bradley_terry(0.1 * (policy - reference))
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, explained), 0.1)
    assert g.abs().max() < 1e-15


# Theorem 4.3, equation 5, Proposition 4.4


@few
@given(SEED, BETA)
def test_the_minimiser_is_the_tilted_reference(seed, beta):
    chosen, rejected, reference, start = instance(seed, 6, 6, 6, 6)
    best = tabular.found(tabular.dpo_loss, start, reference, tabular.independent(chosen, rejected), beta)
    assert float(tabular.total_variation(best, tabular.tilted(chosen, rejected, reference, beta))) < OPTIMISED


WRONG = {
    "beta for 1 / beta": lambda chosen, rejected, reference, beta: (chosen - rejected) * beta + reference,
    "chosen and rejected swapped": lambda chosen, rejected, reference, beta: (rejected - chosen) / beta + reference,
    "no reference": lambda chosen, rejected, reference, beta: (chosen - rejected) / beta,
    "the reference to 1 / beta too": lambda chosen, rejected, reference, beta: (chosen - rejected + reference) / beta,
    "the chosen alone": lambda chosen, rejected, reference, beta: chosen / beta + reference,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_minimiser_is_seen_by_both_quantities(wrong, monkeypatch):
    monkeypatch.setattr(tabular, "tilted", lambda *given: tabular.normalised(WRONG[wrong](*given)))
    rows = by_statement(minimiser.minimisers([0, 1]))[minimiser.MINIMISER.says]
    rows = [row for row in rows if "beta 0.3" in row.quantity]
    assert len(rows) == 2
    for row in rows:
        assert row.verdict == "fails" and row.smallest > 1e3 * row.tolerance, row


@few
@given(SEED, BETA)
def test_under_labels_the_minimiser_is_that_of_the_reward(seed, beta):
    rewards, reference, proposal = instance(seed, 6, 6, 6)
    pairs = tabular.labelled(tabular.independent(proposal, proposal), tabular.bradley_terry(rewards))
    predicted = tabular.rewarded(rewards, reference, beta)
    for best in (
        tabular.found(tabular.dpo_loss, reference, reference, pairs, beta),
        tabular.found(tabular.regularised, reference, rewards, reference, beta),
    ):
        assert float(tabular.total_variation(best, predicted)) < OPTIMISED


@few
@given(SEED, BETA)
def test_the_reward_objective_is_reward_less_divergence(seed, beta):
    rewards, reference, policy = (each.tolist() for each in instance(seed, 5, 5, 5))
    by_hand = sum(math.exp(p) * (beta * (p - q) - r) for r, q, p in zip(rewards, reference, policy, strict=True))
    given = (torch.tensor(each, dtype=torch.float64) for each in (policy, rewards, reference))
    assert float(tabular.regularised(*given, beta)) == pytest.approx(by_hand, abs=1e-12)


@few
@given(SEED, BETA)
def test_equations_8_and_9_are_one_and_have_the_same_minimiser(seed, beta):
    chosen, rejected, reference, policy = instance(seed, 5, 5, 5, 5)
    given = (chosen, rejected, reference, beta)
    reward, divergences = tabular.as_reward(policy, *given), tabular.as_divergences(policy, *given)
    by_hand = sum(
        math.exp(p) * (q - w + beta * (p - r))
        for p, w, q, r in zip(*(each.tolist() for each in (policy, chosen, rejected, reference)), strict=True)
    )
    assert float(reward) == pytest.approx(by_hand, abs=1e-12) == pytest.approx(float(divergences), abs=1e-12)
    best = tabular.found(tabular.as_reward, reference, *given)
    assert float(tabular.total_variation(best, tabular.tilted(*given))) < OPTIMISED
    swapped = tabular.as_divergences(policy, rejected, chosen, reference, beta)
    assert abs(float(reward - swapped)) > 1e3 * EXACT


# Theorem 4.5


def test_the_online_gradient_holds_the_sampling_still():
    chosen, reference, logits = instance(3, 5, 5, 5)
    found = tabular.online_gradient(logits, chosen, reference, 0.5)
    still = tabular.independent(chosen, tabular.normalised(logits))
    numeric = differences(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, still, 0.5), logits)
    assert torch.allclose(found, numeric, rtol=0, atol=1e-8)

    def through_sampling(x):
        policy = tabular.normalised(x)
        return tabular.dpo_loss(policy, reference, tabular.independent(chosen, policy), 0.5)

    assert (found - differences(through_sampling, logits)).norm() > 1e-3


def test_the_gradients_of_the_expansion():
    chosen, reference, logits = instance(4, 5, 5, 5)
    policy = tabular.normalised(logits)
    scores = torch.eye(5, dtype=torch.float64) - policy.exp()  # row y: grad log pi(y) by the logits
    relative = policy - reference
    middle = torch.zeros(5, dtype=torch.float64)
    for w in range(5):
        for l in range(5):  # noqa: E741
            middle -= chosen[w].exp() * policy[l].exp() * (relative[l] - relative[w]) * scores[w]
    assert torch.allclose(tabular.middle_gradient(logits, chosen, reference), middle, rtol=0, atol=1e-15)
    assert torch.allclose(tabular.sft_gradient(logits, chosen), -chosen.exp() @ scores, rtol=0, atol=1e-15)
    expected = (policy.exp() * relative) @ scores
    assert torch.allclose(tabular.divergence_gradient(logits, reference), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("part", ["middle", "kl"])
@pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5])
def test_a_wrong_term_of_the_expansion_lowers_its_order(part, factor):
    near = online.at_random(Draws("online", [0]), 1.0)
    assert float(order([0.2, 0.1, 0.05], near.remainder)) == pytest.approx(4.0, abs=0.1)
    setattr(near, part, factor * getattr(near, part))
    assert float(order([0.2, 0.1, 0.05], near.remainder)) < 2.5


def test_no_other_number_is_nearer_to_the_middle_term():
    near = online.at_random(Draws("online", [0]), 1.0)

    def left(number):
        return (near.middle * 0.025 - number[..., None] * near.sft).norm(dim=-1)

    best = near.epsilon(0.1)
    assert (left(best) < left(best + 1e-3)).all() and (left(best) < left(best - 1e-3)).all()


def test_a_number_is_all_there_is_to_the_middle_term_for_one_chosen_response_only(monkeypatch):
    assert verdict_of(online.one_chosen([0, 1])) == "holds"
    monkeypatch.setattr(online, "one_hot", lambda which, n: torch.full((*which.shape, n), 1 / n))
    assert verdict_of(online.one_chosen([0, 1])) == "fails"


def test_epsilon_is_negative_on_the_way_from_the_reference_to_the_chosen():
    """Along pi_ref^(1-t) pi*^t the mean of f is larger under the chosen than under the policy, for t below one."""
    draws = Draws("way", [0])
    chosen, reference = draws.policy(), draws.policy()
    for t in (0.1, 0.5, 0.9):
        policy = tabular.normalised((1 - t) * reference + t * chosen)
        relative = policy - reference
        assert (((policy.exp() - chosen.exp()) * relative).sum(dim=-1) < 0).all()
        assert (online.Online(policy, chosen, reference).epsilon(0.1) < 0).all()


@few
@given(SEED, BETA)
def test_online_dpo_stands_still_where_it_is_said_to_and_nowhere_near(seed, beta):
    chosen, reference = instance(seed, 5, 5)
    still = online_training.standstill(chosen, reference, beta)
    assert tabular.online_gradient(still, chosen, reference, beta).norm() < EXACT
    for other in (chosen, tabular.normalised((chosen + 2 * beta * reference) / (1 + 2 * beta))):
        assert tabular.online_gradient(other, chosen, reference, beta).norm() > 1e3 * EXACT


def test_training_ends_where_online_dpo_stands_still():
    chosen, reference = (each[None] for each in instance(5, 5, 5))
    still = online_training.standstill(chosen, reference, 0.1)
    apart = [tabular.total_variation(tabular.normalised(x), still) for x in online_training.trained(chosen, reference)]
    assert apart[0] > apart[1] > apart[2] and apart[2] < 0.02


# What is read from equation 7


@few
@given(SEED)
def test_the_best_and_the_worst_of_four_samples(seed):
    """Over all 81 draws of four among three responses."""
    rewards, policy = instance(seed, 3, 3)
    best, worst = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for drawn in itertools.product(range(3), repeat=insights.CANDIDATES):
        probability = policy[list(drawn)].sum().exp()
        best[max(drawn, key=lambda y: rewards[y])] += probability
        worst[min(drawn, key=lambda y: rewards[y])] += probability
    found = insights.best_and_worst(rewards, policy)
    assert torch.allclose(found[0].exp(), best, atol=1e-14) and torch.allclose(found[1].exp(), worst, atol=1e-14)


# The rows


@pytest.mark.parametrize("seeds", [range(3), range(700, 703)])
def test_the_verdicts_do_not_turn_with_the_seed(seeds):
    rows = check.theory(seeds)
    found = {statement: verdict_of(own) for statement, own in by_statement(rows).items()}
    assert list(found.items()) == [(statement.says, verdict) for statement, verdict in VERDICTS.items()]
    assert all(row.agreeing in (0, row.n_seeds) for row in rows)
    assert len({(row.statement, row.quantity) for row in rows}) == len(rows)
    assert all(math.isfinite(number) for row in rows for number in (row.smallest, row.median, row.largest))


@pytest.mark.slow
def test_at_the_seeds_of_the_page_every_seed_agrees_with_its_row_or_none_does():
    assert len(SEEDS) >= 20
    rows = check.theory(SEEDS)
    assert {s: verdict_of(own) for s, own in by_statement(rows).items()} == {s.says: v for s, v in VERDICTS.items()}
    assert all(row.agreeing in (0, row.n_seeds) and row.n_seeds == len(SEEDS) for row in rows)


def test_a_finding_says_what_stands_or_what_the_paper_does_not_claim():
    for statement, verdict in VERDICTS.items():
        assert isinstance(statement, Statement) and statement.claimed == (verdict != "beyond")
        assert (verdict == "fails") == ("What stands: " in statement.finding), statement.says
        assert (verdict == "beyond") <= statement.finding.startswith("The paper "), statement.says
    assert len({slug(statement.says) for statement in VERDICTS}) == len(VERDICTS)


def make(folder, monkeypatch):
    """The step at two seeds."""
    paths = folder / "theory.csv", folder / "figure1.csv"
    monkeypatch.setattr(check, "SEEDS", range(2))
    monkeypatch.setattr("sys.argv", ["step", "--picture", str(paths[1]), "--out", str(paths[0])])
    check.main()
    return paths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return make(tmp_path_factory.mktemp("theory"), patch)


def test_the_step_writes_its_rows_bit_for_bit(made, tmp_path, monkeypatch):
    assert [path.read_bytes() for path in make(tmp_path, monkeypatch)] == [path.read_bytes() for path in made]
    read, computed = read_theory(made[0]), check.theory(range(2))
    assert [row.quantity for row in read] == [row.quantity for row in computed]
    assert [row.median for row in read] == pytest.approx([row.median for row in computed], abs=1e-12)
    assert [row.verdict for row in read] == [row.verdict for row in computed]


# Figure 1


def test_the_picture_shows_two_rejected_that_agree_wherever_there_are_chosen():
    given = picture.distributions("overlap")
    assert all(float(each.sum()) == pytest.approx(1.0) and (each > 0).all() for each in given.values())
    often = given["chosen"] > 0.05 * given["chosen"].max()
    assert torch.allclose(given["rejected"][often], given["other_rejected"][often], rtol=0.1)
    gap = picture.distributions("gap")
    assert torch.allclose(gap["rejected"][often], gap["other_rejected"][often], rtol=0.1)


def test_the_policies_of_the_picture_are_what_dpo_finds():
    """On every twentieth response of the line, by optimisation, at a beta for which there is a width to find."""
    for scene in picture.SCENES:
        given = {name: each[::20] / each[::20].sum() for name, each in picture.distributions(scene).items()}
        predicted, _ = picture.policies(given, beta=1.0)
        logs = {name: each.log() for name, each in given.items()}
        pairs = tabular.independent(logs["chosen"], logs["rejected"])
        best = tabular.found(tabular.dpo_loss, logs["reference"], logs["reference"], pairs, 1.0)
        assert float(tabular.total_variation(best, predicted)) < OPTIMISED


def test_the_figure_prints_what_the_policies_differ_by(made, tmp_path, monkeypatch):
    scenes = figure1.read_picture(made[1])
    for scene, densities in scenes.items():
        one, other = picture.policies(picture.distributions(scene))
        exact = float(tabular.total_variation(one, other))
        assert figure1.total_variation(densities, "policy", "other_policy") == pytest.approx(exact, abs=1e-4)
    for folder in ("one", "two"):
        out = [str(tmp_path / folder / f"figure1.{kind}") for kind in ("svg", "png")]
        monkeypatch.setattr("sys.argv", ["step", "--table", str(made[1]), "--out", *out])
        figure1.main()
    for kind in ("svg", "png"):
        one, two = (tmp_path / folder / f"figure1.{kind}" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert "the two policies: 0.00" in (tmp_path / "one/figure1.svg").read_text()


def test_another_table_is_no_picture(made, tmp_path):
    table = pd.read_csv(made[1])
    for broken in (table.drop(columns="policy"), table[table["scene"] == "gap"], table.replace(0.0, None)):
        path = tmp_path / "figure1.csv"
        broken.to_csv(path, index=False)
        with pytest.raises(InputError, match="is not Figure 1's densities"):
            figure1.read_picture(path)
