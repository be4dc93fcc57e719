"""Reads and writes a part's table of measures, whose columns are the part's own (studies/preflight/rows.py)."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.lib.disk import replacing
from scripts.lib.errors import InputError

REQUIRED = {"pair": pa.int64(), "drop": pa.list_(pa.string())}


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table atomically; ``drop`` holds lists of reasons."""
    types = {name: REQUIRED.get(name) for name in frame}
    table = pa.table({name: pa.array(frame[name], type=kind, from_pandas=True) for name, kind in types.items()})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_measures(path: Path) -> pd.DataFrame:
    """A part's measures, ``drop`` as Python lists. Raises InputError if ``pair`` or ``drop`` is missing."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(path, f"not a readable Parquet file ({error})", "delete it and run snakemake again") from error
    if missing := [name for name in REQUIRED if name not in table.column_names]:
        raise InputError(path, f"has no column {', '.join(missing)}", "delete it and run snakemake again")
    return table.to_pandas().assign(drop=table["drop"].to_pylist())
