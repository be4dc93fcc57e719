"""Step: judges every claim of "What Matters in Data for DPO?" for which the configuration has tables.

Statistics and margins are in tier_claims.py (Table 1), contrast_claims.py (Tables 2 to 4) and theory/ (section 4, with
a rule of judgement of its own); what the others share is in scripts/studies: the statistics, the rules of judgement
(verdicts.py) and the wording of findings (findings.py). `published` is the same statistic computed from the paper's
numbers.
"""

import argparse
from pathlib import Path

from scripts.lib import cli
from scripts.lib.claims import Claim, write_claims
from scripts.lib.config.pairs import PairsSpec
from scripts.studies.theorems import read_theory
from studies.what_matters import contrast_claims, tier_claims
from studies.what_matters.answers import Inputs, read_means
from studies.what_matters.config import Config
from studies.what_matters.found import Found
from studies.what_matters.theory.claims import theory_claims


def judged(spec: Config, inputs: Inputs) -> list[Found]:
    """The claims about runs, table by table."""
    means = read_means(spec, inputs)
    return tier_claims.judged(spec, inputs, means) + contrast_claims.judged(spec, inputs, means)


def claims(spec: Config, inputs: Inputs, tables: Path) -> list[Claim]:
    """Table by table, then the claims of section 4. tables: folder of the study's own."""
    theory = theory_claims(read_theory(tables / "theory.csv"))
    return [each.claim for each in judged(spec, inputs)] + theory


def parser_of(step: str, documentation: str | None) -> argparse.ArgumentParser:
    """The command line of a step that judges the claims about runs."""
    parser = cli.parser_of(step, documentation)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument(
        "--pairs", type=cli.spec_of(dict[str, PairsSpec]), required=True, help="JSON: the pairs entries, by name"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def inputs_of(arguments: argparse.Namespace) -> Inputs:
    return Inputs(arguments.pairs, arguments.evaluations, arguments.published)


def main() -> None:
    parser = parser_of("studies.what_matters.claims", __doc__)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the study's tables made here")
    arguments = parser.parse_args()
    write_claims(claims(arguments.spec, inputs_of(arguments), arguments.tables), arguments.out)


if __name__ == "__main__":
    cli.run(main)
