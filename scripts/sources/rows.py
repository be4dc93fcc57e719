"""Reads the rows of a stored source one at a time, each with its position for error messages.

``datasets`` does the loading: hub ids, folders and their splits, Parquet, and the lines of text files. Those lines are
parsed here, because the JSON and CSV readers of ``datasets`` guess types: a cell ``NA`` would become null, ``007`` the
number 7, a text that looks like a date a timestamp. So text stays as written, and a mistake is reported by file and
line.
"""

import csv
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from scripts.lib.config.sources import StoredSource
from scripts.lib.errors import InputError, in_short
from scripts.lib.ids import Messages

SUFFIXES = (".json", ".jsonl", ".csv", ".json.gz", ".jsonl.gz", ".csv.gz", ".parquet")
ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
"""Roles as spelled in OpenAI-style, ShareGPT and OASST messages -> as spelled here."""
NO_NUMBER = ("", "n/a", "na", "none", "null")


@dataclass(frozen=True)
class Row:
    """One row, or a part of one, as the data has it. Its readers raise InputError with the position."""

    where: str
    values: dict[str, Any]

    def has(self, column: str) -> bool:
        return self.values.get(column) is not None

    def value(self, column: str) -> Any:
        """The value of a column that every row must have; None if the data says so."""
        if column not in self.values:
            raise InputError(
                self.where,
                f"no column {column!r}; it has {', '.join(map(str, self.values)) or 'none'}",
                "set the source's kind to the data's format; kinds responses and pairs take the columns' names",
            )
        return self.values[column]

    def text(self, column: str) -> str:
        """Text; "" for null."""
        value = self.value(column)
        if value is not None and not isinstance(value, str):
            self.refuse(column, value, "text")
        return value or ""

    def items(self, column: str) -> list:
        """A list; [] for null."""
        value = self.value(column)
        if value is not None and not isinstance(value, list):
            self.refuse(column, value, "a list")
        return value or []

    def parts(self, column: str) -> "list[Row]":
        """A list of objects, each as a row of its own."""
        return [
            Row(f"{self.where}, {column}[{at}]", _object(self, column, item))
            for at, item in enumerate(self.items(column))
        ]

    def part(self, column: str) -> "Row":
        """An object as a row of its own; without columns if the data has null or nothing."""
        value = self.values.get(column)
        return Row(f"{self.where}, {column}", {} if value is None else _object(self, column, value))

    def number(self, column: str) -> float | None:
        """A number, not necessarily finite; None for null, "N/A" and the like."""
        value = self.value(column)
        if value is None or (isinstance(value, str) and value.strip().lower() in NO_NUMBER):
            return None
        try:
            return math.nan if isinstance(value, bool) else float(value)
        except OverflowError:  # an integer too large for a float
            return math.inf
        except (TypeError, ValueError):
            self.refuse(column, value, "a number")

    def messages(self, column: str) -> Messages:
        """A prompt or a conversation: one user turn for text; [] for null or empty text.

        Accepts {role, content} and ShareGPT's {from, value}; an empty system turn is left out.
        """
        value = self.value(column)
        if not isinstance(value, list):
            text = self.text(column)
            return [{"role": "user", "content": text}] if text.strip() else []
        turns = []
        for turn in self.parts(column):
            who, what = ("from", "value") if "from" in turn.values else ("role", "content")
            role = ROLES.get(turn.text(who).lower())
            if role is None:
                turn.refuse(who, turn.text(who), f"one of the roles {', '.join(ROLES)}")
            if role != "system" or turn.text(what).strip():
                turns.append({"role": role, "content": turn.text(what)})
        return turns

    def refuse(self, column: str, value: Any, wanted: str) -> None:
        shown = repr(value)
        raise InputError(
            self.where,
            f"column {column!r} is {shown if len(shown) <= 80 else shown[:80] + '…'}, not {wanted}",
            "mend or remove the row, or set the source's kind to the data's format",
        )


def _object(row: Row, column: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        row.refuse(column, value, "an object")
    return value


def files_of(spec: StoredSource) -> list[Path] | None:
    """The local files that a source is read from, in order; None for a source on the hub."""
    path = Path(spec.path).expanduser()
    if path.is_dir():
        return _files_in(path, spec)
    if path.exists():
        return [path]
    if spec.path.startswith(("/", ".", "~")) or spec.path.count("/") > 1 or spec.path.endswith(SUFFIXES):
        raise InputError(path, "no such file or folder", "mend the source's path, or name a hub id as owner/name")
    return None


def file_names(spec: StoredSource) -> list[str]:
    """The names, within its folder, of the files that a local source is read from; empty for the hub."""
    path = Path(spec.path).expanduser()
    return [os.path.relpath(file, path if path.is_dir() else path.parent) for file in files_of(spec) or ()]


def read_rows(spec: StoredSource) -> Iterator[Row]:
    """The rows of a source in their order. Raises InputError if there are none or it cannot be read."""
    files = files_of(spec)
    empty = True
    for row in _hub_rows(spec) if files is None else _local_rows(files):
        empty = False
        yield row
    if empty:
        raise InputError(spec.path, f"split {spec.split!r} has no rows", "name a file or split that has some")


def _local_rows(files: list[Path]) -> Iterator[Row]:
    for file in files:
        name = file.name.lower().removesuffix(".gz")
        if not file.name.lower().endswith(SUFFIXES):
            raise InputError(file, "a format that sources do not read", f"give a file of {', '.join(SUFFIXES)}")
        if name.endswith(".parquet"):
            for at, values in enumerate(_stream("parquet", file)):
                yield Row(f"{file}, row {at}", values)
        elif name.endswith(".csv"):
            yield from _csv_rows(file, _lines(file))
        else:
            yield from _json_rows(file, _lines(file))


def _lines(file: Path) -> Iterator[str]:
    for number, row in enumerate(_stream("text", file, keep_linebreaks=True)):
        yield row["text"] if number else row["text"].removeprefix("\ufeff")


def _stream(kind: str, file: Path, **options: Any) -> Iterator[dict[str, Any]]:
    """The rows that a ``datasets`` builder reads from a file, one batch in memory at a time, without a copy on disk."""
    import datasets

    try:
        yield from datasets.load_dataset(kind, data_files=escape(str(file)), split="train", streaming=True, **options)
    except Exception as error:  # the library raises errors of many kinds
        raise InputError(file, _first_lines(error), "fetch it again, as UTF-8 where it is text") from error


def _json_rows(file: Path, lines: Iterator[str]) -> Iterator[Row]:
    """An array of objects, or one object per line, as the first character indicates."""
    started = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not started and line.lstrip().startswith("["):
            text = "\n" * (number - 1) + line + "".join(lines)
            for at, item in enumerate(_parse(text, str(file))):
                yield _row(f"{file}, row {at}", item)
            return
        started = True
        yield _row(f"{file}, line {number}", _parse(line, f"{file}, line {number}"))


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise InputError(
            f"{where}, {at}", f"broken JSON: {error.msg}", "give one array of objects, or one whole object a line"
        ) from error
    except RecursionError as error:
        raise InputError(where, "JSON nested too deeply", "remove the row") from error


def _row(where: str, item: Any) -> Row:
    if not isinstance(item, dict):
        raise InputError(where, f"not an object but {type(item).__name__}", "give an object with named columns a row")
    return Row(where, item)


def _csv_rows(file: Path, lines: Iterable[str]) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or []
        if repeated := [name for at, name in enumerate(names) if name in names[:at]]:
            raise InputError(f"{file}, line 1", f"two columns {repeated[0]!r}", "give each column a name of its own")
        for values in reader:
            where = f"{file}, line {reader.line_num}"
            if None in values or None in values.values():
                raise InputError(where, "more or fewer cells than the header names", "mend the row's commas and quotes")
            yield Row(where, values)
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}", f"broken CSV: {error}", "mend the row's quotes") from error


def _files_in(folder: Path, spec: StoredSource) -> list[Path]:
    """A split's files in a folder, by datasets' rules: the README's configs, else names like data/train-0.jsonl."""
    import datasets

    try:
        builder = datasets.load_dataset_builder(str(folder), name=spec.subset)
    except Exception as error:  # the library raises errors of many kinds
        raise InputError(
            folder, _first_lines(error), "give a folder of data files, and its subset if it has some"
        ) from error
    splits = {str(split): [Path(file) for file in files] for split, files in (builder.config.data_files or {}).items()}
    if spec.split not in splits:
        raise InputError(folder, f"no split {spec.split!r}", f"set split to one of {', '.join(splits) or 'none'}")
    return splits[spec.split]


def _hub_rows(spec: StoredSource) -> Iterator[Row]:
    import datasets

    try:
        table = datasets.load_dataset(spec.path, name=spec.subset, split=spec.split, revision=spec.revision)
    except Exception as error:  # the library raises errors of many kinds
        raise InputError(
            spec.path,
            _first_lines(error),
            "check the hub id, subset, split, revision and the network; or download it and set path to the folder",
        ) from error
    for at, values in enumerate(table):
        yield Row(f"{spec.path}, {spec.split} row {at}", values)


def _first_lines(error: Exception) -> str:
    return f"datasets cannot read it ({type(error).__name__}: {in_short(error)})"
