"""Command: the estimated cost of an LLM judge for any number of policies' samples on one suite. Needs no key.

A pair that several policies share is counted once, for the first of them.
"""

import sys
from pathlib import Path

from scripts.evaluation.judge import outputs_of, rows_of
from scripts.evaluation.llm_judges import llm_judge
from scripts.evaluation.local_judges import quieten
from scripts.evaluation.suite_files import read_instructions
from scripts.evaluation.verdicts import Verdicts, pairs_of
from scripts.lib import cli
from scripts.lib.asking import estimates, table_of
from scripts.lib.config.endpoints import Paid
from scripts.lib.config.evaluation import WinRateSuite
from scripts.lib.errors import InputError
from scripts.lib.schemas import SAMPLES
from scripts.lib.tables import read_table


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.judging_cost", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(WinRateSuite), required=True, help="JSON of the suite")
    parser.add_argument("--prompts", type=Path, required=True, help="the suite's instructions")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--samples", type=Path, nargs="+", required=True, help="the policies' outputs")
    parser.add_argument("--verdicts", type=Path, required=True, help="folder in which verdicts are kept")
    arguments = parser.parse_args()
    quieten()

    judge = arguments.spec.judge
    if not isinstance(judge, Paid):
        raise InputError("--spec", f"a judge of kind {judge.kind} costs nothing", "ask for an LLM judge's cost only")
    instructions = read_instructions(arguments.prompts, arguments.reference)
    rows = {
        str(path): pairs_of(rows_of(instructions, outputs_of(read_table(path, SAMPLES), instructions, path)))
        for path in arguments.samples
    }
    llm = llm_judge(judge)
    found = estimates(judge, llm, rows, Verdicts(arguments.verdicts, llm.identity))
    sys.stdout.write(f"{table_of(found)}\n")


if __name__ == "__main__":
    cli.run(main)
