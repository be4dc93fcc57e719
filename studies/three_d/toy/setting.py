"""The toy model's responses, the four scenarios, and its pairs: section 3.2.1, Figure 1.

Of ten responses to each of four prompts, 1 to 4 are chosen, each for the prompt of its number, 5 to 8 rejected, 9 and
10 unseen. Numbers in code begin at 0.

The text says of the rejected only: "for each mini-batch, we then randomly select one other response within the batch".
It is read in three ways, REJECTED. A mini-batch is all four prompts.
"""

import torch
from torch import Tensor

from scripts.lib.ids import seed_of

PROMPTS, RESPONSES = 4, 10
CHOSEN, LISTED, UNSEEN = slice(0, 4), slice(4, 8), slice(8, 10)
ON_POLICY, OFF_POLICY = 0.12, 0.02
SCENARIOS = {
    1: (ON_POLICY, ON_POLICY),
    2: (OFF_POLICY, ON_POLICY),
    3: (ON_POLICY, OFF_POLICY),
    4: (OFF_POLICY, OFF_POLICY),
}
"""Scenario -> initial likelihood of each of the responses 1 to 4 and 5 to 8: Figure 3."""
REJECTED = ("listed", "fixed", "batch")
"""What a prompt's rejected response is: any of 5 to 8, drawn again each time; always that of its own number among them;
the optimal response of another prompt in the batch, so that 5 to 8 are in no pair."""


def label(scenario: int) -> Tensor:
    """The initial policy (10,) for every prompt; what responses 1 to 8 leave is shared by the unseen."""
    chosen, rejected = SCENARIOS[scenario]
    likelihoods = torch.empty(RESPONSES, dtype=torch.float64)
    likelihoods[CHOSEN], likelihoods[LISTED] = chosen, rejected
    likelihoods[UNSEEN] = (1 - 4 * chosen - 4 * rejected) / 2
    return likelihoods


def candidates(rejected: str) -> Tensor:
    """Which responses (4, 10) may be a prompt's rejected one."""
    may = torch.zeros(PROMPTS, RESPONSES, dtype=torch.bool)
    if rejected == "batch":
        may[:, CHOSEN] = ~torch.eye(PROMPTS, dtype=torch.bool)
    else:
        may[:, LISTED] = torch.eye(PROMPTS, dtype=torch.bool) if rejected == "fixed" else True
    return may


def drawn(rejected: str, seed: int, epochs: int) -> Tensor:
    """Each prompt's rejected response (epochs, 4) in each epoch."""
    generator = torch.Generator().manual_seed(seed_of("three_d", "pairs", rejected, seed))
    weights = candidates(rejected).double()
    return torch.multinomial(weights, epochs, replacement=True, generator=generator).T
