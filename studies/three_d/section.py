"""The study's section of the page: the runs' tables and figures, then the toy model, then the theory."""

from collections import Counter
from pathlib import Path

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.report.html import environment, figures_of
from scripts.report.table import table_of
from scripts.studies.theorems import judged, read_theory

NAMES = {
    "table1": "Table 1: answers, all problems",
    "table8": "Table 8: answers, by kind of problem",
    "table9": "Table 9: other objectives on the pairs of scenario 1",
    "beta_sweep": "Figure 4: Flex-DPO",
    "table2": "Table 2: PPO against DPO on verses and slogans",
    "rm_vs_dpo": "Figures 5 and 7 to 9: reward model against DPO",
    "table7": "Table 7: log-probs per token, in nats",
}
"""The tables of runs, in the page's order, with their captions."""


def render(study: str, tables: dict[str, Path], figures: list[Path]) -> str:
    """The fragment described in scripts/report/section.py. tables: toy_findings, theory, and those of NAMES if any."""
    theory = judged(read_theory(tables["theory"]))
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(
            study=study,
            runs={name: (caption, table_of(tables[name])) for name, caption in NAMES.items() if name in tables},
            toy=table_of(tables["toy_findings"]),
            theory=theory,
            tally=Counter(verdict for _, verdict, _ in theory),
            figures=figures_of(figures),
        )
    )


def main() -> None:
    parser = cli.parser_of("studies.three_d.section", __doc__)
    parser.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="toy_findings, theory, those of runs; CSV"
    )
    parser.add_argument("--figures", type=Path, nargs="+", required=True, help="SVG files; names give their places")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    tables = {path.stem: path for path in arguments.tables}
    write_text(render(arguments.out.stem, tables, arguments.figures), arguments.out)


if __name__ == "__main__":
    cli.run(main)
