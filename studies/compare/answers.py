"""Reads what the compared runs answered: the command line and the input of both tables of the study."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.studies.files import read_runs
from studies.compare.config import Config
from studies.compare.layout import start, trained

Answers = dict[str, np.ndarray]
"""Name of a group -> its answers to one suite, (policies, questions), in points; the same questions for all."""
Rows = Callable[[Config, Mapping[str, Answers]], list[dict[str, object]]]
"""A table's rows, from the answers by suite."""


def read_answers(folder: Path, spec: Config, suite: str) -> Answers:
    """From <folder>/<policy>/<suite>.json. Raises InputError if numbers of questions differ."""
    groups = [start(spec), *trained(spec)]
    values = read_runs(folder, [policy for group in groups for policy in group.policies], suite)
    ends = np.cumsum([len(group.policies) for group in groups])
    return dict(zip((group.name for group in groups), np.split(values, ends[:-1]), strict=True))


def write_table(step: str, documentation: str | None, rows: Rows, columns: Callable[[Config], Sequence[str]]) -> None:
    """Make a table of the study as its command line says."""
    parser = cli.parser_of(step, documentation)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    answers = {suite: read_answers(arguments.evaluations, spec, suite) for suite in spec.suites}
    write_csv(rows(spec, answers), columns(spec), arguments.out)
