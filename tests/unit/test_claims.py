"""Claims: the rules of judgement, what is found in words, their file, and the table of all studies' claims."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.claims import COLUMNS, Claim, read_claims, write_claims
from scripts.lib.errors import InputError
from scripts.studies import claims as step
from scripts.studies.findings import Words, finding, places_of, signed
from scripts.studies.verdicts import Judged, is_positive, is_within


@pytest.mark.parametrize(
    ("ci", "verdict"),
    [((0.1, 2), "holds"), ((-2, -0.1), "fails"), ((-2, 0), "fails"), ((-1, 1), "undecided")],
)
def test_positive(ci, verdict):
    assert is_positive(ci) == verdict


@pytest.mark.parametrize(
    ("ci", "verdict"),
    [
        ((-0.5, 0.9), "holds"),
        ((0.2, 0.9), "holds"),
        ((-0.5, 1.1), "undecided"),
        ((0.2, 1.1), "undecided"),  # an effect, not shown to be small, nor to be large
        ((-3, -0.2), "undecided"),
        ((1.1, 3), "fails"),
        ((-3, -1.1), "fails"),
    ],
)
def test_negligible_within_one(ci, verdict):
    assert is_within(ci, 1.0) == verdict


def test_one_run_gives_no_verdict():
    judged = Judged(1.0, 0.5, 1.5, 0.9, "holds", 0.001)
    assert judged.of_runs(2) == judged
    assert judged.of_runs(1) == Judged(1.0, 0.5, 1.5, None, "undecided", 1.0)


WORDS = Words("TOPIC", "YES", "NO", "points a tier")
NUMBERS = st.floats(-50, 50).map(lambda value: round(value, 3))


@given(NUMBERS, st.floats(0.01, 20), st.sampled_from([1, 5]), st.sampled_from([None, 0.5, 3.0]))
def test_no_finding_contradicts_its_verdict(value, reach, draws, margin):
    ci = (value - reach, value + reach)
    verdict = is_positive(ci) if margin is None else is_within(ci, margin)
    said = finding(WORDS, Judged(value, *ci, 1.4 * reach, verdict), draws, margin)
    assert said.startswith({"holds": "YES", "fails": "NO", "undecided": "TOPIC"}[verdict])
    assert ("for this draw" in said) == (verdict != "undecided" and draws == 1)
    assert f"{signed(value, places_of(2 * reach))} points a tier" in said and said.endswith(".")
    assert ("too small" in said) <= (verdict == "undecided")
    if margin is not None:
        assert ("within the margin" in said, "beyond the margin" in said) == (verdict == "holds", verdict == "fails")


def test_findings_in_full():
    judged = Judged(2.13, 1.41, 2.8, 1.0, "holds")
    assert finding(WORDS, judged, 5) == "YES: +2.1 points a tier (1.4 to 2.8)."
    assert finding(WORDS, judged, 1) == "YES, for this draw: +2.1 points a tier (1.4 to 2.8)."
    small = Judged(0.3, -0.26, 0.86, 0.8, "undecided")
    assert finding(WORDS, small, 5) == (
        "TOPIC: too small to see here, measured +0.3 points a tier (−0.3 to 0.9), could have seen 0.8."
    )
    assert finding(WORDS, small.of_runs(1), 1) == (
        "TOPIC: not decided, measured +0.3 points a tier (−0.3 to 0.9); one run does not show training noise."
    )
    wide = replace(small, low=-1.0, high=1.6, smallest=1.9)
    assert finding(WORDS, wide, 5, margin=1.0).endswith("could have confirmed a margin of 1.9, not of 1.0.")
    near = replace(small, low=-0.8, high=1.4, smallest=0.7)
    assert finding(WORDS, near, 5, margin=1.0).endswith("the margin is 1.0.")
    whole = replace(WORDS, unit="of its margin", least="most on GSM8K, ")
    assert finding(whole, Judged(1.7, 1.1, 2.4, 0.9, "fails"), 5, margin=1.0) == (
        "NO: most on GSM8K, 1.7 of its margin (1.1 to 2.4)."
    )


def test_decimals_follow_the_interval():
    assert [places_of(width) for width in (30.0, 1.2, 0.9, 0.05, 0.0)] == [1, 1, 2, 3, 1]
    assert [signed(value, 1) for value in (0.04, -0.04, 1.25, -3.0)] == ["0.0", "0.0", "+1.2", "−3.0"]


def claim(study: str, name: str, measured: float = 1.0) -> Claim:
    said = 'it, as "they" say, rises'
    return Claim(study, name, said, "It does.", None, measured, 0.5, 1.5, 0.7, 2, 3, "finding", "holds")


def test_claims_are_read_as_they_were_written(tmp_path):
    write_claims([claim("s", "a"), claim("s", "a.b", 0.123456)], tmp_path / "claims.csv")
    found = read_claims(tmp_path / "claims.csv")
    assert list(found) == COLUMNS and list(found["claim"]) == ["a", "a.b"]
    assert COLUMNS[:7] == ["study", "claim", "statement", "finding", "published", "measured", "ci_low"]
    assert COLUMNS[7:] == ["ci_high", "smallest", "n_seeds", "n_draws", "kind", "verdict"]
    assert list(found["measured"]) == [1.0, 0.1235] and found["published"].isna().all()


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        ",".join(COLUMNS) + "\ns,a,it,it,,1,0,2,1,2,1,finding,maybe\n",
        ",".join(COLUMNS) + "\ns,a,it,it,,1,0,2,1,2,1,guess,holds\n",
        "",
    ],
)
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
