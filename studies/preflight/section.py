"""The study's part of the report: the verdict, what is to be fixed or looked into, and the way to the whole page."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.tables import read_json, write_text
from scripts.report.html import environment


def render(study: str, summary: dict) -> str:
    """The fragment, as scripts/report/section.py describes it. summary: results/preflight.json."""
    grave = [each for each in summary["findings"] if each["level"] in ("bad", "warn")]
    return (
        environment(Path(__file__).parent)
        .get_template("section.html")
        .render(study=study, summary=summary, findings=grave, page=f"{study}.html")
    )


def main() -> None:
    parser = cli.parser_of("studies.preflight.section", __doc__)
    parser.add_argument("--summary", type=Path, required=True, help="preflight.json")
    parser.add_argument("--out", type=Path, required=True, help="<study>.html")
    arguments = parser.parse_args()
    write_text(render(arguments.out.stem, read_json(arguments.summary)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
