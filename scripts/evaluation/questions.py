"""Makes the questions of a suite of the didactic world: JSON Lines, one object per question."""

import json
from pathlib import Path

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.lib.world.suites import SUITES, questions


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.questions", __doc__)
    parser.add_argument("--task", choices=list(SUITES), required=True)
    parser.add_argument("--size", type=int, required=True, help="how many questions")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other questions")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    rows = questions(arguments.task, arguments.size, arguments.seed)
    write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), arguments.out)


if __name__ == "__main__":
    cli.run(main)
