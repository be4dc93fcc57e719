"""Table 1 of "What Matters in Data for DPO?" (section 5.2): the quality of chosen and of rejected responses."""

from scripts.lib import cli
from studies.what_matters import layout
from studies.what_matters.tables import measured

KEY = ("dataset", "chosen", "rejected")


def main() -> None:
    arguments = measured.arguments_of("studies.what_matters.tables.table1", __doc__)
    measured.write_rows(arguments, layout.table1(arguments.spec, arguments.pairs), KEY)


if __name__ == "__main__":
    cli.run(main)
