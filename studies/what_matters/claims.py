"""Step: judges every claim of "What Matters in Data for DPO?" for which the configuration has tables.

Statistics and margins are in tier_claims.py (Table 1), contrast_claims.py (Tables 2 to 4) and theory/ (section 4, with
a rule of judgement of its own); the rules that the others share are in scripts/studies/verdicts.py. `published` is the
same statistic computed from the paper's numbers.
"""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.claims import Claim, write_claims
from scripts.lib.config.pairs import PairsSpec
from studies.what_matters import contrast_claims, tier_claims
from studies.what_matters.answers import Inputs
from studies.what_matters.config import Config
from studies.what_matters.theory.claims import theory_claims
from studies.what_matters.theory.rows import read_theory


def claims(spec: Config, inputs: Inputs) -> list[Claim]:
    """Table by table, then the claims of section 4."""
    theory = theory_claims(read_theory(inputs.tables / "theory.csv"))
    return tier_claims.claims(spec, inputs) + contrast_claims.claims(spec, inputs) + theory


def main() -> None:
    parser = cli.parser_of("studies.what_matters.claims", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument(
        "--pairs", type=cli.spec_of(dict[str, PairsSpec]), required=True, help="JSON: the pairs entries, by name"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the study's tables made here")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    inputs = Inputs(arguments.pairs, arguments.evaluations, arguments.tables, arguments.published)
    write_claims(claims(arguments.spec, inputs), arguments.out)


if __name__ == "__main__":
    cli.run(main)
