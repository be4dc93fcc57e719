"""How often the claims' statistics are right, in simulated studies whose truth is known (simulated_studies.py)."""

import math

import pytest

from tests import simulated_studies
from tests.simulated_studies import STUDIES, TABLE, Row, counts

FEW = 60
"""Studies in which a rule that is wrong is seen, in seconds."""
QUICK = [heading for heading, (world, _) in TABLE.items() if world.questions <= 200]


def keeps_its_bounds(row: Row, count: float, studies: int) -> bool:
    """Whether a count, in percent, keeps the bounds: within one Monte Carlo standard error, or three of few studies."""
    errors = 1 if studies == STUDIES else 3
    lower, upper = (errors * math.sqrt(max(at * (100 - at), 100) / studies) for at in (row.least, row.most))
    return row.least - lower <= count <= row.most + upper


@pytest.mark.slow
@pytest.mark.parametrize("heading", TABLE)
def test_rows_of_the_table_keep_their_bounds(heading):
    world, rows = TABLE[heading]
    found = dict(zip([row.what for row in rows], counts(world, rows, STUDIES), strict=True))
    assert all(keeps_its_bounds(row, found[row.what], STUDIES) for row in rows), found


@pytest.mark.parametrize("heading", QUICK)
def test_rows_keep_their_bounds_in_few_studies(heading, monkeypatch):
    monkeypatch.setattr(simulated_studies, "REPLICATES", 1000)
    world, rows = TABLE[heading]
    found = dict(zip([row.what for row in rows], counts(world, rows, FEW), strict=True))
    assert all(keeps_its_bounds(row, found[row.what], FEW) for row in rows), found
