"""Reads the rows of a suite's data file: JSON Lines, JSON, Parquet or CSV."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from scripts.lib.errors import InputError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv")


def read_rows(path: str | Path) -> list[dict]:
    """The file's rows in order; numbers in a CSV become numbers. Raises InputError if missing, unreadable or empty."""
    path = Path(path)
    name = path.name
    remedy = f"give a file of rows that ends in one of {', '.join(SUFFIXES)}"
    if not name.endswith(SUFFIXES):
        raise InputError(path, "not a kind of file that suites are read from", remedy)
    try:
        if name.endswith(".parquet"):
            rows = pq.read_table(path).to_pylist()
        elif name.endswith(".csv"):
            rows = pd.read_csv(path, keep_default_na=False).to_dict("records")
        else:
            with (
                gzip.open(path, "rt", encoding="utf-8")
                if name.endswith(".gz")
                else open(path, encoding="utf-8") as file
            ):
                rows = (
                    json.load(file) if name.endswith(".json") else [json.loads(line) for line in file if line.strip()]
                )
    except (OSError, ValueError) as error:
        raise InputError(path, f"not readable ({error})", remedy) from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(path, "holds no rows", remedy)
    return rows
