"""How sure the verdicts about runs are, counted together: a row for each part, and for each claim without parts.

`p` is below 0.05 where the verdict is decided (scripts/studies/verdicts.py). `p_adjusted` is Benjamini and Hochberg's,
over all rows: of the verdicts with a value below 0.05, at most 5 % are wrong on average. Read it where many verdicts
are looked through for the few that are decided. The verdicts themselves are of one claim each.
"""

from collections.abc import Sequence

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.statistics.multiplicity import benjamini_hochberg
from studies.what_matters.claims import inputs_of, judged, parser_of
from studies.what_matters.found import Found

COLUMNS = ("claim", "verdict", "p", "p_adjusted")


def rows(found: Sequence[Found]) -> list[dict[str, object]]:
    parts = [each for each in found if each.p is not None]
    adjusted = benjamini_hochberg([each.p for each in parts]) if parts else []
    return [
        dict(zip(COLUMNS, (each.claim.claim, each.claim.verdict, each.p, float(p)), strict=True))
        for each, p in zip(parts, adjusted, strict=True)
    ]


def main() -> None:
    arguments = parser_of("studies.what_matters.tables.verdicts", __doc__).parse_args()
    write_csv(rows(judged(arguments.spec, inputs_of(arguments))), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
