"""The study's section of the page: the tables of two iterations beside the paper's numbers, then the others."""

from pathlib import Path
from typing import Any

import pandas as pd

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.report.html import environment, figures_of
from scripts.report.table import Row, Table, cells_of, heading, read_rows, table_of, text_of
from studies.alignment_stages.discrepancy import written

TITLE = "Two iterations, and the boundary between stages"
NUMBERS = {"win_rate": 1, "lc_win_rate": 1, "increase": 1, "avg_length": 0, "true_reward": 1, "boundary_score": 2}
"""Column -> decimals."""
HEADINGS = {"iterations": "tables 1, 3, 4 and 5", "table2": "table 2", "distinct": "distinct assumption"}
"""Table -> its heading, where that is not its name."""


def iterations(frame: pd.DataFrame) -> Table:
    """A block per policy and objective; Delta is text, here and as printed in the paper."""
    shown = [each for each in NUMBERS if each in frame and frame[each].notna().any()]
    rows = []
    for row in frame.to_dict("records"):
        told = delta_of(row["delta"]), delta_of(row["delta_published"])
        labels = [text_of(row["iteration_1"]) or "–", text_of(row["iteration_2"]) or "–", *told]
        cells = [cell for each in shown for cell in cells_of(row, [each], NUMBERS[each])]
        model = f" (paper: {row['model']})" if text_of(row["model"]) else ""
        rows.append(Row(labels, cells, f"{row['policy']}, {row['objective']}{model}"))
    return Table(["iteration 1", "iteration 2", "Δ", "Δ in the paper"], [heading(each) for each in shown], rows)


def delta_of(value: Any) -> str:
    """As written in the table; a column without words is read as numbers."""
    return written(float(value)) if isinstance(value, float) and pd.notna(value) else text_of(value)


def render(study: str, tables: list[Path], figures: list[Path]) -> str:
    shown = {
        HEADINGS.get(path.stem, path.stem): iterations(read_rows(path)) if path.stem == "iterations" else table_of(path)
        for path in tables
    }
    template = environment().get_template("section.html")
    return template.render(study=study, title=TITLE, tables=shown, figures=list(figures_of(figures).values()))


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.section", __doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="CSV files, in the page's order")
    parser.add_argument("--figures", type=Path, nargs="+", required=True, help="SVG files; the first is the headline")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    write_text(render(arguments.out.stem, arguments.tables, arguments.figures), arguments.out)


if __name__ == "__main__":
    cli.run(main)
