"""Step: DPO on fixed pairs of the reference's samples, whose rejected responses differ from the chosen in some tokens.

What Lemma 6.2 is about, on a network: does a negative gradient raise the chosen response, or lower it with one that is
like it? A rejected response is the chosen one with as many tokens, at random places, of another sample to the prompt.
"""

from pathlib import Path

import torch
from torch import Tensor

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.objectives import PairLogps, dpo
from studies.mode_seeking.bandit.layout import CHOSEN
from studies.mode_seeking.bandit.policy import log_probs, sample
from studies.mode_seeking.bandit.runs import Adam, generators, references
from studies.mode_seeking.bandit.spec import Bandit
from studies.mode_seeking.bandit.train import DECIMALS


def like(chosen: Tensor, other: Tensor, different: int, tokens: int, places: Tensor) -> Tensor:
    """The chosen responses with ``different`` of their tokens replaced, (batch, length).

    places: random numbers (batch, length) that decide which. A token that the other response has too becomes the next
    of the vocabulary, so that exactly so many differ.
    """
    replaced = places.argsort(dim=1).argsort(dim=1) < different
    return torch.where(replaced, torch.where(other == chosen, (chosen + 1) % tokens, other), chosen)


def trained(spec: Bandit) -> list[dict[str, object]]:
    """A row for each number of tokens, seed and measurement: by how much both log-probs have moved, mean over pairs."""
    start = references(spec)
    runs = [(different, place) for different in spec.differ for place in range(len(spec.seeds))]
    count, draws = spec.prompts * spec.samples, generators(spec, "pairs")
    prompts = torch.stack([torch.randint(spec.tokens, (count,), generator=each) for each in draws])
    chosen, other = (
        sample(start, spec.heads, prompts, torch.stack([torch.rand(count, spec.length, generator=g) for g in draws]))[0]
        for _ in range(2)
    )
    places = torch.stack([torch.rand(count, spec.length, generator=each) for each in draws])
    pairs = []
    for different, at in runs:
        rejected = like(chosen[at, :, 1:], other[at, :, 1:], different, spec.tokens, places[at])
        pairs.append(torch.cat([chosen[at], torch.cat([prompts[at, :, None], rejected], dim=1)]))
    sequences = torch.stack(pairs)  # (runs, chosen then rejected, 1 + length)

    policy = {name: each[[at for _, at in runs]].clone().requires_grad_() for name, each in start.items()}
    adam = Adam(policy, torch.full((len(runs),), min(spec.learning_rates)))
    with torch.no_grad():
        before = log_probs(policy, spec.heads, sequences)
    rows = []
    for step in range(spec.steps + 1):
        now = log_probs(policy, spec.heads, sequences)
        if step % spec.evaluated_every == 0:
            moved = (now.detach() - before).unflatten(1, (2, count)).mean(dim=2).tolist()
            rows += [
                dict(zip(CHOSEN, [different, spec.seeds[at], step, *each], strict=True))
                for (different, at), each in zip(runs, moved, strict=True)
            ]
        logps = PairLogps(*now.chunk(2, dim=1), *before.chunk(2, dim=1), *[torch.ones(())] * 2)
        loss = dpo(logps, beta=spec.dpo_beta).mean(dim=1).sum()
        adam.step(torch.autograd.grad(loss, list(policy.values())))
    return rows


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.bandit.pairs", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Bandit), required=True, help="the bandit, as JSON")
    parser.add_argument("--out", type=Path, required=True, help="CSV file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # so that numbers are equal whatever the cores
    write_csv(trained(arguments.spec), CHOSEN, arguments.out, DECIMALS)


if __name__ == "__main__":
    cli.run(main)
