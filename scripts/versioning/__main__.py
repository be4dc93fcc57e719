"""Versions the workflow's results with DVC.

record [snakemake arguments]  store every artifact and how it was made; give --configfile and --config as in the run
restore [paths]               bring back all artifacts, or those under some paths, so that Snakemake agrees with them
status                        how results/ differs from what was recorded
run                           run Snakemake as recorded: what `dvc repro` and `dvc exp run` call
"""

import sys
from pathlib import Path

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.versioning import commands


def main() -> None:
    parser = cli.parser_of("scripts.versioning", __doc__)
    parser.add_argument("command", choices=["record", "restore", "status", "run"])
    # The remaining arguments are not parsed here: record passes them to Snakemake unchanged.
    arguments = parser.parse_args(sys.argv[1:2])
    given = sys.argv[2:]
    root = Path.cwd()
    if arguments.command == "record":
        commands.record(root, given)
    elif arguments.command == "restore":
        if flags := [each for each in given if each.startswith("-")]:
            raise InputError("restore", f"takes paths, not {' '.join(flags)}", "name folders or files under results/")
        commands.restore(root, given)
    elif given:
        raise InputError(arguments.command, f"takes nothing more, not {' '.join(given)}", "leave it out")
    else:
        {"status": commands.status, "run": commands.run}[arguments.command](root)


if __name__ == "__main__":
    cli.run(main)
