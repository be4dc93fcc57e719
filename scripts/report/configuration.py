"""Writes `results/configuration.json`: the configuration as given, studies' keys included, defaults left out.

It was checked when Snakemake read its rules.
"""

from pathlib import Path
from typing import Any

from scripts.lib import cli
from scripts.lib.tables import write_json


def main() -> None:
    parser = cli.parser_of("scripts.report.configuration", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(dict[str, Any]), required=True, help="JSON of the configuration")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_json(arguments.spec, arguments.out)


if __name__ == "__main__":
    cli.run(main)
