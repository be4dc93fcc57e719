"""Tables on disk: every Parquet file is checked against its schema when read and when written.

Writes are atomic (a temporary file beside the target, then a rename), so that a killed job or a full
disk never leaves half a file under its final name (promise P5), and deterministic, so that equal
tables are equal files (promise P2). A table carries its digest: damage on disk is found when it is read.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError
from scripts.lib.seal import BLANK, KEY, is_whole, seal

Check = Callable[[pa.Table], "tuple[int, str] | None"]


@dataclass(frozen=True)
class Schema:
    """The contract of one kind of table (promise P4).

    columns: name -> Arrow type, in the order in which they are written.
    key: columns that together identify a row; no two rows may share them.
    nullable: columns that may hold nulls; elsewhere a null, NaN, infinity or empty string is refused.
    checks: further rules, each ``table -> None | (row, problem)``.
    """

    name: str
    columns: dict[str, pa.DataType]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    checks: tuple[Check, ...] = field(default=())

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema(list(self.columns.items()))

    def validate(self, table: pa.Table, where: str | Path) -> pa.Table:
        """The table with exactly the schema's columns and types, or InputError naming the row."""
        missing = [column for column in self.columns if column not in table.column_names]
        if missing:
            raise InputError(
                where,
                f"a {self.name} table needs the column(s) {', '.join(missing)}; it has {', '.join(table.column_names)}",
                "rename or add the columns in the step or file that made it",
            )
        extra = [column for column in table.column_names if column not in self.columns]
        if extra:
            raise InputError(
                where,
                f"a {self.name} table has no column(s) {', '.join(extra)}",
                "drop them, or extend scripts/lib/schemas.py",
            )
        try:
            table = table.select(list(self.columns)).cast(self.arrow)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise InputError(where, f"wrong type in a {self.name} table: {error}", "mend the named column") from error
        for column in self.columns:
            if column not in self.nullable and (found := _first_bad_value(table.column(column))):
                row, problem = found
                raise InputError(
                    f"{where}, row {row}", f"{column} is {problem}", "drop or mend the row where it is made"
                )
        self._refuse_duplicates(table, where)
        for check in self.checks:
            if found := check(table):
                row, problem = found
                raise InputError(f"{where}, row {row}", problem, "mend the row where it is made")
        return table

    def _refuse_duplicates(self, table: pa.Table, where: str | Path) -> None:
        keys = table.select(list(self.key)).to_pandas()
        repeated = keys.duplicated()
        if repeated.any():
            row = int(repeated.to_numpy().argmax())
            raise InputError(
                f"{where}, row {row}",
                f"a second row for {dict(keys.iloc[row])}",
                f"a {self.name} table has one row for each {' + '.join(self.key)}: drop the repeated rows",
            )


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


def read_table(path: str | Path, schema: Schema) -> pd.DataFrame:
    """Read and check a table; list columns hold Python lists (of floats, or of message dicts)."""
    try:
        if not is_whole(Path(path)):
            raise InputError(path, "damaged: not the table that was written", "delete it and run snakemake again")
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(path, "no such file", "run snakemake: it makes every table") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(path, f"not a readable Parquet file ({error})", "delete it and run snakemake again") from error
    table = schema.validate(table, path)
    frame = table.to_pandas()
    for column, kind in schema.columns.items():
        if pa.types.is_list(kind) and not pa.types.is_floating(kind.value_type):
            frame[column] = pd.Series(table.column(column).to_pylist(), dtype=object)
    return frame


def write_table(frame: pd.DataFrame, path: str | Path, schema: Schema) -> None:
    """Check a table and write it atomically."""
    absent = [column for column in schema.columns if column not in frame.columns]
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
        raise InputError(
            path, f"cannot be written as a {schema.name} table: {error}", "mend the named value"
        ) from error
    if absent and not len(frame):
        table = schema.arrow.empty_table()
    table = schema.validate(table, path)
    with replacing(path) as temporary:
        with pq.ParquetWriter(temporary, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({KEY: BLANK})
        seal(temporary)


def write_text(text: str, path: str | Path) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(value: Any, path: str | Path) -> None:
    """Write JSON atomically, keys in the order given, floats in full."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)


def read_json(path: str | Path) -> Any:
    """Read JSON; InputError when it is not there or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable as JSON ({error})", "delete it and run snakemake again") from error
