"""Step: checks section 3.1 and appendix B of "3D-Properties" against automatic derivatives on random instances.

The rule of judgement is that of scripts/studies/theorems.py, over 20 seeds. Statements, quantities and tolerances were
written before any of them was measured here; figures of an independent check of the same statements were known. One
change since: Lemma 1 is checked on pairs whose chosen response is no shorter than the rejected; without that its
constant C can be so large that 1e-200 is not yet near the limit.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from scripts.lib import cli
from scripts.studies.theorems import Row, write_theory
from studies.three_d.theory import corollaries, flex, variants
from studies.three_d.theory.instances import SEEDS


def theory(seeds: Sequence[int]) -> list[Row]:
    """All rows, in the paper's order."""
    return [*corollaries.rows(seeds), *flex.rows(seeds), *variants.rows(seeds)]


def main() -> None:
    parser = cli.parser_of("studies.three_d.theory.check", __doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_theory(theory(SEEDS), arguments.out)


if __name__ == "__main__":
    cli.run(main)
