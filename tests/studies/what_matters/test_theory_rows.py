"""The rows of theory.csv: the rule over seeds, what is read and refused, and the claims made from them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.studies.theorems import (
    COLUMNS,
    Statement,
    above,
    by_statement,
    read_theory,
    verdict_of,
    within,
    write_theory,
)
from studies.what_matters.theory.claims import theory_claims

VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)
STATEMENT = Statement("Theorem 1, as stated: a is b", "It is {0.median:.1f}, or {0.median:.0%}. What stands: c.")
LIMIT = Statement("Theorem 1, far away: a is b", "The paper does not claim it.", claimed=False)


@given(VALUES, st.floats(-1, 1), st.floats(0.01, 1))
def test_within_counts_the_seeds_at_most_the_tolerance_away(values, predicted, tolerance):
    quantity = within(tolerance, predicted, "x", values)
    inside = [predicted - tolerance <= value <= predicted + tolerance for value in values]
    edge = [math.isclose(abs(value - predicted), tolerance, rel_tol=1e-9) for value in values]
    assert sum(inside) - sum(edge) <= quantity.agreeing <= sum(inside) + sum(edge)
    assert (quantity.smallest, quantity.largest, quantity.n_seeds) == (min(values), max(values), len(values))
    assert sum(value <= quantity.median for value in values) * 2 >= len(values)
    assert sum(value >= quantity.median for value in values) * 2 >= len(values)


def test_the_tolerance_is_inclusive_and_a_bound_is_not():
    assert within(0.5, 1.0, "x", [0.5, 1.5]).agreeing == 2
    assert above(0.5, "x", [0.5, 0.5000001]).agreeing == 1
    assert within(0.5, 1.0, "x", [math.nan]).agreeing == above(0.5, "x", [math.nan]).agreeing == 0


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_row_needs_all_seeds_to_hold_and_none_to_fail(agree):
    values = [0.0 if each else 1.0 for each in agree]
    expected = "holds" if all(agree) else "undecided" if any(agree) else "fails"
    assert [row.verdict for row in STATEMENT.rows(within(0.5, 0.0, "x", values))] == [expected]
    assert [row.verdict for row in LIMIT.rows(within(0.5, 0.0, "x", values))] == ["beyond"]


HOLDS, FAILS, MIXED = (within(0.5, 0.0, name, values) for name, values in [("h", [0]), ("f", [1]), ("m", [0, 1])])


@pytest.mark.parametrize(
    ("quantities", "verdict", "decisive"),
    [
        ([HOLDS, HOLDS], "holds", "h"),
        ([HOLDS, MIXED], "undecided", "m"),
        ([MIXED, HOLDS, FAILS], "fails", "f"),
    ],
)
def test_the_first_row_that_decides_speaks_for_the_statement(quantities, verdict, decisive):
    rows = STATEMENT.rows(*quantities)
    (claim,) = theory_claims(rows)
    assert verdict_of(rows) == claim.verdict == verdict
    assert claim.statement == f"{STATEMENT.says} ({decisive})"


def test_a_claim_shows_the_spread_over_seeds_and_the_finding():
    rows = STATEMENT.rows(above(0.5, "share", [0.9, 0.7, 0.8])) + LIMIT.rows(within(0.1, 1.0, "norm", [3.0, 2.0]))
    first, second = theory_claims(rows)
    assert (first.claim, second.claim) == ("theory.theorem_1_as_stated", "theory.theorem_1_far_away")
    assert (first.published, first.measured, first.ci_low, first.ci_high) == (0.5, 0.8, 0.7, 0.9)
    assert (first.n_seeds, first.n_draws, first.kind) == (3, 1, "theorem") and first.smallest is None
    assert first.finding == "It is 0.8, or 80 %. What stands: c."
    assert (first.verdict, second.verdict) == ("holds", "beyond")


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = STATEMENT.rows(HOLDS, above(0.5, "share", [0.25, 1.0])) + LIMIT.rows(FAILS)
    write_theory(rows, tmp_path / "theory.csv")
    assert read_theory(tmp_path / "theory.csv") == rows
    assert [len(own) for own in by_statement(rows).values()] == [2, 1]


GOOD = dict(zip(COLUMNS, ["a: b", "c.", "x", "within", "0.0", "0.1", "0", "0", "0", "3", "3", "holds"], strict=True))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"median": "x"}, "line 2"),
        ({"median": ""}, "a blank"),
        ({"agreeing": ""}, "line 2"),
        ({"finding": ""}, "a blank"),
        ({"verdict": "agrees"}, "agrees"),
        ({"relation": "below"}, "below"),
    ],
)
def test_broken_rows_are_refused(tmp_path, changed, problem):
    path = tmp_path / "theory.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(GOOD.values()) + "\n")
    assert len(read_theory(path)) == 1
    path.write_text(",".join(COLUMNS) + "\n" + ",".join({**GOOD, **changed}.values()) + "\n")
    with pytest.raises(InputError, match=problem) as error:
        read_theory(path)
    assert "theory.csv" in str(error.value)


@pytest.mark.parametrize(("text", "problem"), [("statement,quantity\na,b\n", "has the columns"), ("", "not readable")])
def test_another_table_is_refused(tmp_path, text, problem):
    path = tmp_path / "theory.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        read_theory(path)
