"""Common command line of figures drawn from a single table."""

from collections.abc import Callable
from pathlib import Path

from scripts.lib import cli
from scripts.report import style


def draw_table(step: str, documentation: str | None, figure: Callable[[Path], style.Figure]) -> None:
    """Draw ``figure`` from the table given on the command line, into the files given there."""
    parser = cli.parser_of(step, documentation)
    parser.add_argument("--table", type=Path, required=True, help="CSV file")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    with style.drawing():
        style.save(figure(arguments.table), arguments.out)
