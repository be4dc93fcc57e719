"""Counts the work that a study's runs share, and the work if each had run alone (promise P1).

A separate run starts from given prompts and responses. It scores all of them to make its pairs, samples the prompts
that it replaces (Algorithm 1) or all that it pairs, and computes the reference log-probs of its own pairs once: the
least that it could do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.csv_files import write_csv
from scripts.lib.tables import read_json
from scripts.studies.plan import QUANTITIES

COLUMNS = ["quantity", "shared", "separate"]


class Needs(Spec):
    """The inputs of one run: its pairs dataset, and the files of scores behind it."""

    pairs: str
    scores: list[str]


def sharing(
    needs: Sequence[Needs],
    rows: Mapping[str, int],
    logprobs: Sequence[str],
    samples: Sequence[str],
    drawn: Mapping[str, int],
) -> list[dict[str, object]]:
    """One row per quantity.

    rows: file -> number of rows, for every file named. drawn: pairs dataset -> responses sampled to make it alone.
    """
    scores = dict.fromkeys(path for need in needs for path in need.scores)
    return [
        {
            "quantity": QUANTITIES["score"],
            "shared": sum(rows[path] for path in scores),
            "separate": sum(rows[path] for need in needs for path in need.scores),
        },
        {
            "quantity": f"{QUANTITIES['sample']}, for pairs",
            "shared": sum(rows[path] for path in samples),
            "separate": sum(drawn.get(need.pairs, 0) for need in needs),
        },
        {
            "quantity": QUANTITIES["logprobs"],
            "shared": sum(rows[path] for path in logprobs),
            "separate": sum(2 * rows[need.pairs] for need in needs),
        },
    ]


def main() -> None:
    parser = cli.parser_of("scripts.studies.sharing", __doc__)
    parser.add_argument(
        "--needs",
        type=cli.spec_of(list[Needs]),
        required=True,
        help='JSON, one per run: {"pairs": file, "scores": [files]}',
    )
    parser.add_argument("--logprobs", type=Path, nargs="+", required=True)
    parser.add_argument("--samples", type=Path, nargs="*", default=[], help="samples tables of the sample sets")
    parser.add_argument(
        "--mixtures", type=cli.spec_of(dict[str, int]), required=True, help="JSON: pairs file -> samples per prompt"
    )
    parser.add_argument(
        "--sampled",
        type=cli.spec_of(dict[str, list[str]]),
        required=True,
        help="JSON: pairs file -> the samples tables that it takes whole",
    )
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    named = {path for need in arguments.needs for path in (need.pairs, *need.scores)}
    logprobs, samples = ([str(path) for path in paths] for paths in (arguments.logprobs, arguments.samples))
    rows = {path: pq.read_metadata(path).num_rows for path in sorted({*named, *logprobs, *samples})}
    drawn = {path: sum(rows[each] for each in taken) for path, taken in arguments.sampled.items()}
    for path, of_prompt in arguments.mixtures.items():
        card = read_json(Path(path).with_name(f"{Path(path).stem}.card.json"))
        drawn[path] = of_prompt * (card["replaced_chosen"] + card["replaced_rejected"])
    write_csv(sharing(arguments.needs, rows, logprobs, samples, drawn), COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
