"""Reads the rows of a stored source one at a time, each with its position for error messages.

``datasets`` does the loading: hub ids, folders and their splits, Parquet, and the lines of text files. Those lines are
parsed here, because the JSON and CSV readers of ``datasets`` guess types: a cell ``NA`` would become null, ``007`` the
number 7, a text that looks like a date a timestamp. So text stays as written, and a mistake is reported by file and
line.
"""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator
from glob import escape, has_magic
from pathlib import Path
from typing import Any

from scripts.lib.config.sources import StoredSource
from scripts.lib.errors import InputError, in_short
from scripts.sources.row import Account, Row, blank, spelt

SUFFIXES = (".json", ".jsonl", ".csv", ".json.gz", ".jsonl.gz", ".csv.gz", ".parquet")
CONTEXT = frozenset(
    [
        "system",
        "system_prompt",
        "system_message",
        "system_instruction",
        "history",
        "chat_history",
        "conversation_history",
        "context",
        "input",
        "tools",
        "functions",
        "documents",
        "image",
        "images",
        "video",
        "videos",
        "audio",
        "audios",
    ]
)
"""Columns that change what a prompt asks: read where the configuration names them, else refused, never left behind."""


def files_of(spec: StoredSource) -> list[Path] | None:
    """The local files that a source is read from, in order; None for a source on the hub."""
    path = Path(spec.path)
    if path.is_dir():
        return _files_in(path, spec)
    if path.exists():
        return [_plain(path)]
    if spec.path.startswith(("/", ".", "~")) or spec.path.count("/") > 1 or spec.path.endswith(SUFFIXES):
        raise InputError(path, "no such file or folder", "fix the source's path, or name a hub id as owner/name")
    return None


def _plain(path: Path) -> Path:
    """The path. Raises InputError for one that datasets would not take for the name of a file."""
    if "::" in str(path.resolve()) or "\n" in str(path.resolve()):
        raise InputError(path, "its path has :: or a line end, which datasets does not read", "rename it")
    return path


def file_names(spec: StoredSource) -> list[str]:
    """The names, within its folder, of the files that a local source is read from; empty for the hub."""
    path = Path(spec.path)
    return [os.path.relpath(file, path if path.is_dir() else path.parent) for file in files_of(spec) or ()]


def read_rows(spec: StoredSource, account: Account | None = None) -> Iterator[Row]:
    """The rows of a source in their order; ``account`` is kept of what they hold.

    Raises InputError if there are none, if the source cannot be read, or for a row whose prompt has more parts than the
    configuration names.
    """
    account = account or Account()
    left_out = frozenset(spec.leave_out)
    columns = spec.columns.model_dump().values() if hasattr(spec, "columns") else ()
    named = left_out | {name for name in columns if isinstance(name, str)}
    empty = True
    for where, values in cells(spec):
        empty = False
        row = Row(where, values, account, left_out=left_out, reasoning=spec.reasoning)
        _refuse_more_context(row, named)
        yield row
    if empty:
        raise InputError(spec.path, f"split {spec.split!r} has no rows", "name a file or split that has some")


Cells = tuple[str, dict[str, Any]]
"""A row's position, and its values."""


def cells(spec: StoredSource) -> Iterator[Cells]:
    """The rows of a source as they are written, whatever its kind. Raises InputError if they cannot be read."""
    files = files_of(spec)
    return _hub_rows(spec) if files is None else _local_rows(files)


def _refuse_more_context(row: Row, named: frozenset[str]) -> None:
    for column, value in row.values.items():
        if spelt(column) in CONTEXT and column not in named and not blank(value):
            row.refuse(
                column,
                value,
                "named in the configuration: is it a part of the prompt?",
                "name it as system, history or input in the columns of kind responses, pairs or comparisons; "
                f"or, where prompts mean the same without it, add {column} to the source's leave_out",
            )


def _local_rows(files: list[Path]) -> Iterator[Cells]:
    for file in files:
        name = file.name.lower().removesuffix(".gz")
        if not file.name.lower().endswith(SUFFIXES):
            raise InputError(file, "a format that sources do not read", f"give a file of {', '.join(SUFFIXES)}")
        if name.endswith(".parquet"):
            for at, values in enumerate(_stream("parquet", file)):
                yield f"{file}, row {at}", values
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


def _json_rows(file: Path, lines: Iterator[str]) -> Iterator[Cells]:
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
            f"{where}, {at}", f"broken JSON: {error.msg}", "give one array of objects, or one whole object per line"
        ) from error
    except RecursionError as error:
        raise InputError(where, "JSON nested too deeply", "remove the row") from error


def _row(where: str, item: Any) -> Cells:
    if not isinstance(item, dict):
        raise InputError(where, f"not an object but {type(item).__name__}", "give an object with named columns per row")
    return where, item


def _csv_rows(file: Path, lines: Iterable[str]) -> Iterator[Cells]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(lines, strict=True)
    try:
        names = reader.fieldnames or []
        if repeated := [name for at, name in enumerate(names) if name in names[:at]]:
            raise InputError(f"{file}, line 1", f"two columns {repeated[0]!r}", "give each column a name of its own")
        for values in reader:
            where = f"{file}, line {reader.line_num}"
            if None in values or None in values.values():
                raise InputError(where, "more or fewer cells than the header names", "fix the row's commas and quotes")
            yield where, values
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}", f"broken CSV: {error}", "fix the row's quotes") from error


def _files_in(folder: Path, spec: StoredSource) -> list[Path]:
    """A split's files in a folder, by datasets' rules: the README's configs, else names like data/train-0.jsonl."""
    import datasets

    _plain(folder)
    if has_magic(str(folder.resolve())):
        raise InputError(
            folder, "its path has one of * ? [, a pattern to datasets", "rename the folder, or name its files"
        )
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


def _hub_rows(spec: StoredSource) -> Iterator[Cells]:
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
        yield f"{spec.path}, {spec.split} row {at}", values


def _first_lines(error: Exception) -> str:
    return f"datasets cannot read it ({type(error).__name__}: {in_short(error)})"
