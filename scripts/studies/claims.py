"""The papers' claims against the results: one row a claim, with an interval and a verdict (promise P6).

Verdicts are `holds`, `fails` or `undecided`; scripts/studies/claim.py has the rules that all share, a
study's own module its statistics and margins. `published` is the same statistic of the paper's numbers.
"""

from dataclasses import asdict, fields
from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.pairs import PairsSpec
from scripts.lib.config.studies import StudiesSpec
from scripts.studies.claim import Claim, Inputs, StudyClaims
from scripts.studies.files import write_csv
from scripts.studies.what_matters import claims as what_matters

STUDIES: dict[str, StudyClaims] = {"what_matters": what_matters.claims}
"""The register: a study's key in the configuration -> the function that judges its claims."""
COLUMNS = [field.name for field in fields(Claim)]


def all_claims(studies: StudiesSpec, inputs: Inputs) -> list[Claim]:
    """The claims of every configured study, in the order of the configuration's fields."""
    configured = {name: spec for name in StudiesSpec.model_fields if (spec := getattr(studies, name)) is not None}
    return [claim for name, spec in configured.items() for claim in STUDIES[name](spec, inputs)]


def main() -> None:
    parser = cli.parser_of("scripts.studies.claims", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(StudiesSpec), required=True, help="JSON of all studies")
    parser.add_argument(
        "--pairs", type=cli.spec_of(dict[str, PairsSpec]), required=True, help="JSON: the pairs entries, by name"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--tables", type=Path, required=True, help="folder of <study>/<table>.csv made here")
    parser.add_argument("--published", type=Path, required=True, help="folder of <study>/<table>.csv")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    inputs = Inputs(arguments.pairs, arguments.evaluations, arguments.tables, arguments.published)
    write_csv([asdict(claim) for claim in all_claims(arguments.spec, inputs)], COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
