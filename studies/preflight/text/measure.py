"""The text part: every question that can be answered without a model, for one pairs dataset."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.schemas import PROMPTS
from scripts.lib.tables import read_table
from studies.preflight.config import Config
from studies.preflight.finding import Finding, write_findings
from studies.preflight.measures import write_frame
from studies.preflight.text import (
    authors,
    contamination,
    duplicates,
    endings,
    file,
    languages,
    length,
    lengths,
    noise,
    phrases,
    same,
    template,
)
from studies.preflight.text.texts import Measured, Texts, read_labels, read_texts

log = logging.getLogger(__name__)


def measures(
    texts: Texts, spec: Config, max_length: int, policy: Path | None, suites: Mapping[str, Sequence[Messages]]
) -> tuple[list[Finding], pd.DataFrame]:
    """The findings, and the table of measures (studies/preflight/rows.py).

    policy: policy.json of the policy whose tokenizer counts; None estimates. suites: suite -> its prompts.
    """
    counted = lengths.counted(texts, max_length, policy) if policy else lengths.estimated(texts, max_length)
    log.info("lengths of %d pairs", len(texts))
    steps = {
        "file": lambda: file.measure(texts),
        "same": lambda: same.measure(texts, counted, max_length),
        "duplicates": lambda: duplicates.measure(texts, spec.near_duplicates),
        "noise": lambda: noise.measure(texts),
        "length": lambda: length.measure(texts, counted),
        "too long": lambda: Measured([length.too_long(counted, max_length)]),
        "authors": lambda: authors.measure(texts),
        "phrases": lambda: phrases.measure(texts),
        "endings": lambda: endings.measure(texts),
        "template": lambda: template.measure(texts, counted),
        "languages": lambda: languages.measure(texts),
        "contamination": lambda: contamination.measure(texts, suites, spec.near_duplicates),
    }
    parts = []
    for name, step in steps.items():
        parts.append(step())
        log.info("%s", name)
    return [each for part in parts for each in part.findings], table_of(texts, parts)


def table_of(texts: Texts, parts: Sequence[Measured]) -> pd.DataFrame:
    """All columns of all measures, and every pair's reasons to drop it."""
    columns = {name: list(values) for part in parts for name, values in part.columns.items()}
    reasons: list[list[str]] = [[] for _ in range(len(texts))]
    for part in parts:
        for reason, found in part.drop.items():
            for at in found.nonzero()[0].tolist():
                reasons[at].append(reason)
    return pd.DataFrame({"pair": range(len(texts)), "source": texts.pairs["source"], **columns, "drop": reasons})


def main() -> None:
    parser = cli.parser_of("studies.preflight.text.measure", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--max-length", type=int, required=True, help="tokens of prompt and response together")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--responses", type=Path, nargs="+", required=True)
    parser.add_argument("--authors", type=Path, nargs="+", required=True, help="responses.parquet of the sources")
    parser.add_argument("--preferences", type=Path, nargs="*", default=[], help="of the sources, if they are labelled")
    parser.add_argument("--policy", type=Path, help="policy.json of the policy whose tokenizer counts tokens")
    parser.add_argument("--questions", type=Path, nargs="*", default=[], help="prompts of the spec's suites, in order")
    parser.add_argument("--findings", type=Path, required=True, help="where the findings are written")
    parser.add_argument("--out", type=Path, required=True, help="where the measures of every pair are written")
    arguments = parser.parse_args()

    spec = arguments.spec
    if len(arguments.questions) != len(spec.suites):
        raise InputError(
            "--questions", f"{len(arguments.questions)} files for {len(spec.suites)} suites", "give one each"
        )
    texts = read_texts(arguments.pairs, arguments.prompts, arguments.responses, arguments.authors)
    if arguments.preferences:
        texts = Texts(texts.pairs, texts.prompts, read_labels(arguments.preferences))
    asked = {
        suite: read_table(path, PROMPTS, ["prompt_id", "prompt"])["prompt"].tolist()
        for suite, path in zip(spec.suites, arguments.questions, strict=True)
    }
    findings, table = measures(texts, spec, arguments.max_length, arguments.policy, asked)
    write_findings(findings, arguments.findings)
    write_frame(table, arguments.out)


if __name__ == "__main__":
    cli.run(main)
