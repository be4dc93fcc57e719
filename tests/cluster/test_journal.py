"""The journal of open cluster jobs: written jobs are there in the next call, closed ones are not."""

from pathlib import Path

from snakemake_executor_plugin_prefatlas.journal import Entry, Journal

ENTRIES = [Entry(str(id), f"logs/{id}.log", {f"results/{id}.parquet": "digest"}) for id in (7, 12)]


def test_what_was_open_is_found_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "slurm")
    assert list(journal.open()) == []
    for entry in ENTRIES:
        journal.write(entry)
    again = Journal(tmp_path / "slurm")
    assert sorted(again.open(), key=lambda entry: int(entry.id)) == ENTRIES
    again.close("7")
    again.close("7")  # closed twice: the first one counts
    assert list(journal.open()) == ENTRIES[1:]


def test_jobs_of_a_folder_have_one_name(tmp_path: Path) -> None:
    names = [Journal(tmp_path / folder).name() for folder in ("a", "a", "b")]
    assert names[0] == names[1] != names[2]


def test_a_half_written_entry_is_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "7.new").write_text('{"id": "7", "lo')
    assert list(journal.open()) == []
