"""Step: checks section 5 of "Is On-Policy Data Always the Best Choice for DPO-based LM Alignment?" on tabular policies.

The rule of judgement is that of scripts/studies/theorems.py, over 20 seeds. Statements, quantities and tolerances were
written before any of them was measured here; figures of an independent check of the same statements were known.
"""

from collections.abc import Sequence
from pathlib import Path

from scripts.lib import cli
from scripts.studies.theorems import Row, write_theory
from studies.alignment_stages.theory import consistency, optimum
from studies.alignment_stages.theory.tabular import SEEDS


def theory(seeds: Sequence[int]) -> list[Row]:
    """All rows, in the paper's order."""
    return [
        *optimum.rewards(seeds),
        *optimum.data(seeds),
        *consistency.distributions(seeds),
        *consistency.algorithm(seeds),
    ]


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.theory.check", __doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_theory(theory(SEEDS), arguments.out)


if __name__ == "__main__":
    cli.run(main)
