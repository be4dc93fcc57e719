"""Our losses and those in TRL's trainers agree, values and gradients, on the same log-probabilities.

TRL's own code runs: the trainers are created without their constructors, with only the attributes that their losses
use; for DPOTrainer, whose loss includes its forward pass, the model returns the given log-probabilities. Whole models
are compared in test_trl.py.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from scripts.lib.objectives import PairLogps, dpo, dpop, flex_dpo, ipo, orpo, sft_dpo, simpo, slic

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
trl = pytest.importorskip("trl")
CPOTrainer = pytest.importorskip("trl.experimental.cpo").CPOTrainer
ORPOTrainer = pytest.importorskip("trl.experimental.orpo").ORPOTrainer

TOKEN = st.floats(-8.0, -1e-3)
BETA = st.floats(0.01, 5.0)
WEIGHT = st.floats(0.0, 2.0)
LENGTHS = st.integers(1, 6)


@dataclass(frozen=True)
class Batch:
    """Log-probabilities of the responses' tokens, one row per response, zero after the end of a shorter one."""

    chosen: Tensor
    rejected: Tensor
    chosen_mask: Tensor
    rejected_mask: Tensor
    ref_chosen: Tensor
    ref_rejected: Tensor

    @property
    def logps(self) -> PairLogps:
        return PairLogps(
            self.chosen.sum(1),
            self.rejected.sum(1),
            self.ref_chosen,
            self.ref_rejected,
            self.chosen_mask.sum(1),
            self.rejected_mask.sum(1),
        )

    @property
    def means(self) -> PairLogps:
        """The same in nats per token, as if every response were one token."""
        of = self.logps
        ones = torch.ones_like(of.chosen)
        sides = ((of.chosen, of.ref_chosen), (of.rejected, of.ref_rejected))
        (chosen, ref_chosen), (rejected, ref_rejected) = (
            [each / length for each in side]
            for side, length in zip(sides, (of.chosen_length, of.rejected_length), strict=True)
        )
        return PairLogps(chosen, rejected, ref_chosen, ref_rejected, ones, ones)


@st.composite
def batches(draw, lengths=LENGTHS) -> Batch:
    """One to four pairs; ``lengths`` of their responses."""
    of_sides = [[draw(lengths) for _ in range(2)] for _ in range(draw(st.integers(1, 4)))]
    longest = max(map(max, of_sides))
    found = []
    for side in range(2):
        rows = [[draw(TOKEN) for _ in range(of_pair[side])] for of_pair in of_sides]
        values = torch.tensor([row + [0.0] * (longest - len(row)) for row in rows], dtype=torch.float64)
        mask = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in rows], dtype=torch.float64)
        ref = torch.tensor([draw(st.floats(-40.0, -1e-3)) for _ in rows], dtype=torch.float64)
        found.append((values.requires_grad_(), mask, ref))
    return Batch(*(each for sides in zip(*found, strict=True) for each in sides))


def made(kind: type, **attributes):
    """A trainer object without a constructor call."""
    trainer = object.__new__(kind)
    for name, value in attributes.items():
        setattr(trainer, name, value)
    return trainer


def by_dpo_trainer(batch: Batch, loss_types: Sequence[str], beta: float, weights: Sequence[float] = (1.0,)) -> Tensor:
    """The mean loss of DPOTrainer's own ``_compute_loss``; a prompt is one token."""
    pairs = len(batch.chosen)
    mask = torch.cat([batch.chosen_mask, batch.rejected_mask])
    whole = torch.cat([torch.zeros(2 * pairs, 1), mask], dim=1).long()
    per_token = torch.cat([batch.chosen * batch.chosen_mask, batch.rejected * batch.rejected_mask])
    others = {name: torch.zeros_like(per_token) for name in ("entropy", "mean_logits")}
    outputs = SimpleNamespace(log_probs=per_token, is_top1=torch.zeros_like(per_token, dtype=torch.bool), **others)

    class Model:
        training = True

        def __call__(self, **_) -> SimpleNamespace:
            return outputs

    trainer = made(
        trl.DPOTrainer,
        model=Model(),
        accelerator=Accelerator(cpu=True),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=list(loss_types),
        loss_weights=list(weights),
        beta=beta,
        label_smoothing=0.0,
        use_weighting=False,
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {
        "input_ids": torch.ones_like(whole),
        "attention_mask": torch.ones_like(whole),
        "completion_mask": whole,
        "ref_chosen_logps": batch.ref_chosen,
        "ref_rejected_logps": batch.ref_rejected,
    }
    return trainer._compute_loss(trainer.model, inputs, False)


def by_cpo_trainer(logps: PairLogps, loss_type: str, beta: float, gamma: float = 0.0) -> Tensor:
    """The mean of CPOTrainer's own ``cpo_loss``."""
    trainer = made(
        CPOTrainer,
        accelerator=Accelerator(cpu=True),
        alpha=0.0,
        beta=beta,
        label_smoothing=0.0,
        loss_type=loss_type,
        simpo_gamma=gamma,
    )
    return trainer.cpo_loss(logps.chosen, logps.rejected)[0].mean()


def assert_same(batch: Batch, ours: Tensor, theirs: Tensor, rel: float = 1e-9) -> None:
    """Mean losses, and their gradients with respect to every token's log-probability."""
    leaves = [batch.chosen, batch.rejected]
    torch.testing.assert_close(ours.mean(), theirs.to(ours.dtype), rtol=rel, atol=rel)
    mine, other = (torch.autograd.grad(each, leaves, retain_graph=True) for each in (ours.mean(), theirs))
    for one, of_trl, mask in zip(mine, other, (batch.chosen_mask, batch.rejected_mask), strict=True):
        torch.testing.assert_close(one * mask, of_trl * mask, rtol=rel, atol=rel)


@given(batches(), BETA)
def test_dpo_and_what_becomes_of_its_variants_without_what_they_add(batch, beta) -> None:
    theirs = by_dpo_trainer(batch, ["sigmoid"], beta)
    assert_same(batch, dpo(batch.logps, beta), theirs)
    assert_same(batch, flex_dpo(batch.logps, beta, beta), theirs)
    assert_same(batch, sft_dpo(batch.logps, beta, gamma=0.0), theirs)
    assert_same(batch, dpop(batch.logps, beta, lam=0.0), theirs)


@given(batches(), BETA)
def test_ipo_of_nats_a_token_is_theirs(batch, eta) -> None:
    """TRL divides log-ratios by lengths; apart from that its beta, the paper's tau, is our eta."""
    assert_same(batch, ipo(batch.means, eta), by_dpo_trainer(batch, ["ipo"], beta=eta))


@pytest.mark.parametrize("length", [1, 2, 5])
@given(data=st.data(), eta=BETA)
def test_ipo_of_responses_of_one_length_is_theirs_in_other_units(length, data, eta) -> None:
    """One token: the same. More: their target and their log-ratios are per token, so that tau = eta |y|."""
    batch = data.draw(batches(st.just(length)))
    assert_same(batch, ipo(batch.logps, eta), length**2 * by_dpo_trainer(batch, ["ipo"], beta=eta * length))


@pytest.mark.parametrize("length", [1, 4])
@given(data=st.data(), beta=BETA, gamma=WEIGHT)
def test_sft_dpo_is_their_sum_of_two_losses(length, data, beta, gamma) -> None:
    """Their SFT loss is a mean over the batch's tokens, ours a sum over a response's: responses of one length."""
    batch = data.draw(batches(st.just(length)))
    theirs = by_dpo_trainer(batch, ["sigmoid", "sft"], beta, weights=[1.0, gamma * length])
    assert_same(batch, sft_dpo(batch.logps, beta, gamma), theirs)


@given(batches(), st.floats(0.1, 20.0))
def test_slic_is_their_hinge_in_nats(batch, delta) -> None:
    """CPOTrainer's has no reference; DPOTrainer's hinge is the same on log-ratios."""
    assert_same(batch, slic(batch.logps, delta, 0.0), delta * by_cpo_trainer(batch.logps, "hinge", 1 / delta))
    of = batch.logps
    chosen, rejected = of.chosen - of.ref_chosen, of.rejected - of.ref_rejected
    ratios = PairLogps(chosen, rejected, *[torch.zeros_like(chosen)] * 2, of.chosen_length, of.rejected_length)
    assert_same(batch, slic(ratios, delta, 0.0), delta * by_dpo_trainer(batch, ["hinge"], 1 / delta))


@given(batches(), BETA, WEIGHT)
def test_simpo(batch, beta, gamma) -> None:
    assert_same(batch, simpo(batch.logps, beta, gamma), by_cpo_trainer(batch.means, "simpo", beta, gamma))


@given(batches(), WEIGHT)
def test_orpo(batch, lam) -> None:
    """Their loss is subtracted from the negative log-likelihood; it is in float32, and its beta is our lam."""
    trainer = made(ORPOTrainer, accelerator=Accelerator(cpu=True), beta=lam)
    means = batch.means
    theirs = -means.chosen.mean() - trainer.odds_ratio_loss(means.chosen, means.rejected)[0].mean()
    assert_same(batch, orpo(batch.logps, lam), theirs, rel=1e-3)
