"""The claims made from theory.csv, one per statement."""

import re
from collections.abc import Sequence

from scripts.lib.claims import Claim
from scripts.studies.theorems import Row, by_statement, verdict_of
from studies.what_matters.layout import STUDY


def theory_claims(rows: Sequence[Row]) -> list[Claim]:
    """One claim per statement, in the order of the rows.

    Its numbers are those of the first row that decides its verdict: measured, the median over the seeds; the interval,
    the smallest and the largest over the seeds; published, the prediction. Nothing is sampled from a policy, so there
    is no smallest effect.
    """
    claims = []
    for statement, own in by_statement(rows).items():
        verdict = verdict_of(own)
        decisive = next(row for row in own if row.verdict == verdict)
        claims.append(
            Claim(
                study=STUDY,
                claim=f"theory.{slug(statement)}",
                statement=f"{statement} ({decisive.quantity})",
                finding=decisive.finding,
                published=decisive.predicted,
                measured=decisive.median,
                ci_low=decisive.smallest,
                ci_high=decisive.largest,
                smallest=None,
                n_seeds=decisive.n_seeds,
                n_draws=1,
                kind="theorem",
                verdict=verdict,
            )
        )
    return claims


def slug(statement: str) -> str:
    """A claim's name, from the text before the statement's colon."""
    return re.sub(r"[^a-z0-9]+", "_", statement.partition(":")[0].lower()).strip("_")
