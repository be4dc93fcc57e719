"""The page and its JSON: findings, the most severe first; distributions to filter; pairs behind every bar.

The page holds no more than a few hundred pairs, whatever the size of the data, with the beginnings of their texts. All
text of the data is escaped: as HTML where the page has it, as JSON where its script reads it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.tables import write_json, write_text
from scripts.report.html import environment
from studies.preflight.distributions import Distribution, distribution, filters, groups
from studies.preflight.examples import cut, examples
from studies.preflight.finding import LEVELS, Finding, read_findings, worst
from studies.preflight.measures import read_measures
from studies.preflight.recommendation import Recommendation, read_recommendations
from studies.preflight.shares import percent
from studies.preflight.verdict import by_severity, summary, verdict

MARKS = {"bad": "✗", "warn": "!", "note": "i", "good": "✓"}
SAYS = {"bad": "fix", "warn": "look into", "note": "know", "good": "fine"}
BESIDE = 600
"""Characters of the text that stands beside an example."""


def number(value: float | None, unit: str) -> str:
    """A finding's number as the page shows it."""
    if value is None:
        return ""
    if unit == "share":
        return percent(value)
    return f"{value:,.3g}".replace("-", "−") + (f" {unit}" if unit and unit != "AUC" else "")


def drawn(findings: Sequence[Finding], rows: pd.DataFrame) -> tuple[dict[str, Distribution], dict]:
    """(finding -> the distribution of its column, what the page's script needs to filter them)."""
    by = filters(rows)
    group, known = groups(rows, list(by))
    found = {}
    for each in findings:
        if each.column in rows and (of := distribution(rows, each.column, group)) is not None:
            found[each.name] = of
    behind = {at for of in found.values() for bar in of.pairs for at in bar}
    return found, {
        "filters": by,
        "groups": known,
        "group_of": {at: int(group[at]) for at in sorted(behind)},
        "counts": {name: of.counts.tolist() for name, of in found.items()},
        "pairs": {name: of.pairs for name, of in found.items()},
    }


def render(
    dataset: str,
    lead: str,
    findings: Sequence[Finding],
    advice: Sequence[Recommendation],
    rows: pd.DataFrame,
    shown: Mapping[int, Mapping[str, str]],
) -> str:
    """The page. rows: the table of measures of all pairs. shown: row -> the texts of the pairs that it names."""
    distributions, data = drawn(findings, rows)
    beside = {
        each.name: {at: cut(str(rows[each.beside].iloc[at]), BESIDE) for at in each.pairs}
        for each in findings
        if each.beside in rows
    }
    reasons = reasons_of(rows)
    return (
        environment(Path(__file__).parent)
        .get_template("page.html")
        .render(
            dataset=dataset,
            lead=lead,
            pairs=len(rows),
            prompts=rows["prompt_id"].nunique(),
            level=worst(findings),
            verdict=verdict(findings),
            findings=[each for each in by_severity(findings) if each.level != "good"],
            fine=[each for each in findings if each.level == "good"],
            advice=[each for each in advice if each.kind == "advice"],
            what_if=[each for each in advice if each.kind == "what_if"],
            distributions=distributions,
            beside=beside,
            shown=shown,
            data=data | {"texts": {at: shown[at] for at in data["group_of"]}},
            to_drop=int((rows["drop"].map(len) > 0).sum()),
            reasons=reasons,
            levels=LEVELS[::-1],
            marks=MARKS,
            says=SAYS,
            number=number,
        )
    )


def reasons_of(rows: pd.DataFrame) -> dict[str, int]:
    """Reason to drop -> pairs; a pair with several counts for each."""
    return dict(Counter(reason for reasons in rows["drop"] for reason in reasons).most_common())


def wanted(findings: Sequence[Finding], rows: pd.DataFrame) -> set[int]:
    """The pairs that the page shows."""
    distributions, _ = drawn(findings, rows)
    behind = [at for of in distributions.values() for bar in of.pairs for at in bar]
    return {*behind, *(at for each in findings for at in each.pairs)}


def main() -> None:
    parser = cli.parser_of("studies.preflight.page", __doc__)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--lead", required=True, help="what was looked at, in one sentence")
    parser.add_argument("--findings", type=Path, nargs="+", required=True, help="<part>.json of every part")
    parser.add_argument("--advice", type=Path, required=True, help="advice.json")
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, nargs="+", required=True)
    parser.add_argument("--responses", type=Path, nargs="+", required=True)
    parser.add_argument("--page", type=Path, required=True, help="where the page is written")
    parser.add_argument("--out", type=Path, required=True, help="where the JSON is written")
    arguments = parser.parse_args()

    rows = read_measures(arguments.rows)
    findings = [each for path in arguments.findings for each in read_findings(path)]
    advice = read_recommendations(arguments.advice)
    shown = examples(rows, wanted(findings, rows), arguments.prompts, arguments.responses)
    write_text(render(arguments.dataset, arguments.lead, findings, advice, rows, shown), arguments.page)
    drop = {"pairs": int((rows["drop"].map(len) > 0).sum()), "reasons": reasons_of(rows)}
    prompts = rows["prompt_id"].nunique()
    write_json(summary(arguments.dataset, len(rows), prompts, findings, advice, drop), arguments.out)


if __name__ == "__main__":
    cli.run(main)
