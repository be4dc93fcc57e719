"""Reads benchmark questions from a local copy: of the hub's dataset, or of the files that the authors publish.

lm-eval's definitions read the columns of the hub's datasets. A copy of such a dataset is a folder with one file per
split (``test.jsonl``, or the hub's shards ``test-00000-of-00001.parquet``), in one folder per subset if there are
several. The authors' own files are converted to the same rows:

- MMLU (Hendrycks et al., 2021): a zip, or its extracted content: ``test/<subject>_test.csv``, likewise dev and val,
  with or without a parent folder ``data``; six columns without header.
- TruthfulQA (Lin et al., 2022): ``mc_task.json`` (answer -> label), or ``TruthfulQA.csv``, from whose columns the
  same answers and labels follow.
- IFEval (Zhou et al., 2023): ``input_data.jsonl``. GSM8K (Cobbe et al., 2021): ``train.jsonl`` and ``test.jsonl``.
  Both have the hub's columns.

A zip is read in place: nothing is extracted to disk, and only members with the names above are opened.
"""

import csv
import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from scripts.evaluation.rows import SUFFIXES, read_rows
from scripts.lib.errors import InputError

Row = dict[str, Any]

MMLU_SPLITS = {"dev": "dev", "validation": "val", "test": "test"}
"""Hub split -> its name in the files of MMLU's authors."""

LETTERS = "ABCD"

AUTHORS_FILES = {
    ("validation", "multiple_choice"): ("mc_task.json", "data/mc_task.json", "TruthfulQA.csv"),
    ("validation", "generation"): ("TruthfulQA.csv",),
    ("train", None): ("input_data.jsonl", "data/input_data.jsonl", "ifeval_input_data.jsonl"),
}
"""Subsets whose split has a name of its own in a folder: TruthfulQA's, and IFEval's (renamed on the hub)."""


def holds_splits(path: Path) -> bool:
    """Whether the path holds several splits, rather than the questions of one."""
    return path.is_dir() or path.suffix == ".zip"


def split_rows(path: Path, subset: str | None, split: str) -> list[Row]:
    """The rows of a subset's split, with the hub's columns, in the file's order.

    Raises InputError if the path has no such split, or if a file has neither the hub's nor the authors' format.
    """
    if not holds_splits(path):
        return hub_rows(path, read_rows(path))
    root = _mmlu_root(path)
    if root is not None:
        return _mmlu_rows(path, root, subset, split)
    folder = path / subset if subset and (path / subset).is_dir() else path
    authors = AUTHORS_FILES.get((split, subset), ())
    for name in (*(f"{split}{suffix}" for suffix in SUFFIXES), *authors):
        if (folder / name).is_file():
            return hub_rows(folder / name, read_rows(folder / name))
    if shards := sorted(folder.glob(f"{split}-[0-9]*-of-[0-9]*.parquet")):
        return [row for shard in shards for row in read_rows(shard)]
    names = " or ".join((f"{split}{SUFFIXES[0]}", *authors))
    raise InputError(folder, f"has no file of split {split}", f"put {names} there")


def hub_rows(path: Path, rows: list[Row]) -> list[Row]:
    """TruthfulQA's own rows with the hub's columns; other rows unchanged. Raises InputError if an answer is missing."""
    columns = set(rows[0])
    if columns >= {"Question", "Best Answer", "Correct Answers", "Incorrect Answers"}:
        return [_answers_row(f"{path}, row {at}", row) for at, row in enumerate(rows)]
    if "mc1_targets" in columns and "choices" not in rows[0]["mc1_targets"]:
        kinds = sorted(column for column in columns if column.endswith("_targets"))
        return [{**row, **{kind: _targets(row[kind]) for kind in kinds}} for row in rows]
    return rows


def _targets(labels: dict[str, int]) -> dict[str, list]:
    return {"choices": list(labels), "labels": list(labels.values())}


def _answers_row(where: str, row: Row) -> Row:
    """The hub's columns, of both subsets, from a row of TruthfulQA.csv.

    MC1 asks for the best answer among the false ones, MC2 for all true ones among all. An answer listed both as true
    and as false keeps the position of the first and the label of the second, as in mc_task.json.
    """
    best, correct, incorrect = (
        _split_answers(row[column]) for column in ("Best Answer", "Correct Answers", "Incorrect Answers")
    )
    if not (best and correct and incorrect):
        raise InputError(where, "lacks a best, a correct or an incorrect answer", "fix the row: it needs all three")
    false = dict.fromkeys(incorrect, 0)
    return {
        "question": row["Question"],
        "best_answer": best[0],
        "correct_answers": correct,
        "incorrect_answers": incorrect,
        "mc1_targets": _targets({best[0]: 1} | false),
        "mc2_targets": _targets(dict.fromkeys(correct, 1) | false),
    }


def _split_answers(text: object) -> list[str]:
    """Answers separated by semicolons, each ended with a full stop."""
    answers = [answer.strip() for answer in str(text).split(";")]
    return [answer if answer.endswith(".") else f"{answer}." for answer in answers if answer]


def _mmlu_root(path: Path) -> Traversable | None:
    """The folder or zip that holds MMLU's dev, val and test: always for a zip, for a folder if they are there."""
    try:
        root = zipfile.Path(path) if path.suffix == ".zip" else path
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(path, f"not readable ({error})", "copy the zip again") from error
    for folder in (root, root / "data"):
        for split in MMLU_SPLITS.values():
            tables = (folder / split).iterdir() if (folder / split).is_dir() else ()
            if any(table.name.endswith(f"_{split}.csv") for table in tables):
                return folder
    if path.suffix == ".zip":
        raise InputError(
            path,
            "has no test/<subject>_test.csv, in a folder data or not",
            "give MMLU's data as its authors zipped it, or unzip what this is and give the folder",
        )
    return None


def _mmlu_rows(path: Path, root: Traversable, subject: str | None, split: str) -> list[Row]:
    if split not in MMLU_SPLITS:
        raise InputError(
            path, f"is MMLU's data, which has no split {split}", f"ask for one of {', '.join(MMLU_SPLITS)}"
        )
    name = f"{MMLU_SPLITS[split]}/{subject}_{MMLU_SPLITS[split]}.csv"
    if not (root / name).is_file():
        raise InputError(path, f"is MMLU's data without {name}", "take all subjects, or ask a task that this one has")
    try:
        with (root / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, RuntimeError, csv.Error, zipfile.BadZipFile) as error:
        raise InputError(f"{path}, {name}", f"not readable ({error})", "copy it again") from error
    for at, row in enumerate(rows):
        if len(row) != 6 or row[5] not in tuple(LETTERS):
            raise InputError(
                f"{path}, {name}, row {at}",
                f"is not a question, four choices and a letter: {row}",
                "fix the row, or copy the file again",
            )
    if not rows:
        raise InputError(f"{path}, {name}", "holds no rows", "copy it again")
    return [
        {"question": row[0], "subject": subject, "choices": row[1:5], "answer": LETTERS.index(row[5])} for row in rows
    ]
