"""Judges a policy's outputs against the reference's, and computes win rate and length-controlled win rate.

An empty output is judged like any other. An LLM's verdicts are stored in ``--verdicts``, where all policies and suites
look up the pairs that they share; the estimated cost is logged before the first request.
"""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from scripts.evaluation.control_files import MINIMAL, LengthControl, fitted, published
from scripts.evaluation.llm_judges import llm_judge
from scripts.evaluation.local_judges import annotator_of, judged, quieten
from scripts.evaluation.rates import WinRates, in_order, win_rates
from scripts.evaluation.suite_files import ALPACA_EVAL, Instruction, read_instructions
from scripts.evaluation.verdicts import Row, Verdicts, judged_once
from scripts.lib import cli
from scripts.lib.config.endpoints import Paid
from scripts.lib.config.evaluation import JudgeSpec, WinRateSuite
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.errors import InputError
from scripts.lib.results import Evaluation, evaluation, write_evaluation
from scripts.lib.rewards import Scorer, scorer_of
from scripts.lib.schemas import JUDGEMENTS, SAMPLES
from scripts.lib.tables import read_table, write_table

log = logging.getLogger(__name__)


def outputs_of(samples: pd.DataFrame, instructions: Sequence[Instruction], where: Path) -> list[str]:
    """The policy's output to each instruction, in their order. Raises InputError unless there is exactly one each."""
    outputs = dict(zip(samples["prompt_id"], samples["response"].fillna(""), strict=True))
    asked = {each.prompt_id for each in instructions}
    if len(outputs) < len(samples):
        raise InputError(where, "several samples of a prompt", "set the suite's sampling.samples to 1")
    if outputs.keys() != asked:
        raise InputError(
            where,
            f"{len(asked - outputs.keys())} instructions of the suite have no sample, "
            f"{len(outputs.keys() - asked)} samples no instruction",
            "delete the samples and run snakemake again",
        )
    return [outputs[each.prompt_id] for each in instructions]


def judgement_table(
    instructions: Sequence[Instruction], outputs: Sequence[str], preferences: Sequence[float | None]
) -> pd.DataFrame:
    """JUDGEMENTS: one row per instruction; lengths in characters."""
    return pd.DataFrame(
        {
            "prompt_id": [each.prompt_id for each in instructions],
            "reference_length": [len(each.reference) for each in instructions],
            "length": [len(output) for output in outputs],
            "preference": pd.Series(preferences, dtype=float),
        }
    )


def control_of(suite: WinRateSuite, folder: Path | None) -> LengthControl:
    """The length control that is available for this suite and judge."""
    if folder is not None:
        return fitted(folder)
    if isinstance(suite.judge, Paid) and suite.data.startswith(ALPACA_EVAL):
        return published()
    return LengthControl(MINIMAL)


def rows_of(instructions: Sequence[Instruction], outputs: Sequence[str]) -> list[Row]:
    """The pairs for the judge, in the instructions' order."""
    return [(each.text, each.reference, output) for each, output in zip(instructions, outputs, strict=True)]


def preferences_of(
    judge: JudgeSpec, rows: Sequence[Row], scorer: Scorer | None, verdicts: Path | None
) -> list[float | None]:
    """What a judge prefers of each row. scorer: of a judge of kind scorer; verdicts: the folder of an LLM judge's.

    Raises InputError without the one that the judge needs.
    """
    if not isinstance(judge, Paid):
        return judged(annotator_of(judge, scorer), rows)
    if verdicts is None:
        raise InputError("--verdicts", f"a judge of kind {judge.kind} costs money", "add --verdicts")
    asked = llm_judge(judge)
    return judged_once(judge, asked, rows, Verdicts(verdicts, asked.identity))


def evaluation_of(
    policy: str,
    name: str,
    suite: WinRateSuite,
    rates: WinRates,
    control: LengthControl,
    unjudged: int,
    reference: str,
    threads: int | None,
) -> Evaluation:
    """The record of one policy's win rates. threads: of a scorer that judges; None for other judges."""
    return evaluation(
        policy,
        name,
        suite.metric,
        values=rates.win_rate if suite.metric == "win_rate" else rates.length_controlled,
        metrics=rates.metrics,
        details={
            "judge": suite.judge.model_dump(),
            "reference": reference,
            "length_control": control.name,
            "unjudged": unjudged,
            "alpaca_eval": version("alpaca_eval"),
            "threads": threads,
        },
    )


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.judge", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--suite", required=True, help="the suite's name")
    parser.add_argument("--spec", type=cli.spec_of(WinRateSuite), required=True, help="JSON of the suite")
    parser.add_argument("--prompts", type=Path, required=True, help="the suite's instructions")
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--samples", type=Path, required=True, help="the policy's outputs")
    parser.add_argument("--length-control", type=Path, help="folder of the suite's length control, where it was fitted")
    parser.add_argument("--scorer", type=cli.spec_of(ScorerSpec), help="JSON of the scorer, where it judges")
    parser.add_argument("--model-dir", type=Path, help="its folder, where it was trained here")
    parser.add_argument("--verdicts", type=Path, help="folder in which an LLM judge's verdicts are kept")
    parser.add_argument("--judgements", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    quieten()

    spec = arguments.spec
    instructions = read_instructions(arguments.prompts, arguments.reference)
    outputs = outputs_of(read_table(arguments.samples, SAMPLES), instructions, arguments.samples)
    control = control_of(spec, arguments.length_control)  # fails before any verdict is paid for
    rows = rows_of(instructions, outputs)
    scorer = scorer_of(arguments.scorer, model_dir=arguments.model_dir) if arguments.scorer else None
    preferences = preferences_of(spec.judge, rows, scorer, arguments.verdicts)
    table = judgement_table(instructions, outputs, preferences)
    write_table(table, arguments.judgements, JUDGEMENTS)

    rates = win_rates(in_order(table, [each.prompt_id for each in instructions]), control)
    unjudged = int(table["preference"].isna().sum())
    reference = ", ".join(sorted({each.generator for each in instructions}))
    threads = scorer.threads if scorer else None
    record = evaluation_of(arguments.name, arguments.suite, spec, rates, control, unjudged, reference, threads)
    write_evaluation(record, arguments.out)
    log.info(
        "%s: win rate %.2f, length-controlled %.2f, %d unjudged",
        *(arguments.suite, rates.metrics["win_rate"], rates.metrics["length_controlled_winrate"], unjudged),
    )


if __name__ == "__main__":
    cli.run(main)
