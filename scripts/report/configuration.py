"""`results/configuration.json`: the checked configuration as one file, what was asked for and nothing else."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.root import AtlasConfig
from scripts.lib.tables import write_json


def main() -> None:
    parser = cli.parser_of("scripts.report.configuration", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(AtlasConfig), required=True, help="JSON of the configuration")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_json(arguments.spec.model_dump(mode="json", exclude_unset=True), arguments.out)


if __name__ == "__main__":
    cli.run(main)
