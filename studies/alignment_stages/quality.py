"""The quality of datasets (Appendix C.5): win rates of their answers against the off-policy pairs' chosen ones.

One row per dataset: on prompts that both have, a random one of its two answers against the chosen off-policy answer, by
the judge of the study's win rates. data: foreign, the pairs of a strong policy's samples; on, those of the samples of a
policy, of its first seed. Points: above 50 the dataset's answers are the better ones. Length control is alpaca-eval's
for instructions whose difficulties are not known: a bias and a length term.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from scripts.evaluation.control_files import MINIMAL, LengthControl
from scripts.evaluation.judge import preferences_of
from scripts.evaluation.local_judges import quieten
from scripts.evaluation.rates import win_rates
from scripts.evaluation.verdicts import Row
from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.config.evaluation import WinRateSuite
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of
from scripts.lib.rewards import scorer_of
from scripts.lib.texts import PairTexts, texts_of_pairs
from scripts.studies.files import read_published

KEY = ("data", "model", "iteration_1")
RATES = {"win_rate": "standard_error", "lc_win_rate": "lc_standard_error"}
COLUMNS = ["data", "policy", *KEY[1:], "n_prompts", "win_rate", "win_rate_se", "lc_win_rate", "lc_win_rate_se"]
COLUMNS += ["lc_win_rate_published"]


class Dataset(Spec):
    """A row of the table, and the files behind it."""

    data: str
    policy: str | None = None
    model: str | None = None
    iteration_1: str | None = None
    pairs: str
    responses: str


def cases(answers: Sequence[PairTexts], references: Sequence[PairTexts], most: int) -> list[Row]:
    """(instruction, chosen answer of the reference, random answer) on the first prompts, by hash, that both have."""
    reference_of = {each.prompt_id: each.chosen for each in references}
    known = {each.prompt_id: each for each in answers if each.prompt_id in reference_of}
    order = sorted(known, key=lambda prompt: seed_of("quality", prompt))[:most]

    def one_of(pair: PairTexts) -> str:
        sides = ((pair.chosen_id, pair.chosen), (pair.rejected_id, pair.rejected))
        return min(sides, key=lambda side: seed_of("quality", side[0]))[1]

    return [(known[each].prompt[-1]["content"], reference_of[each], one_of(known[each])) for each in order]


def rates_of(rows: Sequence[Row], preferences: Sequence[float | None]) -> dict[str, float]:
    """n_prompts, and both win rates in points with their standard errors."""
    judged = pd.DataFrame(
        {
            "index": range(len(rows)),
            "reference_length": [len(reference) for _, reference, _ in rows],
            "length": [len(answer) for _, _, answer in rows],
            "preference": pd.Series(preferences, dtype=float),
        }
    )
    metrics = win_rates(judged, LengthControl(MINIMAL)).metrics
    found = {"win_rate": metrics["win_rate"], "lc_win_rate": metrics["length_controlled_winrate"]}
    return {"n_prompts": metrics["n"]} | found | {f"{name}_se": metrics[error] for name, error in RATES.items()}


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.quality", __doc__)
    parser.add_argument("--suite", type=cli.spec_of(WinRateSuite), required=True, help="JSON of the win-rate suite")
    parser.add_argument("--datasets", type=cli.spec_of(list[Dataset]), required=True, help="JSON, one per row")
    parser.add_argument("--most", type=int, required=True, help="the most prompts to judge of a dataset")
    parser.add_argument("--reference", type=Path, required=True, help="the off-policy pairs")
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="behind the off-policy pairs")
    parser.add_argument("--scorer", type=cli.spec_of(ScorerSpec), help="JSON of the scorer, where it judges")
    parser.add_argument("--model-dir", type=Path, help="its folder, where it was trained here")
    parser.add_argument("--verdicts", type=Path, help="folder in which an LLM judge's verdicts are kept")
    parser.add_argument("--published", type=Path, required=True, help="the paper's rates")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    quieten()

    scorer = scorer_of(arguments.scorer, model_dir=arguments.model_dir) if arguments.scorer else None
    references = texts_of_pairs([arguments.reference], arguments.prompts, arguments.responses)
    published = read_published(arguments.published, KEY)
    table = []
    for each in arguments.datasets:
        answers = texts_of_pairs([Path(each.pairs)], arguments.prompts, [Path(each.responses)])
        rows = cases(answers, references, arguments.most)
        if not rows:
            raise InputError(each.pairs, f"shares no prompt with {arguments.reference}", "use pairs of one prompt set")
        preferences = preferences_of(arguments.suite.judge, rows, scorer, arguments.verdicts)
        found = published.get((each.data, each.model or "", each.iteration_1 or ""), {})
        table.append(
            each.model_dump() | rates_of(rows, preferences) | {"lc_win_rate_published": found.get("lc_win_rate")}
        )
    write_csv(table, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
