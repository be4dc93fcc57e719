"""Step: judges the paper's claims: on the bandit (bandit_claims.py)."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.claims import write_claims
from studies.mode_seeking import bandit_claims
from studies.mode_seeking.bandit.spec import Bandit
from studies.mode_seeking.tables.found import read_chosen, read_runs


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.claims", __doc__)
    parser.add_argument("--bandit", type=cli.spec_of(Bandit), required=True, help="the bandit, as JSON")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="the methods' files")
    parser.add_argument("--pairs", type=Path, required=True, help="the file of DPO on fixed pairs")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    runs, pairs = read_runs(arguments.runs), read_chosen(arguments.pairs)
    write_claims(bandit_claims.claims(arguments.bandit, runs, pairs), arguments.out)


if __name__ == "__main__":
    cli.run(main)
