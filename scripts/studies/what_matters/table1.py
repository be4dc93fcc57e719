"""Table 1 of "What Matters in Data for DPO?" (section 5.2): the quality of chosen and of rejected responses."""

from scripts.lib import cli
from scripts.studies.what_matters import layout, measured

KEY = ("dataset", "chosen", "rejected")


def main() -> None:
    arguments = measured.arguments_of("scripts.studies.what_matters.table1", __doc__)
    measured.write_rows(arguments, layout.table1(arguments.spec, arguments.pairs), KEY)


if __name__ == "__main__":
    cli.run(main)
