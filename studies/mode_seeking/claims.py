"""Step: judges the paper's claims: on the bandit (bandit_claims.py), and on language models (language_claims.py)."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.claims import write_claims
from studies.mode_seeking import bandit_claims, language_claims
from studies.mode_seeking.bandit.spec import Bandit
from studies.mode_seeking.config import Language
from studies.mode_seeking.layout import rows
from studies.mode_seeking.tables.found import read_chosen, read_runs


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.claims", __doc__)
    parser.add_argument("--bandit", type=cli.spec_of(Bandit), required=True, help="the bandit, as JSON")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="the methods' files")
    parser.add_argument("--pairs", type=Path, required=True, help="the file of DPO on fixed pairs")
    parser.add_argument("--language", type=cli.spec_of(Language), help="the grid on language models, as JSON")
    parser.add_argument("--negative", type=cli.spec_of(dict[str, bool]), help="of every variant of the grid, JSON")
    parser.add_argument("--evaluations", type=Path, help="folder of <policy>/<suite>.json")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs, pairs = read_runs(arguments.runs), read_chosen(arguments.pairs)
    found = bandit_claims.claims(arguments.bandit, runs, pairs)
    if arguments.language:
        of_grid = rows(arguments.language, arguments.negative)
        found += language_claims.claims(arguments.language, of_grid, arguments.evaluations)
    write_claims(found, arguments.out)


if __name__ == "__main__":
    cli.run(main)
