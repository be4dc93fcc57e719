"""Claims: the rules of judgement, their file, and the table of all studies' claims."""

import pandas as pd
import pytest

from scripts.lib.claims import COLUMNS, Claim, read_claims, write_claims
from scripts.lib.errors import InputError
from scripts.studies import claims as step
from scripts.studies.verdicts import all_of, is_negligible, is_positive


@pytest.mark.parametrize(
    ("ci", "seeds", "verdict"),
    [
        ((0.1, 2), 2, "holds"),
        ((-2, -0.1), 2, "fails"),
        ((-2, 0), 2, "fails"),
        ((-1, 1), 2, "undecided"),
        ((0.1, 2), 1, "undecided"),
    ],
)
def test_positive(ci, seeds, verdict):
    assert is_positive(ci, seeds) == verdict


@pytest.mark.parametrize(
    ("ci", "seeds", "verdict"),
    [
        ((-0.5, 0.9), 3, "holds"),
        ((0.2, 0.9), 3, "holds"),
        ((-0.5, 1.1), 3, "undecided"),
        ((0.2, 1.1), 3, "fails"),
        ((-3, -0.2), 3, "fails"),
        ((-0.5, 0.9), 1, "undecided"),
    ],
)
def test_negligible_within_one(ci, seeds, verdict):
    assert is_negligible(ci, 1.0, seeds) == verdict


def test_parts_make_the_whole():
    assert all_of(["holds", "holds"]) == "holds"
    assert all_of(["holds", "undecided"]) == "undecided"
    assert all_of(["undecided", "fails"]) == "fails"


def claim(study: str, name: str, measured: float = 1.0) -> Claim:
    return Claim(study, name, 'it, as "they" say, rises', None, measured, 0.5, 1.5, 2, "holds")


def test_claims_are_read_as_they_were_written(tmp_path):
    write_claims([claim("s", "a"), claim("s", "a.b", 0.123456)], tmp_path / "claims.csv")
    found = read_claims(tmp_path / "claims.csv")
    assert list(found) == COLUMNS and list(found["claim"]) == ["a", "a.b"]
    assert list(found["measured"]) == [1.0, 0.1235] and found["published"].isna().all()


@pytest.mark.parametrize("text", ["a,b\n1,2\n", ",".join(COLUMNS) + "\ns,a,it,,1,0,2,2,maybe\n", ""])
def test_another_table_is_no_table_of_claims(tmp_path, text):
    (tmp_path / "claims.csv").write_text(text)
    with pytest.raises(InputError, match=r"no table of claims|not readable"):
        read_claims(tmp_path / "claims.csv")


def test_all_studies_claims_are_one_table_in_the_studies_order(tmp_path, monkeypatch):
    files = [tmp_path / f"{study}.csv" for study in ("second", "first")]
    for file in files:
        write_claims([claim(file.stem, "a"), claim(file.stem, "b")], file)
    out = tmp_path / "claims.csv"
    monkeypatch.setattr("sys.argv", ["step", "--claims", *map(str, files), "--out", str(out)])
    step.main()
    joined = read_claims(out)
    assert list(zip(joined["study"], joined["claim"], strict=True)) == [
        (study, name) for study in ("second", "first") for name in ("a", "b")
    ]
    pd.testing.assert_frame_equal(joined, pd.concat(map(read_claims, files), ignore_index=True))
