"""The study's section of the page: the bandit, language models, the paper's categorical example, and the theory."""

from collections import Counter
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.report.html import environment, figures_of
from scripts.report.table import Row, Table, cells_of, read_rows, table_of
from scripts.studies.theorems import judged, read_theory

COLUMNS = ["optimum", "method", "negative_gradient", "samples_from", "reuse", "samples", "reward", "reward_se"]


def bandit(frame: pd.DataFrame) -> Table:
    """A row for each optimum and method; a column for each source of samples, in the table's order."""
    sources = list(dict.fromkeys(zip(frame["samples_from"], frame["reuse"], strict=True)))
    measured = [name for name in ("reward", "reward_unshifted") if name in frame]
    columns = [(of, reuse, name) for name in measured for of, reuse in sources if has(frame, of, reuse, name)]
    rows = []
    for (optimum, method, negative), own in frame.groupby(COLUMNS[:3], sort=False):
        at = {(row["samples_from"], row["reuse"]): row for row in own.to_dict("records")}
        cells = [cells_of(at[of, reuse], [name], places=2)[0] for of, reuse, name in columns]
        rows.append(Row([method, negative], cells, f"optimum {optimum}"))
    return Table(["method", "negative gradient"], [titled(*each) for each in columns], rows)


def has(frame: pd.DataFrame, samples_from: str, reuse: int, measured: str) -> bool:
    """Whether a source of samples has such rewards."""
    rows = frame[(frame["samples_from"] == samples_from) & (frame["reuse"] == reuse)]
    return bool(rows[measured].notna().any())


def titled(samples_from: str, reuse: int, measured: str) -> str:
    """A column's heading."""
    whose = "reference’s" if samples_from == "reference" else "own, every step" if reuse == 1 else f"own, reuse {reuse}"
    return whose if measured == "reward" else f"{whose}, unshifted"


def render(study: str, tables: dict[str, Path], figures: list[Path]) -> str:
    """The fragment described in scripts/report/section.py. tables: bandit, categorical, theory; perhaps language."""
    theory = judged(read_theory(tables["theory"]))
    frame = read_rows(tables["bandit"], COLUMNS)
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(
            study=study,
            bandit=bandit(frame),
            unshifted="reward_unshifted" in frame,
            language=table_of(tables["language"]) if "language" in tables else None,
            categorical=table_of(tables["categorical"]),
            theory=theory,
            tally=Counter(verdict for _, verdict, _ in theory),
            figures=figures_of(figures),
        )
    )


def main() -> None:
    parser = cli.parser_of("studies.mode_seeking.section", __doc__)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, help="bandit.csv and others, by their names")
    parser.add_argument("--figures", type=Path, nargs="+", required=True, help="SVG files; names give their places")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    tables = {path.stem: path for path in arguments.tables}
    write_text(render(arguments.out.stem, tables, arguments.figures), arguments.out)


if __name__ == "__main__":
    cli.run(main)
