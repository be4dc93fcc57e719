"""Section 3.1 and appendix B: verdicts do not turn with the seed, and the helpers agree with other ways to them."""

import pytest
import torch

from scripts.lib.objectives import dpo
from studies.three_d.theory import check, flex
from studies.three_d.theory.instances import BETA, INSTANCES, Draws, by_likelihood, by_log, logs, step_on_logits
from tests.studies.theorems import check_verdicts

VERDICTS = {
    "Section 3.1": "holds",
    "Corollary 1: the gradient": "holds",
    "Corollary 1, by log-likelihood": "beyond",
    "Property 1, from Corollary 1, in likelihood": "fails",
    "Property 1, from Corollary 1, in log-likelihood": "holds",
    "Corollary 2: as pi-": "holds",
    "Corollary 2, pace": "beyond",
    "Corollary 2, for beta of 1": "beyond",
    "Corollary 3, from Corollaries 1 and 2 alone: with pi- near 0 the chosen": "fails",
    "Corollary 3, from Corollaries 1 and 2 alone: with pi- near 0 the unseen": "fails",
    "Corollary 3, what it takes": "beyond",
    "Corollary 3, with shared parameters": "beyond",
    "Section 3.4: the gradients": "holds",
    "Section 3.4, as stated": "fails",
    "B.1, token level: as pi-": "holds",
    "B.1, token level, as printed: they are": "fails",
    "B.1, token level, as printed: the gradients by the rejected": "fails",
    "B.2.1: Flex-DPO": "holds",
    "B.2.1, beside it: their ratio": "beyond",
    "B.2.1, as worded": "fails",
    "Section 4.3": "holds",
    "B.2.1, beside it: with free logits": "beyond",
    "B.2.2: the gradients": "holds",
    "B.2.2, equation 6 as printed": "fails",
    "B.2.2: as pi-": "holds",
    "B.2.2, beside it": "beyond",
    "B.3.1: IPO": "holds",
    "B.3.1, beside it": "beyond",
    "B.3.2: SLiC": "holds",
    "B.3.2, beside it": "beyond",
    "B.3.3: SimPO": "holds",
    "B.3.3, as worded": "fails",
    "Lemma 1": "holds",
    "Remark 1": "beyond",
}


@pytest.mark.parametrize("seeds", [range(20), range(100, 120)])
def test_verdicts_are_those_of_the_table_at_other_seeds_too(seeds, tmp_path) -> None:
    check_verdicts(check.theory(seeds), VERDICTS, tmp_path)


def test_a_step_on_logits_is_that_of_the_loss_and_of_shared_features() -> None:
    """Against a small step of gradient descent on one pair, from the reference itself."""
    draws = Draws("test", [0])
    logits, features = draws.normal(10), draws.normal(10, 4)
    parameters, rate = torch.zeros(*logits.shape[:-1], 4, dtype=torch.float64, requires_grad=True), 1e-6

    def policy(at: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(logits + (features @ at[..., None])[..., 0], dim=-1)

    before = policy(parameters)
    margin = BETA * (before[..., 0] - before[..., 1] - (before[..., 0] - before[..., 1]).detach())
    (gradient,) = torch.autograd.grad(-torch.nn.functional.logsigmoid(margin).sum(), parameters)
    moved = (policy(parameters - rate * gradient) - before).detach() / rate
    slope = torch.full_like(logits[..., 0], BETA / 2)  # the sigmoid of a margin of zero
    expected = step_on_logits(slope, before.detach(), features @ features.mT)
    torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-6)
    assert step_on_logits(slope, before.detach())[..., 0].min() > 0


def test_derivatives_by_likelihood_and_by_its_logarithm_are_one() -> None:
    pair = Draws("test", [1, 2]).pair()
    plain, scaled, sizes = by_likelihood(dpo, pair), by_log(dpo, pair), logs(dpo, pair)
    for side, likelihood in enumerate((pair.chosen, pair.rejected)):
        torch.testing.assert_close(plain[side] * likelihood.exp(), scaled[side])
        torch.testing.assert_close(plain[side].abs().log(), sizes[side])


def test_the_turning_beta_solves_its_equation() -> None:
    draws = Draws("test", [5])
    pair = draws.pair()
    fallen = draws.between(1.0, 60.0)
    pair = type(pair)(**{**vars(pair), "rejected": pair.ref_rejected - fallen})
    beta = flex.turning(pair)
    margin = BETA * (pair.chosen - pair.ref_chosen) + beta * fallen
    torch.testing.assert_close(beta * fallen * torch.sigmoid(margin), torch.ones(1, INSTANCES, dtype=torch.float64))


def test_a_seed_s_instances_do_not_depend_on_the_others() -> None:
    one, two = Draws("x", [4]).policy(), Draws("x", [2, 4]).policy()
    assert one.shape == (1, INSTANCES, 10)
    assert torch.equal(one[0], two[1])
