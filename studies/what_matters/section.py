"""The study's section of the page: Tables 1 to 5 next to the paper's numbers, section 4's theory, and their figures."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.names import PairsName
from scripts.lib.tables import write_text
from scripts.report.html import environment, figures_of
from scripts.report.table import Cell, Row, Table, cells_of, heading, measured_in, read_rows, text_of
from scripts.studies.theorems import judged, read_theory

REPEATS = ("n_seeds", "n_draws")


def table1(frame: pd.DataFrame) -> Table:
    """Labelled by the tiers of chosen and rejected; the baseline has neither."""
    benchmarks, repeats = measured_in(frame), repeats_in(frame)
    rows = []
    for row in frame.to_dict("records"):
        tiers = "/".join(tier for side in ("chosen", "rejected") if (tier := text_of(row[side])))
        cells = [*cells_of(row, repeats, places=0), *cells_of(row, benchmarks)]
        rows.append(Row([tiers or row["dataset"]], cells, row["dataset"] if tiers else ""))
    return Table(["chosen/rejected"], [*map(heading, [*repeats, *benchmarks])], rows)


def repeats_in(frame: pd.DataFrame) -> list[str]:
    """The columns that say how often a row was repeated: draws only where there are several."""
    return [each for each in REPEATS if each == "n_seeds" or (frame[each] > 1).any()]


def contrast(frame: pd.DataFrame, *, group: str, label: str, called: str, scores: tuple[str, ...] = ()) -> Table:
    """Tables 2 to 4: ``group`` opens a block of rows, ``label`` names a row in it, under the heading ``called``.

    scores: columns before the benchmarks.
    """
    benchmarks, repeats = [each for each in measured_in(frame) if each not in scores], repeats_in(frame)
    rows = []
    for row in frame.to_dict("records"):
        of, name = text_of(row[group]), text_of(row[label])
        cells = [*cells_of(row, repeats, places=0), *cells_of(row, scores, places=2), *cells_of(row, benchmarks)]
        rows.append(Row([name or of], cells, of if name else ""))
    return Table([called], [*map(heading, [*repeats, *scores, *benchmarks])], rows)


def table5(frame: pd.DataFrame) -> Table:
    """Two rows per pairs dataset, which is named once."""
    statistics = [column for column in frame if f"{column}_published" in frame]
    rows = []
    for row in frame.to_dict("records"):
        share = "" if pd.isna(row["on_policy"]) else f"{row['on_policy']:g}"
        name = PairsName(dataset=row["dataset"], chosen=row["chosen"], rejected=row["rejected"], on_policy=share)
        labels = [name.configuration if row["side"] == "chosen" else "", row["side"]]
        cells = [Cell(row["pairs"], places=0), *cells_of(row, statistics, places=2)]
        rows.append(Row(labels, cells, row["dataset"]))
    return Table(["chosen/rejected", "side"], ["pairs", *statistics], rows)


@dataclass(frozen=True)
class Shown:
    """How one of the paper's tables is shown: its heading, a note, its figure, and its content from its CSV file."""

    title: str
    note: str
    figure: str | None
    columns: tuple[str, ...]
    content: Callable[[pd.DataFrame], Table]


TABLES = {
    "table1": Shown(
        "Table 1",
        "Points. Ours: mean ± standard error over questions, seeds and draws of the data. In grey, the paper’s number.",
        "benchmarks",
        ("dataset", "chosen", "rejected", *REPEATS),
        table1,
    ),
    "table2": Shown(
        "Table 2: online DPO with fixed chosen responses, and continual SFT",
        "Both start from the same policy and train on the best responses of each dataset.",
        "table2",
        ("dataset", "configuration", *REPEATS),
        partial(contrast, group="dataset", label="configuration", called="training"),
    ),
    "table3": Shown(
        "Table 3: chosen quality against the gap",
        "Gain: in the headline benchmark, of the first row of two over the second.",
        "table3",
        ("part", "configuration", *REPEATS, "mean_chosen", "mean_gap", "gain"),
        partial(
            contrast, group="part", label="configuration", called="pairs", scores=("mean_chosen", "mean_gap", "gain")
        ),
    ),
    "table4": Shown(
        "Table 4: on-policy samples in offline data",
        "Mean chosen: of the offline dataset. Scores are in the units of the scorer; the paper’s in those of its own.",
        "table4",
        ("quality", "on_policy", *REPEATS, "mean_chosen"),
        partial(contrast, group="quality", label="on_policy", called="on-policy, percent", scores=("mean_chosen",)),
    ),
    "table5": Shown(
        "Table 5: scores of chosen and rejected responses",
        "In grey, the paper’s number, in the units of its reward model; its misprints are kept.",
        None,
        ("dataset", "chosen", "rejected", "on_policy", "side", "pairs"),
        table5,
    ),
}


def render(study: str, tables: dict[str, Path], figures: list[Path]) -> str:
    """The fragment described in scripts/report/section.py. tables: by name, those that exist."""
    theory = judged(read_theory(tables["theory"])) if "theory" in tables else []
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(
            study=study,
            shown={name: view for name, view in TABLES.items() if name in tables},
            contents={
                name: view.content(read_rows(tables[name], view.columns))
                for name, view in TABLES.items()
                if name in tables
            },
            theory=theory,
            tally=Counter(verdict for _, verdict, _ in theory),
            figures=figures_of(figures),
        )
    )


def main() -> None:
    parser = cli.parser_of("studies.what_matters.section", __doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="table1.csv and so on, theory.csv")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="SVG files; names give their places")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()

    tables = {path.stem: path for path in arguments.tables}
    write_text(render(arguments.out.stem, tables, arguments.figures), arguments.out)


if __name__ == "__main__":
    cli.run(main)
