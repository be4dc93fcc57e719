"""The theory of "What Matters in Data for DPO?", section 4, checked numerically on tabular policies.

Every row is one quantity over random instances: the largest, the smallest or the share of them. Statements, quantities,
the number of instances and the tolerances were fixed on 2026-11-21, before any had been measured. (Afterwards the
optimiser was fixed, which had not converged on equation 8, and the instances were drawn again, all at once.) A
statement that holds only in another reading than its own words is listed once per reading: "as stated", and the reading
that its proof supports.

- Theorem 4.1 and Proposition 4.2 are proved for f = log(pi / pi_ref) and stated for pi. A step changes f by A.1's
  g, but the probabilities are normalised after it, and the normaliser changes all of them: to first order in the step
  size, so it is not among the terms that the proof neglects. (On logits, g is the plain gradient: it sums to zero.)
- Theorem 4.3 assumes that chosen and rejected are independent. Two responses ordered by a label are not.
- Theorem 4.5 calls epsilon_beta a quantity. A.3's term is an expectation of gradients, which need not point along
  SFT's. As a number it is taken here at its best: the projection on SFT's gradient. The function expanded is sigma of
  beta (f_l - f_w): beta alone does not make its argument small. "Likely positive" is read as: in at least half of
  cases, for policies at random, and for those that this training passes through, whose f it has raised on the chosen.
- Figure 1 can be read as a rule: it shows two rejected distributions that differ where the chosen are rare.

Statements that are only nearly true (Theorem 4.5's cosines, Figure 1 with overlap) are judged by the worst instance,
and their verdicts change with the seed. The other verdicts were the same at seeds 0 to 3.
"""

from collections.abc import Callable
from dataclasses import asdict
from math import log
from pathlib import Path

import torch
from torch import Tensor

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.what_matters.theory import picture, tabular
from studies.what_matters.theory.claims import COLUMNS, Row
from studies.what_matters.theory.instances import (
    EXACT,
    HALVINGS,
    NEARLY,
    OPTIMISED,
    ORDER,
    RESPONSES,
    SUPPORTED,
    Draws,
    order,
)
from studies.what_matters.theory.online import online

STEP, BETA, BETAS = 1.0, 0.1, (0.1, 0.3, 1.0)
"""Step size; beta, the paper's in training; the betas of the checks."""
RARE, RARE_CHOSEN, RARE_REJECTED, THIN = 4, 0.01, 0.5, 1e-6
"""Figure 1: how many responses are rare, the chosen's and the rejected's share of them, and the rejected's least."""
DECIMALS = 12
"""Decimal places in theory.csv: finer than every tolerance, coarser than rounding."""

UNSUPPORTED = "Theorem 4.1, up to the normaliser: a step leaves log(pi / pi_ref) of an unsupported response unchanged"
UNSUPPORTED_STATED = "Theorem 4.1, as stated: a step leaves the probability of an unsupported response unchanged"
SIGN = "Proposition 4.2, up to the normaliser: a step raises log(pi / pi_ref) where the policy underestimates"
SIGN_STATED = "Proposition 4.2, as stated: a step raises the probability where the policy underestimates"
MINIMISER = "Theorem 4.3: the minimiser of DPO's loss is proportional to (pi_w / pi_l)^(1 / beta) pi_ref"
LABELLED = "Theorem 4.3, without its independence: the same where Bradley-Terry labels order two draws"
REWARDED = "Equation 5: under such labels the minimiser is proportional to pi_ref exp(r / beta)"
REWARD = "Proposition 4.4: the minimiser is also that of equation 8, which equals equation 9"
OVERLAP = "Figure 1: rejected that part only where the chosen are rare, and overlap there, give similar policies"
RULE = "Figure 1, as a rule: rejected that part only where the chosen are rare give similar policies"


def steps(seed: int) -> list[Row]:
    """Theorem 4.1 and Proposition 4.2: one step from a random policy, on random proposals and preferences.

    The policy is right about all comparisons of the first response, so that its difference is zero.
    """
    draws = Draws("steps", seed)
    reference, policy = draws.policy(), draws.policy()
    proposals, preferences, f = draws.proposals(), draws.preferences(), policy - reference
    right = tabular.bradley_terry(BETA * f)
    preferences[:, 0, :], preferences[:, :, 0] = right[:, 0, :], right[:, :, 0]

    g = tabular.derivative(f, tabular.labelled(proposals, preferences), BETA)
    by_hand = tabular.derivative_by_hand(f, proposals, preferences, BETA)
    difference = tabular.underestimates(f, proposals, preferences, BETA)

    def stepped(size: float) -> Tensor:
        return tabular.normalised(reference + f - size * g)

    moved_f, moved_log, moved = -STEP * g, stepped(STEP) - policy, stepped(STEP).exp() - policy.exp()
    log_normaliser = torch.logsumexp(reference + f - STEP * g, dim=-1, keepdim=True)  # zero before the step
    free, others = slice(SUPPORTED, None), slice(1, SUPPORTED)

    def agreeing(change: Tensor) -> float:
        return float((change[:, others].sign() == difference[:, others].sign()).double().mean())

    share, even = "share of changes with the difference's sign", "change where the difference is zero, largest"
    return [
        Row(UNSUPPORTED, f"change at step size {STEP:g}, largest", 0.0, largest(moved_f[:, free]), EXACT),
        Row(
            UNSUPPORTED,
            "change of its log-probability plus that of the log-normaliser, largest",
            0.0,
            largest((moved_log + log_normaliser)[:, free]),
            EXACT,
        ),
        Row(UNSUPPORTED_STATED, f"change at step size {STEP:g}, largest", 0.0, largest(moved[:, free]), EXACT),
        Row(
            UNSUPPORTED_STATED,
            "order of the change of its log-probability in the step size (the proof neglects the second)",
            2.0,
            order([STEP * half for half in HALVINGS], lambda size: (stepped(size) - policy)[:, free]),
            ORDER,
        ),
        Row(
            SIGN, "equation 16 against the derivative of the loss, largest difference", 0.0, largest(g - by_hand), EXACT
        ),
        Row(SIGN, share, 1.0, agreeing(moved_f), EXACT),
        Row(SIGN, even, 0.0, largest(moved_f[:, 0]), EXACT),
        Row(SIGN_STATED, share, 1.0, agreeing(moved), EXACT),
        Row(SIGN_STATED, even, 0.0, largest(moved[:, 0]), EXACT),
    ]


def largest(values: Tensor) -> float:
    """The largest absolute value."""
    return float(values.abs().max())


def found(loss: Callable[..., Tensor], start: Tensor, *given: object) -> Tensor:
    """The policies (instances, n) that minimise ``loss(policy, *given)``, found by optimisation from ``start``."""
    return tabular.normalised(tabular.minimise(lambda logits: loss(tabular.normalised(logits), *given), start))


def minimisers(seed: int) -> list[Row]:
    """Theorem 4.3 and Proposition 4.4: chosen and rejected drawn independently."""
    draws = Draws("minimisers", seed)
    chosen, rejected, reference, policy = (draws.policy() for _ in range(4))
    pairs = tabular.independent(chosen, rejected)
    of_loss, of_reward = [], []
    for beta in BETAS:
        given = (chosen, rejected, reference, beta)
        predicted, best = tabular.tilted(*given), found(tabular.dpo_loss, reference, reference, pairs, beta)
        apart = tabular.total_variation(best, predicted)
        slope = tabular.derivative(predicted - reference, pairs, beta).norm(dim=-1)
        other = tabular.total_variation(best, found(tabular.as_reward, reference, *given))
        of_loss += [
            Row(
                MINIMISER,
                f"total variation from the minimiser found, beta {beta:g}, largest",
                0.0,
                largest(apart),
                OPTIMISED,
            ),
            Row(MINIMISER, f"norm of the gradient there, beta {beta:g}, largest", 0.0, largest(slope), EXACT),
        ]
        of_reward.append(
            Row(
                REWARD,
                f"total variation of the minimisers found, beta {beta:g}, largest",
                0.0,
                largest(other),
                OPTIMISED,
            )
        )
    given = (policy, chosen, rejected, reference, BETA)
    gap = largest(tabular.as_reward(*given) - tabular.as_divergences(*given))
    return [
        *of_loss,
        *of_reward,
        Row(REWARD, "equation 8 less equation 9 on random policies, largest", 0.0, gap, EXACT),
    ]


def labelled_minimisers(seed: int) -> list[Row]:
    """Two draws of one proposal ordered by Bradley-Terry labels: Theorem 4.3 on the marginals, and equation 5."""
    draws = Draws("labels", seed)
    rewards, reference, proposal = draws.normal(RESPONSES), draws.policy(), draws.policy()
    pairs = tabular.labelled(tabular.independent(proposal, proposal), tabular.bradley_terry(rewards))
    chosen, rejected = pairs.sum(dim=-1).log(), pairs.sum(dim=-2).log()
    of_marginals, of_rewards = [], []
    for beta in BETAS:
        best = found(tabular.dpo_loss, reference, reference, pairs, beta)
        tilted = tabular.total_variation(best, tabular.tilted(chosen, rejected, reference, beta))
        rewarded = tabular.total_variation(best, tabular.rewarded(rewards, reference, beta))
        quantity = f"total variation from the minimiser found, beta {beta:g}, largest"
        of_marginals.append(Row(LABELLED, quantity, 0.0, largest(tilted), OPTIMISED))
        of_rewards.append(Row(REWARDED, quantity, 0.0, largest(rewarded), OPTIMISED))
    return of_marginals + of_rewards


def rejected_apart(seed: int) -> list[Row]:
    """Figure 1: two rejected distributions that agree except on the rare responses, of which both have the same share.

    In the second statement, the other rejected distribution leaves out almost all of one rare response.
    """
    draws = Draws("figure 1", seed)
    reference, frequent = draws.policy(), draws.policy(RESPONSES - RARE)
    chosen = mixed(RARE_CHOSEN, draws.policy(RARE), draws.policy(RESPONSES - RARE))
    rejected, overlapping = (mixed(RARE_REJECTED, draws.policy(RARE), frequent) for _ in range(2))
    thin = torch.full((RARE,), (1 - THIN) / (RARE - 1), dtype=torch.float64)
    thin[0] = THIN
    gapped = mixed(RARE_REJECTED, thin.log().expand(len(frequent), RARE), frequent)
    rows = []
    for statement, other in ((OVERLAP, overlapping), (RULE, gapped)):
        for beta in (BETA, 1.0):
            policies = [tabular.tilted(chosen, each, reference, beta) for each in (rejected, other)]
            quantity = f"total variation of the two policies, beta {beta:g}, largest"
            rows.append(Row(statement, quantity, 0.0, largest(tabular.total_variation(*policies)), NEARLY))
    return rows


def mixed(share: float, rare: Tensor, frequent: Tensor) -> Tensor:
    """Distributions with this share on the rare responses, which come first."""
    return torch.cat([rare + log(share), frequent + log(1 - share)], dim=-1)


def theory(seed: int) -> list[Row]:
    """All rows."""
    return [*steps(seed), *minimisers(seed), *labelled_minimisers(seed), *online(seed), *rejected_apart(seed)]


def main() -> None:
    parser = cli.parser_of("studies.what_matters.theory.check", __doc__)
    parser.add_argument("--seed", type=int, required=True, help="of the random instances")
    parser.add_argument("--picture", type=Path, required=True, help="CSV of the densities that Figure 1 shows")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    write_csv([asdict(row) for row in theory(arguments.seed)], COLUMNS, arguments.out, DECIMALS)
    write_csv(picture.picture(), picture.COLUMNS, arguments.picture, picture.DECIMALS)


if __name__ == "__main__":
    cli.run(main)
