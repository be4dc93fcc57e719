"""The rule by which a paper's theorems are judged over seeds, and the table of its quantities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.studies.theorems import Statement, above, by_statement, read_theory, verdict_of, within, write_theory

STATEMENT = Statement("Theorem 1, as stated: a is b", "It is {0.median:.1f}, or {0.median:.0%}.")
LIMIT = Statement("Theorem 1, far away: a is b", "The paper does not claim it.", claimed=False)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_a_row_needs_all_seeds_to_hold_and_none_to_fail(agree: list[bool]) -> None:
    quantity = within(0.5, 0.0, "x", [0.0 if each else 1.0 for each in agree])
    expected = "holds" if all(agree) else "undecided" if any(agree) else "fails"
    assert quantity.agreeing == sum(agree) and quantity.n_seeds == len(agree)
    assert [row.verdict for row in STATEMENT.rows(quantity)] == [expected]
    assert [row.verdict for row in LIMIT.rows(quantity)] == ["beyond"]


def test_the_tolerance_is_inclusive_and_a_bound_is_not() -> None:
    assert within(0.5, 1.0, "x", [0.5, 1.5]).agreeing == 2
    assert above(0.5, "x", [0.5, 0.5000001]).agreeing == 1


def test_one_row_that_fails_fails_its_statement_and_rows_are_read_as_written(tmp_path) -> None:
    good, bad = within(0.5, 0.0, "good", [0.25]), above(0.5, "bad", [0.25])
    rows = STATEMENT.rows(good, bad) + LIMIT.rows(good)
    assert [verdict_of(of) for of in by_statement(rows).values()] == ["fails", "beyond"]
    assert rows[0].finding == "It is 0.2, or 25 %."
    path = tmp_path / "theory.csv"
    write_theory(rows, path)
    assert read_theory(path) == rows
    path.write_text(path.read_text().replace("beyond", "true"))
    with pytest.raises(InputError, match=r"line 4.*true"):
        read_theory(path)
