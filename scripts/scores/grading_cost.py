"""Command: the estimated cost of an LLM's grades for any number of families of one prompt set. Needs no key.

An answer that several families share is counted once, for the first of them.
"""

import sys
from pathlib import Path

from scripts.lib import cli
from scripts.lib.asking import estimates, table_of
from scripts.lib.config.scorers import LlmGradesScorer
from scripts.lib.llm_grades import LlmGrades
from scripts.lib.schemas import RESPONSES
from scripts.lib.tables import read_table
from scripts.lib.texts import texts_of_family


def main() -> None:
    parser = cli.parser_of("scripts.scores.grading_cost", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(LlmGradesScorer), required=True, help="JSON of the scorers entry")
    parser.add_argument("--prompts", type=Path, required=True, help="the prompt set's prompts")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="the prompt set's, or sampled ones")
    parser.add_argument("--verdicts", type=Path, required=True, help="folder in which its answers are kept")
    arguments = parser.parse_args()

    scorer = LlmGrades(arguments.spec, arguments.verdicts)
    rows = {}
    for path in arguments.responses:
        for family in read_table(path, RESPONSES, ["family"])["family"].unique():
            texts = texts_of_family(arguments.prompts, path, family)
            found = scorer.rows_of(list(zip(texts["prompt"], texts["response"], strict=True)))
            rows[family] = [row for row in found if row is not None]
    sys.stdout.write(f"{table_of(estimates(arguments.spec, scorer.llm, rows, scorer.answers))}\n")


if __name__ == "__main__":
    cli.run(main)
