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
}
"""The tables of answers, with their captions."""
LIKELIHOODS = {
    "Table 7: log-probs per token before and after, in nats": ("_change", "_change_se", "_pull", "_pull_se"),
    "Changes, and how much harder DPO pulls": ("_before", "_after", "_published"),
}
"""Caption -> the endings of columns of table7 that are not in it: on the page it is two tables."""


def render(study: str, tables: dict[str, Path], figures: list[Path]) -> str:
    """The fragment described in scripts/report/section.py. tables: toy_findings, theory, and if any those of runs."""
    theory = judged(read_theory(tables["theory"]))
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(
            study=study,
            runs={name: (caption, table_of(tables[name])) for name, caption in NAMES.items() if name in tables},
            likelihoods=[
                (caption, table_of(tables["table7"], hidden))
                for caption, hidden in LIKELIHOODS.items()
                if "table7" in tables
            ],
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
