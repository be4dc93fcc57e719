"""Closed forms of the gradients by likelihood, against automatic derivatives of the losses that train policies."""

import inspect
import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from scripts.lib.likelihood_gradients import LOG_GRADIENTS, log_gradients
from scripts.lib.objectives import OBJECTIVES, PairLogps

LOGP = st.floats(-60.0, -0.01)
NAMES = st.sampled_from(sorted(LOG_GRADIENTS))
TINY = math.log(1e-300)


def pair(chosen, rejected, ref_chosen=-1.0, ref_rejected=-2.0, lengths=(1, 1)) -> PairLogps:
    numbers = (chosen, rejected, ref_chosen, ref_rejected, *lengths)
    return PairLogps(*(torch.tensor([number], dtype=torch.float64) for number in numbers))


def by_autograd(name: str, of: PairLogps, **options) -> tuple[float, float]:
    """d loss / d log pi of both sides."""
    leaves = [each.clone().requires_grad_() for each in (of.chosen, of.rejected)]
    rest = of.ref_chosen, of.ref_rejected, of.chosen_length, of.rejected_length
    losses = OBJECTIVES[name](PairLogps(*leaves, *rest), **options)
    found = torch.autograd.grad(losses.sum(), leaves, allow_unused=True)
    return tuple(0.0 if each is None else each.item() for each in found)


@given(NAMES, LOGP, LOGP, LOGP, LOGP, st.integers(1, 200), st.integers(1, 200))
def test_they_are_the_losses_gradients(name, chosen, rejected, ref_chosen, ref_rejected, one, other) -> None:
    assume(abs(chosen - rejected - 5.0) > 1e-6)  # the kink of slic
    assume(abs(chosen - ref_chosen - rejected + ref_rejected - 5.0) > 1e-3)  # the zero of ipo
    assume(chosen != ref_chosen)  # the kink of dpop
    of = pair(chosen, rejected, ref_chosen, ref_rejected, (one, other))
    for found, slope, logp in zip(LOG_GRADIENTS[name](of), by_autograd(name, of), (chosen, rejected), strict=True):
        assert found.item() == pytest.approx(math.log(abs(slope)) - logp if slope else -math.inf, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", sorted(LOG_GRADIENTS))
@given(st.floats(0.01, 2.0), st.floats(0.01, 2.0), LOGP, LOGP)
def test_options_are_those_of_the_objective(name, first, second, chosen, rejected) -> None:
    function = LOG_GRADIENTS[name]
    takes = list(inspect.signature(function).parameters.items())[1:]
    assert [(key, of.default) for key, of in takes] == [
        (key, of.default) for key, of in list(inspect.signature(OBJECTIVES[name]).parameters.items())[1:]
    ]
    options = dict(zip([key for key, _ in takes], (first, second), strict=False))
    of = pair(chosen, rejected, ref_chosen=-61.0)
    slopes = by_autograd(name, of, **options)
    for found, slope, logp in zip(function(of, **options), slopes, (chosen, rejected), strict=True):
        if slope == 0 or abs(slope) > 1e-6:  # a smaller one is a rounding of autograd's
            assert found.item() == pytest.approx(
                math.log(abs(slope)) - logp if slope else -math.inf, rel=1e-6, abs=1e-6
            )


@pytest.mark.parametrize("at", [TINY, -5000.0, -1e5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_they_are_finite_where_the_likelihood_is_no_float(at, dtype) -> None:
    """The limits of Corollary 2 and of B.2 and B.3, from log pi- alone."""
    of = PairLogps(*(each.to(dtype) for each in vars(pair(-1.5, at)).values()))
    alpha = 0.1 * (-1.0 + 2.0)
    chosen, rejected = (each.item() for each in LOG_GRADIENTS["dpo"](of))
    assert chosen == pytest.approx(math.log(0.1) + alpha + 1.1 * 1.5 + 0.1 * at, rel=1e-5)
    assert rejected == pytest.approx(math.log(0.1) + alpha + 0.1 * 1.5 - 0.9 * at, rel=1e-5)
    assert LOG_GRADIENTS["sft_dpo"](of)[0].item() == pytest.approx(math.log(0.1) + 1.5, abs=1e-4)
    assert LOG_GRADIENTS["slic"](of)[1].item() == -math.inf
    for name in ("flex_dpo", "sft_dpo", "ipo", "simpo"):
        assert all(math.isfinite(each.item()) for each in LOG_GRADIENTS[name](of)), name


@given(LOGP, LOGP, st.floats(0.01, 0.99))
def test_by_log_likelihood_dpo_pulls_both_sides_equally(chosen, rejected, beta) -> None:
    of = pair(chosen, rejected)
    up, down = LOG_GRADIENTS["dpo"](of, beta)
    assert (up + of.chosen).item() == pytest.approx((down + of.rejected).item(), abs=1e-9)
    assume(abs(chosen - rejected) > 1e-9)
    assert (down > up).item() == (chosen > rejected)


def test_an_objective_without_a_closed_form_has_no_number() -> None:
    of = pair(-1.0, -2.0)
    assert all(each.isnan().all() for each in log_gradients("new", of, 0.1, {}))
    assert log_gradients("dpo", of, 0.3, {}) == LOG_GRADIENTS["dpo"](of, 0.3)
    assert log_gradients("ipo", of, 0.3, {"eta": 0.2}) == LOG_GRADIENTS["ipo"](of, 0.2)
