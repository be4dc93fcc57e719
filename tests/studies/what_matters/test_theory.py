"""Section 4 of "What Matters in Data for DPO?" on tabular policies: each statement, and faults to be detected."""

import math

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from studies.what_matters.figures import figure1
from studies.what_matters.theory import check, online, picture, tabular
from studies.what_matters.theory.claims import COLUMNS, INSTANCES, Row, read_theory, theory_claims
from studies.what_matters.theory.instances import EXACT, OPTIMISED, SUPPORTED, Draws, order

SEEDS = st.integers(0, 10_000)
BETA = st.sampled_from([0.05, 0.1, 0.3, 1.0, 2.0])
PROVED = {
    check.UNSUPPORTED,
    check.SIGN,
    check.MINIMISER,
    check.REWARDED,
    check.REWARD,
    online.EXPANSION,
}
MISSTATED = {check.UNSUPPORTED_STATED, check.SIGN_STATED, check.LABELLED, online.STATED, check.RULE}
few = settings(max_examples=15)


def instance(seed, *shapes):
    """Distributions of one instance, float64."""
    generator = torch.Generator().manual_seed(seed)
    return [tabular.normalised(torch.randn(n, generator=generator, dtype=torch.float64)) for n in shapes]


def proposed(seed):
    """(reference, policy, proposals, preferences) of INSTANCES instances."""
    draws = Draws("test", seed)
    return draws.policy(), draws.policy(), draws.proposals(), draws.preferences()


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
@given(SEEDS, BETA)
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
    assert torch.equal(Draws("test", 1).policy(), Draws("test", 1).policy())
    assert not torch.equal(Draws("test", 1).policy(), Draws("other", 1).policy())


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_order_is_the_exponent(power):
    assert order([0.4, 0.2, 0.1], lambda size: torch.tensor([2.0, -3.0]) * size**power) == pytest.approx(power)


def test_the_optimiser_says_when_there_is_no_minimum():
    """One pair, always labelled the same way: the loss decreases forever."""
    pairs = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    start = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ArithmeticError, match="no stationary point"):
        tabular.minimise(lambda f: tabular.dpo_loss(f, start, pairs, 0.01), start)


# Theorem 4.1 and Proposition 4.2


@few
@given(SEEDS, BETA)
def test_the_derivative_is_that_of_equation_16(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f, pairs = policy - reference, tabular.labelled(proposals, preferences)
    g = tabular.derivative(f, pairs, beta)
    assert torch.allclose(g, tabular.derivative_by_hand(f, proposals, preferences, beta), rtol=0, atol=1e-14)
    numeric = differences(lambda at: tabular.dpo_loss(at, torch.zeros_like(at), pairs[0], beta), f[0])
    assert torch.allclose(g[0], numeric, rtol=0, atol=1e-8)
    swapped = tabular.derivative_by_hand(f, proposals, preferences.mT, beta)
    assert check.largest(g - swapped) > 1e3 * EXACT


@few
@given(SEEDS, BETA, st.floats(0.01, 10.0))
def test_unsupported_responses_move_with_the_normaliser_alone(seed, beta, size):
    reference, policy, proposals, preferences = proposed(seed)
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, preferences), beta)
    moved = tabular.normalised(policy - size * g) - policy
    assert not g[:, SUPPORTED:].any()
    between = moved[:, SUPPORTED:] - moved[:, SUPPORTED : SUPPORTED + 1]
    assert check.largest(between) < 1e-12
    assert check.largest(moved[:, SUPPORTED:]) > 1e3 * EXACT


@few
@given(SEEDS, BETA)
def test_a_step_on_logits_is_the_step_of_the_proof(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    pairs = tabular.labelled(proposals, preferences)
    on_logits = tabular.gradient(lambda x: tabular.dpo_loss(tabular.normalised(x), reference, pairs, beta), policy)
    assert torch.allclose(on_logits, tabular.derivative(policy - reference, pairs, beta), rtol=0, atol=1e-15)


@few
@given(SEEDS, BETA)
def test_a_step_follows_the_sign_of_the_difference(seed, beta):
    reference, policy, proposals, preferences = proposed(seed)
    f = policy - reference
    g = tabular.derivative(f, tabular.labelled(proposals, preferences), beta)[:, :SUPPORTED]
    difference = tabular.underestimates(f, proposals, preferences, beta)
    assert (-g.sign() == difference[:, :SUPPORTED].sign()).all()
    assert difference[:, SUPPORTED:].isnan().all()


def test_data_that_the_policy_explains_moves_nothing():
    reference, policy, proposals, _ = proposed(2)
    explained = tabular.bradley_terry(0.1 * (policy - reference))
    g = tabular.derivative(policy - reference, tabular.labelled(proposals, explained), 0.1)
    assert check.largest(g) < 1e-15


# Theorem 4.3, equation 5, Proposition 4.4


@few
@given(SEEDS, BETA)
def test_the_minimiser_is_the_tilted_reference(seed, beta):
    chosen, rejected, reference, start = instance(seed, 6, 6, 6, 6)
    best = check.found(tabular.dpo_loss, start, reference, tabular.independent(chosen, rejected), beta)
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
    rows = [row for row in check.minimisers(0) if row.statement == check.MINIMISER and "beta 0.3" in row.quantity]
    assert len(rows) == 2
    for row in rows:
        assert row.excess > 1e3, row


@few
@given(SEEDS, BETA)
def test_under_labels_the_minimiser_is_that_of_the_reward(seed, beta):
    rewards, reference, proposal = instance(seed, 6, 6, 6)
    pairs = tabular.labelled(tabular.independent(proposal, proposal), tabular.bradley_terry(rewards))
    best = check.found(tabular.dpo_loss, reference, reference, pairs, beta)
    assert float(tabular.total_variation(best, tabular.rewarded(rewards, reference, beta))) < OPTIMISED


@few
@given(SEEDS, BETA)
def test_equations_8_and_9_are_one_and_have_the_same_minimiser(seed, beta):
    chosen, rejected, reference, policy = instance(seed, 5, 5, 5, 5)
    given = (chosen, rejected, reference, beta)
    reward, divergences = tabular.as_reward(policy, *given), tabular.as_divergences(policy, *given)
    by_hand = sum(
        math.exp(p) * (q - w + beta * (p - r))
        for p, w, q, r in zip(*(each.tolist() for each in (policy, chosen, rejected, reference)), strict=True)
    )
    assert float(reward) == pytest.approx(by_hand, abs=1e-12) == pytest.approx(float(divergences), abs=1e-12)
    best = check.found(tabular.as_reward, reference, *given)
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
    near = online.at_random(0, 1.0)
    assert order([0.2, 0.1, 0.05], near.remainder) == pytest.approx(4.0, abs=0.1)
    setattr(near, part, factor * getattr(near, part))
    assert order([0.2, 0.1, 0.05], near.remainder) < 2.5


def test_epsilon_is_negative_on_the_way_from_the_reference_to_the_chosen():
    """Along pi_ref^(1-t) pi*^t the mean of f is larger under the chosen than under the policy, for t below one."""
    draws = Draws("way", 0)
    chosen, reference = draws.policy(), draws.policy()
    for t in (0.1, 0.5, 0.9):
        policy = tabular.normalised((1 - t) * reference + t * chosen)
        relative = policy - reference
        assert (((policy.exp() - chosen.exp()) * relative).sum(dim=-1) < 0).all()
        assert (online.Online(policy, chosen, reference).epsilon(0.1) < 0).all()


# The rows and their claims


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_proved_holds_and_what_is_misstated_does_not(seed):
    rows = check.theory(seed)
    verdicts = {statement: all(r.holds for r in rows if r.statement == statement) for statement in PROVED | MISSTATED}
    assert {statement for statement, holds in verdicts.items() if holds} == PROVED
    assert all(math.isfinite(row.measured) and row.tolerance > 0 for row in rows)
    assert len({(row.statement, row.quantity) for row in rows}) == len(rows)
    assert len({claim.claim for claim in theory_claims(rows)}) == len({row.statement for row in rows})


def make(folder, monkeypatch):
    paths = folder / "theory.csv", folder / "figure1.csv"
    monkeypatch.setattr("sys.argv", ["step", "--seed", "0", "--picture", str(paths[1]), "--out", str(paths[0])])
    check.main()
    return paths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return make(tmp_path_factory.mktemp("theory"), patch)


def test_the_step_writes_its_rows_bit_for_bit(made, tmp_path, monkeypatch):
    assert [path.read_bytes() for path in make(tmp_path, monkeypatch)] == [path.read_bytes() for path in made]
    read, computed = read_theory(made[0]), check.theory(0)
    assert [row.quantity for row in read] == [row.quantity for row in computed]
    assert [row.measured for row in read] == pytest.approx([row.measured for row in computed], abs=1e-12)
    assert [row.holds for row in read] == [row.holds for row in computed]


def test_a_claim_holds_if_all_its_rows_do():
    rows = [
        Row("Theorem 1, as stated: a is b", "x", 1.0, 1.5, 0.5),
        Row("Theorem 1, as stated: a is b", "y", 0.0, 2e-9, 1e-9),
        Row("Theorem 2: c", "z", 0.0, -0.5, 0.5),
    ]
    first, second = theory_claims(rows)
    assert (first.claim, first.verdict, first.published, first.measured) == (
        "theory.theorem_1_as_stated",
        "fails",
        0.0,
        2e-9,
    )
    assert first.statement == "Theorem 1, as stated: a is b (y)"
    assert (second.verdict, second.ci_low, second.ci_high, second.n_seeds) == ("holds", -0.5, -0.5, INSTANCES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("statement,quantity\na,b\n", "has the columns"),
        (",".join(COLUMNS) + "\na: b,c,0.0,x,0.1\n", "line 2"),
        (",".join(COLUMNS) + "\na: b,c,0.0,,0.1\n", "a blank"),
        (",".join(COLUMNS) + "\na: b,c,0.0,1.0,0.0\n", "not positive"),
        ("", "not readable"),
    ],
)
def test_broken_rows_are_refused(tmp_path, text, problem):
    path = tmp_path / "theory.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=problem) as error:
        read_theory(path)
    assert "theory.csv" in str(error.value)


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
        best = check.found(tabular.dpo_loss, logs["reference"], logs["reference"], pairs, 1.0)
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
