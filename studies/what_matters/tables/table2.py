"""Table 2 of "What Matters in Data for DPO?" (section 5.2): online DPO with fixed chosen responses, and continual SFT.

Both train on the best responses of each dataset. Online DPO rejects the policy's own responses, sampled during
training; continual SFT, with hyperparameters of its own (Appendix B.3), rejects nothing.
"""

from scripts.lib import cli
from studies.what_matters import layout
from studies.what_matters.tables import measured

KEY = ("dataset", "configuration")


def main() -> None:
    arguments = measured.arguments_of("studies.what_matters.tables.table2", __doc__)
    measured.write_rows(arguments, layout.table2(arguments.spec, arguments.pairs), KEY)


if __name__ == "__main__":
    cli.run(main)
