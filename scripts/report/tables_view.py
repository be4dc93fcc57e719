"""The study's tables in the template's terms."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib.names import PairsName
from scripts.report.labels import benchmark
from studies.what_matters.figures.rows import KEY, benchmarks_of, read_rows, read_table1


@dataclass(frozen=True)
class Contrast:
    """How one of Tables 2 to 4 is shown: its heading, its figure, and its columns beside seeds and benchmarks.

    group: opens a new block of rows where it changes. extras: column -> heading; each has a published twin.
    """

    title: str
    note: str
    figure: str
    group: str
    labels: dict[str, str]
    extras: dict[str, str]


CONTRASTS = {
    "table2": Contrast(
        "Table 2: online DPO with fixed chosen responses, and continual SFT",
        "Both start from the same policy and train on the best responses of each dataset.",
        "chosen_only",
        "dataset",
        {"configuration": "training"},
        {},
    ),
    "table3": Contrast(
        "Table 3: chosen quality against the gap",
        "Gain: in the headline benchmark, of the first row of two over the second.",
        "gaps",
        "part",
        {"configuration": "pairs"},
        {"mean_chosen": "mean chosen", "mean_gap": "mean gap", "gain": "gain"},
    ),
    "table4": Contrast(
        "Table 4: on-policy samples in offline data",
        "Mean chosen: of the offline dataset. Scores are in the units of the scorer; the paper’s in those of its own.",
        "on_policy",
        "quality",
        {"on_policy": "on-policy, percent"},
        {"mean_chosen": "mean chosen"},
    ),
}


def table1(path: Path) -> dict[str, Any]:
    """Table 1 in the template's terms."""
    benchmarks = read_table1(path).benchmarks
    rows: list[dict[str, Any]] = []
    for row in pd.read_csv(path).to_dict("records"):
        tiers = [tier for key in ("chosen", "rejected") if isinstance(tier := row[key], str)]
        rows.append(
            {key: row[key] for key in KEY}
            | {
                "configuration": "/".join(tiers),
                "first": not rows or rows[-1]["dataset"] != row["dataset"],
                "cells": [
                    {"value": row[name], "se": row[f"{name}_se"], "published": row[f"{name}_published"]}
                    for name in benchmarks
                ],
            }
        )
    return {"benchmarks": [benchmark(name) for name in benchmarks], "rows": rows}


def table5(path: Path) -> dict[str, Any]:
    """Table 5 in the template's terms."""
    table = pd.read_csv(path)
    statistics = [column.removesuffix("_published") for column in table if column.endswith("_published")]
    names = table["dataset"].tolist()
    rows = [
        {key: row[key] for key in ("dataset", "side", "pairs")}
        | {
            "configuration": PairsName(
                **{key: row[key] for key in ("dataset", "chosen", "rejected")},
                on_policy="" if pd.isna(row["on_policy"]) else f"{row['on_policy']:g}",
            ).configuration,
            "first": place == 0 or names[place - 1] != names[place],
            "cells": [{"value": row[name], "published": row[f"{name}_published"]} for name in statistics],
        }
        for place, row in enumerate(table.to_dict("records"))
    ]
    return {"statistics": statistics, "rows": rows}


def contrast(path: Path, name: str) -> dict[str, Any]:
    """One of Tables 2 to 4."""
    view = CONTRASTS[name]
    table = read_rows(path, [view.group, *view.labels, "n_seeds"])
    benchmarks = benchmarks_of(table)
    rows: list[dict[str, Any]] = []
    for row in table.to_dict("records"):
        group = str(row[view.group])
        labels = [row[label] for label in view.labels]
        rows.append(
            {
                "group": group,
                "first": not rows or rows[-1]["group"] != group,
                "labels": ["" if pd.isna(each) else str(each) for each in labels],
                "n_seeds": row["n_seeds"],
                "extras": [
                    {"value": row[each], "se": row.get(f"{each}_se"), "published": row[f"{each}_published"]}
                    for each in view.extras
                ],
                "cells": [
                    {"value": row[each], "se": row[f"{each}_se"], "published": row[f"{each}_published"]}
                    for each in benchmarks
                ],
            }
        )
    return {
        "name": name,
        "title": view.title,
        "note": view.note,
        "figure": view.figure,
        "labels": list(view.labels.values()),
        "extras": list(view.extras.values()),
        "benchmarks": [benchmark(each) for each in benchmarks],
        "rows": rows,
    }


def sharing(path: Path) -> list[dict[str, Any]]:
    """What the study computed, and what its runs would have computed one by one."""
    return pd.read_csv(path).to_dict("records")


def theory(path: Path) -> list[dict[str, Any]]:
    """The theory's quantities, whether each agrees with what is predicted."""
    rows = pd.read_csv(path).to_dict("records")
    return [
        row
        | {
            "first": at == 0 or rows[at - 1]["statement"] != row["statement"],
            "agrees": abs(row["measured"] - row["predicted"]) <= row["tolerance"],
        }
        for at, row in enumerate(rows)
    ]
