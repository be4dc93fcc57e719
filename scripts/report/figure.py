"""The command line of a figure that is drawn from one table."""

from collections.abc import Callable
from pathlib import Path

from scripts.lib import cli
from scripts.report import style


def draw_table(step: str, documentation: str | None, figure: Callable[[Path], style.Figure]) -> None:
    """Draw ``figure`` of the table that the command line names, into the files that it names."""
    parser = cli.parser_of(step, documentation)
    parser.add_argument("--table", type=Path, required=True, help="CSV file")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    with style.drawing():
        style.save(figure(arguments.table), arguments.out)
