"""Tables on disk: every Parquet file is checked against its schema when read and when written.

Writes are atomic (a temporary file next to the target, then a rename), so that a killed job or a full disk never leaves
half a file under its final name (promise P5), and deterministic, so that equal tables are equal files (promise P2). A
table carries its own digest: damage on disk is detected when it is read. Tables of text can be larger than memory:
``read_batches`` and ``writing`` hold only a part at a time.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError
from scripts.lib.seal import BLANK, KEY, is_whole, seal

Check = Callable[[pa.Table], "tuple[int, str] | None"]

ROW_GROUP = 65_536
GROUP_BYTES = 1 << 24
"""A table written in parts begins a new row group after ROW_GROUP rows, or after the part that reaches GROUP_BYTES."""


THREADS = "prefatlas.threads"
"""In a footer: how many CPU threads the model behind a table computed with (scripts/lib/threads.py)."""


@dataclass(frozen=True)
class Schema:
    """The contract of one kind of table (promise P4).

    columns: name -> Arrow type, in the order in which they are written.
    key: columns that together identify a row; no two rows may share them.
    nullable: columns that may hold nulls; elsewhere a null, NaN, infinity or empty string is refused.
    checks: further rules, each ``table -> None | (row, problem)``.
    defaults: columns that whoever makes a table may leave out, and what they then hold.
    """

    name: str
    columns: dict[str, pa.DataType]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = field(default=())
    defaults: dict[str, Any] = field(default_factory=dict)

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema(list(self.columns.items()))

    @property
    def required(self) -> list[str]:
        """The columns without a default."""
        return [column for column in self.columns if column not in self.defaults]

    def only(self, columns: Sequence[str]) -> "Schema":
        """The part of the schema that applies to some of the columns."""
        key = self.key if set(self.key) <= set(columns) else ()
        defaults = {name: value for name, value in self.defaults.items() if name in columns}
        return Schema(self.name, {name: self.columns[name] for name in columns}, key, self.nullable, defaults=defaults)

    def validate(self, table: pa.Table, where: str | Path, first_row: int = 0) -> pa.Table:
        """The table with exactly the schema's columns and types. Raises InputError naming the row.

        first_row: the row number of the table's first row, if the table is a part of a larger one.
        """
        self.check_columns(table.column_names, where)
        for column, value in self.defaults.items():
            if column not in table.column_names:
                table = table.append_column(column, pa.array([value] * len(table), self.columns[column]))
        try:
            table = table.select(list(self.columns)).cast(self.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise InputError(where, f"wrong type in a {self.name} table: {error}", "fix the named column") from error
        for column in self.columns:
            if column not in self.nullable and (found := _first_bad_value(table.column(column))):
                row, problem = found
                raise InputError(
                    f"{where}, row {first_row + row}", f"{column} is {problem}", "drop or fix the row where it is made"
                )
        if self.key:
            self._refuse_duplicates(table, where, first_row)
        for check in self.checks:
            if found := check(table):
                row, problem = found
                raise InputError(f"{where}, row {first_row + row}", problem, "fix the row where it is made")
        return table

    def check_columns(self, names: Sequence[str], where: str | Path) -> None:
        """Raises InputError unless the names are exactly those of the schema's columns, in any order."""
        missing = [column for column in self.required if column not in names]
        if missing:
            raise InputError(
                where,
                f"a {self.name} table needs the column(s) {', '.join(missing)}; it has {', '.join(names)}",
                "rename or add the columns in the step or file that made it",
            )
        extra = [column for column in names if column not in self.columns]
        if extra:
            raise InputError(
                where,
                f"a {self.name} table has no column(s) {', '.join(extra)}",
                "drop them, or extend scripts/lib/schemas.py",
            )

    def _refuse_duplicates(self, table: pa.Table, where: str | Path, first_row: int = 0) -> None:
        keys = table.select(list(self.key))
        distinct = (
            pc.count_distinct(keys.column(0)).as_py()
            if len(self.key) == 1
            else keys.group_by(list(self.key)).aggregate([]).num_rows
        )
        if distinct < len(keys):
            frame = keys.to_pandas()
            row = int(frame.duplicated().to_numpy().argmax())
            raise InputError(
                f"{where}, row {first_row + row}",
                f"a second row for {dict(frame.iloc[row])}",
                f"a {self.name} table has one row for each {' + '.join(self.key)}: drop the repeated rows",
            )

    def _refuse_shared_keys(self, file: Path, where: str | Path) -> None:
        """As :meth:`_refuse_duplicates` for a file's rows, holding eight bytes per row unless two keys may be equal."""
        parts = pq.ParquetFile(file).iter_batches(ROW_GROUP, columns=list(self.key))
        hashes = [pd.util.hash_pandas_object(part.to_pandas(), index=False).to_numpy() for part in parts]
        found = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))
        if (found[1:] == found[:-1]).any():
            self._refuse_duplicates(pq.read_table(file, columns=list(self.key)), where)


def _first_bad_value(column: pa.ChunkedArray) -> tuple[int, str] | None:
    kinds: list[tuple[str, Any]] = [("null", pc.is_null(column))]
    if pa.types.is_floating(column.type):
        kinds.append(("not a finite number", pc.invert(pc.is_finite(column))))
    elif pa.types.is_string(column.type):
        kinds.append(("empty", pc.equal(column, "")))
    elif pa.types.is_list(column.type):
        kinds.append(("an empty list", pc.equal(pc.list_value_length(column), 0)))
    for problem, mask in kinds:
        row = pc.index(mask, True).as_py()
        if row >= 0:
            return row, problem
    return None


def read_table(path: str | Path, schema: Schema, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read and check a table; list columns hold Python lists (of floats, or of message dicts).

    columns: those to read and check, all by default; a step that works on ids need not hold the text as well.
    """
    part = schema.only(columns) if columns else schema
    with _opened(path, schema) as file:
        return frame_of(part.validate(file.read(columns=list(part.columns)), path), part)


def read_batches(
    path: str | Path, schema: Schema, columns: Sequence[str] | None = None, rows: int = ROW_GROUP
) -> Iterator[pa.Table]:
    """A table's parts of at most ``rows`` rows, in order, each checked separately."""
    part = schema.only(columns) if columns else schema
    first_row = 0
    with _opened(path, schema) as file:
        for batch in file.iter_batches(rows, columns=list(part.columns), use_threads=False):
            yield part.validate(pa.Table.from_batches([batch]), path, first_row)
            first_row += len(batch)


@contextmanager
def _opened(path: str | Path, schema: Schema) -> Iterator[pq.ParquetFile]:
    try:
        if not is_whole(Path(path)):
            raise InputError(path, "damaged: not the table that was written", "delete it and run snakemake again")
        with pq.ParquetFile(path, buffer_size=1 << 20) as file:
            schema.check_columns(file.schema_arrow.names, path)
            yield file
    except FileNotFoundError as error:
        raise InputError(path, "no such file", "run snakemake: it makes every table") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(path, f"not a readable Parquet file ({error})", "delete it and run snakemake again") from error


def frame_of(table: pa.Table, schema: Schema) -> pd.DataFrame:
    """A checked table, or a part of one, in the form that ``read_table`` returns."""
    frame = table.to_pandas()
    for column, kind in schema.columns.items():
        if pa.types.is_list(kind) and not pa.types.is_floating(kind.value_type):
            frame[column] = pd.Series(table.column(column).to_pylist(), dtype=object)
    return frame


def ordered(frame: pd.DataFrame, by: Sequence[str], descending: Sequence[str] = ()) -> pd.DataFrame:
    """The rows sorted by some columns, stably; Arrow sorts many strings in less time and memory than pandas."""
    keys = [(name, "descending" if name in descending else "ascending") for name in by]
    order = pc.sort_indices(pa.table({name: pa.array(frame[name]) for name in by}), sort_keys=keys)
    return frame.take(order.to_numpy()).reset_index(drop=True)


def runs_of(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """(start, length) of each run of equal values in a sorted column."""
    starts = np.flatnonzero((column != column.shift()).to_numpy())
    return starts, np.diff(np.r_[starts, len(column)])


def write_table(frame: pd.DataFrame, path: str | Path, schema: Schema, threads: int | None = None) -> None:
    """Check a table and write it atomically.

    threads: of the model that computed it, if it has no card to tell them; kept under THREADS in the footer.
    """
    table = schema.validate(_arrow_of(frame, path, schema), path)
    with _sealed(path, table.schema, {} if threads is None else {THREADS: str(threads)}) as file:
        file.write_table(table)


class TableWriter:
    """Receives a table part by part (see :func:`writing`)."""

    def __init__(self, path: str | Path, schema: Schema, file: pq.ParquetWriter) -> None:
        self.path, self.schema, self.file = path, schema, file
        self.waiting = schema.arrow.empty_table()
        self.rows = 0

    def write(self, part: "pd.DataFrame | pa.Table") -> None:
        """Check the table's next rows, and write once a row group is full."""
        table = part if isinstance(part, pa.Table) else _arrow_of(part, self.path, self.schema)
        self.waiting = pa.concat_tables([self.waiting, self.schema.validate(table, self.path, self.rows)])
        self.rows += len(table)
        while len(self.waiting) > ROW_GROUP:
            self._write(ROW_GROUP)
        if self.waiting.nbytes >= GROUP_BYTES:
            self._write(len(self.waiting))

    def close(self) -> None:
        if len(self.waiting) or not self.rows:
            self._write(len(self.waiting))

    def _write(self, rows: int) -> None:
        self.file.write_table(self.waiting.slice(0, rows).combine_chunks(), row_group_size=ROW_GROUP)
        self.waiting = self.waiting.slice(rows)


@contextmanager
def writing(path: str | Path, schema: Schema) -> Iterator[TableWriter]:
    """Write a table atomically, part by part, and check that no two parts share a key."""
    with _sealed(path, schema.arrow, {}) as file:
        writer = TableWriter(path, schema, file)
        yield writer
        writer.close()
        file.close()
        schema._refuse_shared_keys(file.where, path)


@contextmanager
def _sealed(path: str | Path, schema: pa.Schema, footer: dict[str, str]) -> Iterator[pq.ParquetWriter]:
    """A writer of a Parquet file, put in place atomically; its footer holds ``footer`` and the file's digest."""
    with replacing(path) as temporary:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as file:
            file.add_key_value_metadata({**footer, KEY: BLANK})
            yield file
        seal(temporary)


def _arrow_of(frame: pd.DataFrame, path: str | Path, schema: Schema) -> pa.Table:
    absent = [column for column in schema.required if column not in frame.columns]
    columns = {name: frame[name] for name in frame.columns}
    try:
        table = pa.table(
            {
                name: pa.array(list(values) if pa.types.is_list(kind) else values, type=kind, from_pandas=True)
                for name, values in columns.items()
                if (kind := schema.columns.get(name)) is not None
            }
            | {name: pa.array(values) for name, values in columns.items() if name not in schema.columns}
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(path, f"cannot be written as a {schema.name} table: {error}", "fix the named value") from error
    return schema.arrow.empty_table() if absent and not len(frame) else table


def card_of(table: Path) -> Path:
    """Where the card of a table is: next to it."""
    return table.with_suffix(".card.json")


def write_text(text: str, path: str | Path) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: str | Path) -> None:
    """Write JSON atomically, keys in the order given, floats in full precision."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_json(path: str | Path) -> Any:
    """Read JSON. Raises InputError if the file is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as JSON ({error})", "delete it and run snakemake again") from error
