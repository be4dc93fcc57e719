"""Step: checks section 6 of the paper on random categorical distributions: Lemmas 6.1 and 6.2, and Theorem 6.5.

The rule of judgement is that of scripts/studies/theorems.py, over 20 seeds. Statements, quantities and tolerances were
written before any of them was measured here; the exact conditions had been derived. After the first run two rows of
Theorem 6.5, whose constants are not given, became `beyond`, and one such row was added.
"""

from collections.abc import Sequence
from pathlib import Path

from scripts.lib import cli
from scripts.studies.theorems import Row, write_theory
from studies.mode_seeking.theory import lemmas, speed
from studies.mode_seeking.theory.instances import SEEDS


def theory(seeds: Sequence[int]) -> list[Row]:
    """All rows, in the paper's order."""
    return [*lemmas.on_policy(seeds), *lemmas.negative_gradient(seeds), *speed.two_bins(seeds), *speed.mass(seeds)]


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.theory.check", __doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_theory(theory(SEEDS), arguments.out)


if __name__ == "__main__":
    cli.run(main)
