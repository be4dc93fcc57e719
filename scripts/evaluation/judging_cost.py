"""Command: the estimated cost of an LLM judge for any number of policies' samples on one suite. Needs no key.

A pair that several policies share is counted once, for the first of them.
"""

import sys
from pathlib import Path

from scripts.evaluation.judge import outputs_of, rows_of
from scripts.evaluation.llm_judges import llm_judge
from scripts.evaluation.local_judges import quieten
from scripts.evaluation.paid_requests import Estimate, estimate, unjudged
from scripts.evaluation.suite_files import read_instructions
from scripts.evaluation.verdicts import Row, Verdicts
from scripts.lib import cli
from scripts.lib.config.evaluation import PaidJudge, WinRateSuite
from scripts.lib.errors import InputError
from scripts.lib.schemas import SAMPLES
from scripts.lib.tables import read_table


def estimates(spec: PaidJudge, rows_of_each: dict[str, list[Row]], folder: Path) -> dict[str, Estimate]:
    """The estimate for each list of rows, given that the lists before it have been judged."""
    judge = llm_judge(spec)
    verdicts = Verdicts(folder, judge.identity)
    known = verdicts.read()
    found = {}
    for name, rows in rows_of_each.items():
        found[name] = estimate(spec, judge, rows, verdicts, known)
        known |= {verdicts.key(row): None for row in unjudged(rows, verdicts, known)}
    return found


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
    if not isinstance(judge, PaidJudge):
        raise InputError("--spec", f"a judge of kind {judge.kind} costs nothing", "ask for an LLM judge's cost only")
    instructions = read_instructions(arguments.prompts, arguments.reference)
    rows = {
        str(path): rows_of(instructions, outputs_of(read_table(path, SAMPLES), instructions, path))
        for path in arguments.samples
    }
    found = estimates(judge, rows, arguments.verdicts)
    for path, each in found.items():
        sys.stdout.write(f"{path}: {each}\n")
    costs = [each.cost for each in found.values() if each.cost is not None]
    total = f", about {sum(costs):.4f} in the prices' currency" if costs else ", no prices"
    sys.stdout.write(f"in all: {sum(each.to_ask for each in found.values())} to ask{total}\n")


if __name__ == "__main__":
    cli.run(main)
