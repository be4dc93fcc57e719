"""Joins the claims of all studies into one table: one row per claim, in the order of the studies."""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.claims import read_claims
from scripts.lib.tables import write_text


def main() -> None:
    parser = cli.parser_of("scripts.studies.claims", __doc__)
    parser.add_argument("--claims", type=Path, nargs="+", required=True, help="the studies' own claims")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    tables = [read_claims(path) for path in arguments.claims]
    write_text(pd.concat(tables).to_csv(index=False, lineterminator="\n"), arguments.out)


if __name__ == "__main__":
    cli.run(main)
