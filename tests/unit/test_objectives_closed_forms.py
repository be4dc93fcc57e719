"""Gradients of the objectives with respect to the likelihoods of the two responses, and the papers' closed forms.

The equations are those of "3D-Properties", appendix B, unless another paper is named. As there, the two likelihoods
pi+ and pi- are free coordinates, except in the test on logits.
"""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.lib.objectives import PairLogps, dpo, dpop, flex_dpo, ipo, orpo, sft_dpo, simpo, slic

PROBABILITY = st.floats(1e-12, 1.0)
BETA = st.floats(0.01, 0.99)
WEIGHT = st.floats(0.0, 2.0)
LENGTH = st.integers(1, 200)
ONE = (1.0, 1.0)


def slopes(loss, policy, reference=ONE, lengths=(1, 1)) -> tuple[float, float]:
    """d loss / d pi+ and d loss / d pi-, at ``policy`` = (pi+, pi-)."""
    pi = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in policy]
    pi_0 = [torch.tensor([value], dtype=torch.float64) for value in reference]
    of_length = [torch.tensor([float(length)]) for length in lengths]
    loss(PairLogps(*(each.log() for each in pi), *(each.log() for each in pi_0), *of_length)).sum().backward()
    return pi[0].grad.item(), pi[1].grad.item()


def log_slopes(loss, chosen: float, rejected: float, **more) -> tuple[float, float]:
    """d loss / d log pi+ and d loss / d log pi-, for likelihoods too small for a float; the reference has log 1."""
    logps = [torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (chosen, rejected)]
    zeros = [torch.zeros(1, dtype=torch.float64)] * 2
    lengths = [torch.tensor([float(more.get(name, 1))]) for name in ("chosen_length", "rejected_length")]
    loss(PairLogps(*logps, *zeros, *lengths)).sum().backward()
    return logps[0].grad.item(), logps[1].grad.item()


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def close(value) -> object:
    return pytest.approx(value, rel=1e-7)


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, BETA, BETA)
def test_flex_dpo(plus, minus, plus_0, minus_0, beta_plus, beta_minus) -> None:
    """B.2.1, before the limit; with equal betas, section 3.1."""
    alpha = plus_0**beta_plus / minus_0**beta_minus
    z = minus**beta_minus / plus**beta_plus
    of_plus = alpha / (1 + alpha * z) * -beta_plus * z / plus
    of_minus = alpha / (1 + alpha * z) * beta_minus * z / minus
    found = slopes(lambda logps: flex_dpo(logps, beta_plus, beta_minus), (plus, minus), (plus_0, minus_0))
    assert found == (close(of_plus), close(of_minus))
    assert found[1] / found[0] == close(-(beta_minus / beta_plus) * (plus / minus))


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, BETA)
def test_dpo_is_slower_than_its_limit_by_one_plus_alpha_z(plus, minus, plus_0, minus_0, beta) -> None:
    """Corollaries 1 and 2: the limit of either slope as pi- goes to 0 is 1 + alpha z^beta times the slope."""
    alpha, z = (plus_0 / minus_0) ** beta, minus / plus
    found = slopes(lambda logps: dpo(logps, beta), (plus, minus), (plus_0, minus_0))
    limit = (-alpha * beta * z**beta / plus, alpha * beta * z**beta / minus)
    assert found == tuple(close(each / (1 + alpha * z**beta)) for each in limit)
    assert minus * found[1] == close(-plus * found[0])


@given(st.floats(-60.0, -3.0), st.floats(-2.0, 2.0), BETA)
def test_where_a_smaller_beta_of_the_rejected_dampens_their_slope(below, above, beta) -> None:
    """It does if beta- |u| sigmoid(m) < 1, u = log(pi- / pi-_0), and further down it does the opposite."""
    margin = 0.1 * above - beta * below
    growth = 1 - beta * -below * sigmoid(margin)
    assume(abs(growth) > 1e-3)
    less, more = (
        log_slopes(lambda logps, at=at: flex_dpo(logps, 0.1, at), above, below)[1]
        for at in (beta * (1 - 1e-5), beta * (1 + 1e-5))
    )
    assert (more > less) == (growth > 0)


@pytest.mark.parametrize(("below", "at_a_tenth", "at_008"), [(-10.0, 0.0259, 0.0239), (-20.0, 0.0114, 0.0129)])
def test_a_smaller_beta_of_the_rejected_by_numbers(below, at_a_tenth, at_008) -> None:
    """The paper's betas; pi+ has gone from 0.3 to 0.5."""
    above = math.log(0.5 / 0.3)
    for beta, expected in ((0.1, at_a_tenth), (0.08, at_008)):
        found = log_slopes(lambda logps, beta=beta: flex_dpo(logps, 0.1, beta), above, below)
        assert found[1] == pytest.approx(expected, abs=5e-5)


@given(st.lists(st.floats(-5.0, 5.0), min_size=3, max_size=6), BETA, BETA)
def test_unseen_responses_under_flex_dpo(logits, beta_chosen, beta_rejected) -> None:
    """A softmax over responses, the first chosen, the second rejected: unseen logits move by both betas."""
    free = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    logps, at_reference, ones = torch.log_softmax(free, 0), torch.full((1,), -1.0, dtype=torch.float64), torch.ones(1)
    of_pair = PairLogps(logps[:1], logps[1:2], at_reference, at_reference, ones, ones)
    flex_dpo(of_pair, beta_chosen, beta_rejected).sum().backward()
    margin = beta_chosen * (logps[0].item() + 1) - beta_rejected * (logps[1].item() + 1)
    expected = sigmoid(-margin) * (beta_chosen - beta_rejected) * logps.detach().exp()[2:]
    torch.testing.assert_close(free.grad[2:], expected, rtol=1e-7, atol=1e-12)


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, BETA, WEIGHT)
def test_sft_dpo(plus, minus, plus_0, minus_0, beta, gamma) -> None:
    """The gradients given after equation 6, which itself has a sign error: the SFT term raises the chosen response."""
    alpha, z = (plus_0 / minus_0) ** beta, minus / plus
    shared = alpha * beta / (1 + alpha * z**beta) * z ** (beta - 1)
    found = slopes(lambda logps: sft_dpo(logps, beta, gamma), (plus, minus), (plus_0, minus_0))
    assert found == (close(shared * -minus / plus**2 - gamma / plus), close(shared / plus))


@given(PROBABILITY, BETA, st.floats(0.01, 2.0))
def test_sft_dpo_as_the_rejected_vanish(plus, beta, gamma) -> None:
    """B.2.2: the chosen are still pulled up by gamma / pi+, and the rejected's own slope still diverges."""
    of_plus, _ = log_slopes(lambda logps: sft_dpo(logps, beta, gamma), math.log(plus), -1e5)
    assert of_plus == close(-gamma)
    far = [log_slopes(lambda logps: sft_dpo(logps, beta, gamma), math.log(plus), log)[1] for log in (-100.0, -200.0)]
    assert math.log(far[1]) + 200 > math.log(far[0]) + 100  # d loss / d pi- is the slope in its log divided by pi-


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, st.floats(0.01, 2.0))
def test_ipo(plus, minus, plus_0, minus_0, eta) -> None:
    """Equations 8 and 9; both signs change where the log-ratios are 1 / (2 eta) apart."""
    h = math.log(plus * minus_0 / (minus * plus_0))
    assume(abs(h - 1 / (2 * eta)) > 1e-3)
    found = slopes(lambda logps: ipo(logps, eta), (plus, minus), (plus_0, minus_0))
    off = h - 1 / (2 * eta)
    assert found == (close(2 * off / plus), close(-2 * off / minus))
    assert (found[0] < 0 < found[1]) == (h < 1 / (2 * eta))


@given(PROBABILITY, PROBABILITY, st.floats(0.0, 10.0), WEIGHT)
def test_slic(plus, minus, delta, eta) -> None:
    """Equations 11 and 12, away from the kink."""
    apart = math.log(plus / minus)
    assume(abs(delta - apart) > 1e-6)
    found = slopes(lambda logps: slic(logps, delta, eta), (plus, minus))
    expected = (-(1 + eta) / plus, 1 / minus) if delta > apart else (-eta / plus, 0.0)
    assert found == tuple(map(close, expected))
    assert found[1] <= math.exp(delta) / plus * (1 + 1e-9)


@given(PROBABILITY, PROBABILITY, LENGTH, LENGTH, st.floats(0.1, 10.0), WEIGHT)
def test_simpo(plus, minus, plus_tokens, minus_tokens, beta, gamma) -> None:
    """Equations 14, 15 and 16."""
    shared = sigmoid(-(beta / plus_tokens * math.log(plus) - beta / minus_tokens * math.log(minus) - gamma))
    found = slopes(lambda logps: simpo(logps, beta, gamma), (plus, minus), lengths=(plus_tokens, minus_tokens))
    expected = (-beta / (plus_tokens * plus) * shared, beta / (minus_tokens * minus) * shared)
    assert found == tuple(map(close, expected))
    assert found[1] / found[0] == close(-(plus_tokens * plus) / (minus_tokens * minus))


@pytest.mark.parametrize(("tokens", "limit"), [(1, -math.inf), (2, 0.0), (5, math.inf)])
@given(plus=PROBABILITY, gamma=WEIGHT)
def test_simpo_as_the_rejected_vanish(tokens, limit, plus, gamma) -> None:
    """Lemma 1 at beta = 2: depending on their length, d loss / d pi- goes to 0, to beta C / |a-| or to infinity."""
    beta, c = 2.0, math.exp(-2.0 * math.log(plus) + gamma)

    def log_of_slope(log: float) -> float:
        _, in_log = log_slopes(lambda logps: simpo(logps, beta, gamma), math.log(plus), log, rejected_length=tokens)
        return math.log(in_log) - log

    nearer, far = log_of_slope(-200.0), log_of_slope(-300.0)
    if limit == 0.0:
        assert far == pytest.approx(math.log(beta * c / tokens), abs=1e-9)
    else:
        assert math.copysign(1, far - nearer) == math.copysign(1, limit) and abs(far - nearer) > 50


@given(PROBABILITY, PROBABILITY, PROBABILITY, PROBABILITY, BETA, st.floats(0.0, 50.0))
def test_dpop(plus, minus, plus_0, minus_0, beta, lam) -> None:
    """Pal et al. 2024, equation 3: below the reference the chosen are pulled 1 + lambda times as hard."""
    assume(abs(plus / plus_0 - 1) > 1e-9)
    short = max(0.0, math.log(plus_0 / plus))
    shared = beta * sigmoid(-beta * (math.log(plus / plus_0) - math.log(minus / minus_0) - lam * short))
    found = slopes(lambda logps: dpop(logps, beta, lam), (plus, minus), (plus_0, minus_0))
    assert found == (close(-shared * (1 + lam * (plus < plus_0)) / plus), close(shared / minus))


@given(st.floats(-20.0, -1e-3), st.floats(-20.0, -1e-3), LENGTH, LENGTH, WEIGHT)
def test_orpo(chosen, rejected, chosen_tokens, rejected_tokens, lam) -> None:
    """Hong et al. 2024, equations 8 to 10, in log p = log pi / |a|; and equations 6 and 7 for the value."""
    p, q = math.exp(chosen), math.exp(rejected)
    logps = [
        torch.tensor([each * tokens], dtype=torch.float64, requires_grad=True)
        for each, tokens in ((chosen, chosen_tokens), (rejected, rejected_tokens))
    ]
    lengths = [torch.tensor([float(tokens)], dtype=torch.float64) for tokens in (chosen_tokens, rejected_tokens)]
    loss = orpo(PairLogps(*logps, *logps, *lengths), lam)
    loss.sum().backward()
    odds_ratio = (p / (1 - p)) / (q / (1 - q))
    delta = 1 / (1 + odds_ratio)
    assert loss.item() == close(-chosen + lam * math.log1p(1 / odds_ratio))
    assert logps[0].grad.item() == close((-1 - lam * delta / (1 - p)) / chosen_tokens)
    assert logps[1].grad.item() == close(lam * delta / (1 - q) / rejected_tokens)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(st.floats(-20.0, -0.1), LENGTH, st.floats(0.01, 2.0))
def test_orpo_lowers_even_a_certain_rejected_response(dtype, chosen, tokens, lam) -> None:
    """At p = 1 the odds are infinite: 1 - p is kept at one rounding error, and log p still decreases."""
    logps = [torch.tensor([value], dtype=dtype, requires_grad=True) for value in (chosen, 0.0)]
    loss = orpo(PairLogps(*logps, *logps, torch.ones(1), torch.tensor([float(tokens)])), lam)
    loss.sum().backward()
    odds_ratio = math.exp(chosen) / (1 - math.exp(chosen)) * torch.finfo(dtype).eps
    assert loss.item() == pytest.approx(-chosen + lam * math.log1p(1 / odds_ratio), rel=1e-5)
    assert logps[1].grad.item() == pytest.approx(lam / (1 + odds_ratio) / tokens, rel=1e-5)
