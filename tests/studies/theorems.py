"""What every room's theory table must do: keep its verdicts at other seeds, and be read as written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.studies.theorems import Row, by_statement, read_theory, verdict_of, write_theory


def check_verdicts(rows: Sequence[Row], verdicts: Mapping[str, str], folder: Path) -> None:
    """verdicts: beginning of each statement, in the table's order -> its verdict."""
    found = {says: verdict_of(of) for says, of in by_statement(rows).items()}
    assert len(found) == len(verdicts)
    for (says, verdict), (begins, expected) in zip(found.items(), verdicts.items(), strict=True):
        assert says.startswith(begins) and verdict == expected, says
    write_theory(rows, folder / "theory.csv")
    assert [row.verdict for row in read_theory(folder / "theory.csv")] == [row.verdict for row in rows]
