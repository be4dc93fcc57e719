"""Makes `results/report.html`: one self-contained page from the studies' sections, figures, claims and cards.

Inputs that are not given are left out. What was found comes first, in one sentence per claim, then the picture, then
verdicts, failing claims included (promise P6), then tables.
"""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from scripts.lib import cli
from scripts.lib.claims import read_claims
from scripts.lib.config.base import Spec
from scripts.lib.config.evaluation import (
    BoundarySuite,
    HarnessSuite,
    PreferenceSuite,
    RewardSuite,
    SuiteSpec,
    WinRateSuite,
)
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.training import TrainingSpec
from scripts.lib.errors import InputError
from scripts.lib.tables import read_json, write_text
from scripts.report import claims_view, dag, signature
from scripts.report.claims_view import Answers, ClaimView
from scripts.report.html import environment, fact
from scripts.report.inline import inline_svg
from scripts.report.labels import benchmark
from scripts.report.section import Section, read_section
from scripts.report.truncation import truncations

SEVERAL = "prefatlas: which preference data?"
"""The page's title if there are several studies."""
WARNING = "Likelihoods that fall: runs with signs of the 3D properties (change per token, nats)"
PACKAGES = (
    "snakemake",
    "torch",
    "transformers",
    "datasets",
    "lm_eval",
    "alpaca_eval",
    "numpy",
    "pandas",
    "pyarrow",
)


class Introduced(Spec):
    """A study's introduction: its name, its title, and what ran in one sentence."""

    name: str
    title: str
    lead: str


@dataclass
class OnPage:
    """A study and its content on the page. figures: the common ones, by name. sharing: rows of sharing.csv."""

    study: Introduced
    section: Section | None = None
    claims: list[ClaimView] = field(default_factory=list)
    figures: dict[str, Markup] = field(default_factory=dict)
    sharing: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answers(self) -> Answers:
        return claims_view.answers(self.claims)


def gathered(arguments: Any, claims: Iterable[ClaimView]) -> list[OnPage]:
    """Each study with its content from the command line and from the claims."""
    found = {study.name: OnPage(study) for study in arguments.studies}

    def of(study: str, where: Path) -> OnPage:
        if study not in found:
            raise InputError(where, f"is of the study {study}, which --studies lacks", "run snakemake again")
        return found[study]

    for path in arguments.sections:
        of(path.stem, path).section = read_section(path)
    for path in arguments.common_figures:
        of(path.parent.name, path).figures[path.stem] = Markup(inline_svg(path))
    for path in arguments.sharing:
        of(path.parent.name, path).sharing = pd.read_csv(path).to_dict("records")
    for claim in claims:
        of(claim.row["study"], arguments.claims).claims.append(claim)
    return list(found.values())


def read_cards(title: str, paths: list[Path]) -> dict[str, Any]:
    """Cards of one kind: a column for each entry that any of them has, and the dropped rows by reason."""
    cards = []
    for path in paths:
        card = dict(read_json(path))
        name = path.name.removesuffix(".card.json") if path.name.endswith(".card.json") else path.parent.name
        dropped = card.pop("dropped", {})
        card.pop("files", None)  # hashes, not for readers
        cards.append(
            {
                "name": name,
                "facts": {k: v for k, v in card.items() if v not in (name, None, "", [], {})},
                "dropped": dropped,
            }
        )
    return group_of(title, cards)


def group_of(title: str, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Cards (name, facts, dropped) as one table. words: the columns that are not all numbers."""
    columns = list(dict.fromkeys(key for card in cards for key in card["facts"]))
    text = {key for card in cards for key, value in card["facts"].items() if not isinstance(value, int | float)}
    return {"title": title, "cards": cards, "columns": columns, "words": text}


def hyperparameters(training: TrainingSpec) -> dict[str, Any]:
    """One column per training variant, defaults filled in."""
    columns = [training.variant(name).model_dump() for name in training.variants]
    rows = [{"name": name, "values": [fact_of(column[name]) for column in columns]} for name in columns[0]]
    return {"variants": list(training.variants), "rows": rows}


def sampling(config: AtlasConfig) -> list[dict[str, Any]]:
    """The sampling settings of each sample set."""
    return [
        {"name": name, "facts": {key: fact_of(value) for key, value in spec.model_dump().items()}}
        for name, spec in config.samples.items()
    ]


def suites(config: AtlasConfig, names: Sequence[str]) -> list[dict[str, str]]:
    """How each benchmark is measured."""
    rows = []
    for name in names:
        suite = config.evaluation.suites[name]
        rows.append({"benchmark": benchmark(name)} | asked(suite, config))
    return rows


def asked(suite: SuiteSpec, config: AtlasConfig) -> dict[str, str]:
    """A suite's metric, who asks, what, and how."""
    match suite:
        case HarnessSuite():
            cells = suite.metric, "lm-eval", suite.task, f"{suite.shots}-shot"
        case WinRateSuite():
            how = f"judge {suite.judge.kind}, {_drawn(suite.sampling)}"
            cells = suite.metric, "alpaca-eval", suite.data, how
        case RewardSuite():
            of = config.evaluation.suites[suite.samples_of] if suite.samples_of else suite
            metric = "mean_score" if suite.at_least is None else f"share of {suite.at_least:g} or more"
            cells = metric, f"scorer {suite.scorer}", of.data, _drawn(of.sampling)
        case PreferenceSuite():
            cells = suite.metric, "log-probs", suite.pairs, "held-out pairs"
        case BoundarySuite():
            by = f"ranker {suite.ranker}" if suite.ranker else f"scorer {suite.scorer}"
            cells = "boundary_score", by, suite.pairs, _drawn(config.samples[suite.samples])
    return dict(zip(("metric", "asked by", "task", "setting"), cells, strict=True))


def _drawn(sampling: SamplingSpec) -> str:
    return f"temperature {sampling.temperature:g}, {sampling.num_beams} beams"


def fact_of(value: Any) -> str:
    """A hyperparameter as written in a configuration."""
    if isinstance(value, float):
        return f"{value:g}"
    return (fact(value) or "–") if isinstance(value, dict | list) else str(value)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on, if installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def render(arguments: Any) -> str:
    """The page's HTML, from the parsed command line."""
    raw = read_json(arguments.config)
    config = AtlasConfig.model_validate({key: value for key, value in raw.items() if key in AtlasConfig.model_fields})
    claims = claims_view.arrange(read_claims(arguments.claims)) if arguments.claims else []
    studies = gathered(arguments, claims)
    several = len(studies) != 1
    groups = {
        "Sources": arguments.source_cards,
        "Prompt sets": arguments.prompt_set_cards,
        "Tiers": arguments.tier_cards,
        "Pairs": arguments.pairs_cards,
        "Scorers and rankers trained here": arguments.learned_cards,
    }
    cards = [read_cards(title, paths) for title, paths in groups.items() if paths]
    if cut := truncations(arguments.training_cards):
        cards.append(group_of("Pairs that max_length cuts", cut))
    if warned := signature.warnings(arguments.training):
        cards.append(group_of(WARNING, warned))
    return (
        environment()
        .get_template("report.html")
        .render(
            title=SEVERAL if several else studies[0].study.title,
            several=several,
            studies=studies,
            has_findings=any(each.answers.findings for each in studies),
            most=claims_view.MOST,
            bar_height=claims_view.HEIGHT,
            bar_width=claims_view.WIDTH,
            cards=cards,
            dag=Markup(_drawing(arguments)) if arguments.rulegraph else "",
            hyperparameters=hyperparameters(config.training),
            sampling=sampling(config),
            suites=suites(config, arguments.suites),
            configuration=yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=100),
            versions=versions(),
        )
    )


def _drawing(arguments: Any) -> str:
    try:
        text = arguments.rulegraph.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            arguments.rulegraph, f"not readable ({error})", "make it with: snakemake --rulegraph dot"
        ) from error
    return dag.svg(dag.parse(text, arguments.rulegraph), arguments.phases)


def main() -> None:
    parser = cli.parser_of("scripts.report.page", __doc__)
    parser.add_argument("--config", type=Path, required=True, help="the whole configuration as JSON")
    parser.add_argument(
        "--studies",
        type=cli.spec_of(list[Introduced]),
        required=True,
        help='JSON, in the page\'s order: {"name", "title", "lead"}',
    )
    parser.add_argument("--claims", type=Path, help="claims.csv")
    parser.add_argument("--sections", type=Path, nargs="*", default=[], help="<study>.html")
    parser.add_argument(
        "--common-figures",
        type=Path,
        nargs="*",
        default=[],
        help="<study>/{tier_scores,pair_scores,training_curves}.svg",
    )
    parser.add_argument("--source-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--prompt-set-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--tier-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--pairs-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--training", type=Path, nargs="*", default=[], help="<run>.parquet")
    parser.add_argument("--training-cards", type=Path, nargs="*", default=[], help="<run>.card.json")
    parser.add_argument("--learned-cards", type=Path, nargs="*", default=[], help="of reward models and rankers")
    parser.add_argument("--sharing", type=Path, nargs="*", default=[], help="<study>/sharing.csv")
    parser.add_argument("--rulegraph", type=Path, help="output of snakemake --rulegraph dot")
    parser.add_argument("--phases", type=cli.spec_of(dict[str, str]), default={}, help="JSON: rule -> phase")
    parser.add_argument("--suites", nargs="*", default=[], help="the suites, in the page's order")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_text(render(arguments), arguments.out)


if __name__ == "__main__":
    cli.run(main)
