"""`results/report.html`: one page that needs nothing else, from the study's tables, figures, claims and cards.

Whatever is not given is left out; the verdicts stand first, a failing claim among them (promise P6).
"""

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from scripts.lib import cli
from scripts.lib.config.evaluation import HarnessSuite
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.training import TrainingSpec
from scripts.lib.errors import InputError
from scripts.lib.tables import read_json, write_text
from scripts.report import claims_view, dag, tables_view
from scripts.report.inline import inline_svg
from scripts.report.labels import benchmark

TEMPLATES = Path(__file__).parent / "templates"
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
PLACED = (
    "headline",
    "benchmarks",
    "tier_scores",
    "pair_scores",
    "training_curves",
    "base_policies",
    "theory",
    *(view.figure for view in tables_view.CONTRASTS.values()),
)
"""Figures with a place of their own on the page, by file name; others follow them."""
AGREEMENT = "_agreement"
"""What the names of figures end in that compare two scorers; they stand with the scores."""


def points(value: float | None, places: int = 2) -> str:
    """A number to so many places with a true minus sign, or a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.{places}f}".replace("-", "−")


def short(value: float | None) -> str:
    """A number of any size to three figures with a true minus sign, or a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:.3g}".replace("-", "−")


def words(name: str) -> str:
    return str(name).replace("_", " ")


def fact(value: Any) -> str:
    """A card's entry as text: whole numbers with separators, a mapping as its items."""
    if isinstance(value, dict):
        return ", ".join(f"{words(key)} {fact(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(fact(item) for item in value)
    if isinstance(value, float) and value != int(value):
        return points(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def read_cards(title: str, paths: list[Path]) -> dict[str, Any]:
    """Cards of one kind: a column for each entry that any of them has, and the dropped rows by reason."""
    cards = []
    for path in paths:
        card = dict(read_json(path))
        name = path.name.removesuffix(".card.json") if path.name.endswith(".card.json") else path.parent.name
        dropped = card.pop("dropped", {})
        card.pop("files", None)  # hashes, for machines
        cards.append(
            {
                "name": name,
                "facts": {k: v for k, v in card.items() if v not in (name, None, "", [], {})},
                "dropped": dropped,
            }
        )
    columns = list(dict.fromkeys(key for card in cards for key in card["facts"]))
    text = {key for card in cards for key, value in card["facts"].items() if not isinstance(value, int | float)}
    return {"title": title, "cards": cards, "columns": columns, "words": text}


def hyperparameters(training: TrainingSpec) -> dict[str, Any]:
    """A column a training variant, defaults filled in."""
    columns = [training.variant(name).model_dump() for name in training.variants]
    rows = [{"name": name, "values": [fact_of(column[name]) for column in columns]} for name in columns[0]]
    return {"variants": list(training.variants), "rows": rows}


def sampling(config: AtlasConfig) -> list[dict[str, Any]]:
    """Table 6: how each sample set is drawn."""
    return [
        {"name": name, "facts": {key: fact_of(value) for key, value in spec.model_dump().items()}}
        for name, spec in config.samples.items()
    ]


def suites(config: AtlasConfig) -> list[dict[str, str]]:
    """Table 7: what each benchmark is measured by."""
    study = config.studies.what_matters
    rows = []
    for name in study.benchmarks if study else []:
        suite = config.evaluation.suites[name]
        asked = (
            {"asked by": "lm-eval", "task": suite.task, "setting": f"{suite.shots}-shot"}
            if isinstance(suite, HarnessSuite)
            else {
                "asked by": "alpaca-eval",
                "task": suite.data,
                "setting": f"judge {suite.judge.kind}, temperature {suite.sampling.temperature:g}, "
                f"{suite.sampling.num_beams} beams",
            }
        )
        rows.append({"benchmark": benchmark(name), "metric": suite.metric} | asked)
    return rows


def fact_of(value: Any) -> str:
    """A hyperparameter as it is written in a configuration."""
    if isinstance(value, float):
        return f"{value:g}"
    return (fact(value) or "–") if isinstance(value, dict | list) else str(value)


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def lead_of(config: AtlasConfig) -> str:
    """One sentence: what ran."""
    study = config.studies.what_matters
    if study is None:
        return "No study is configured."
    names = " and ".join(entry.name for entry in study.datasets)
    seeds = "1 seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"
    measured = ", ".join(benchmark(name) for name in study.benchmarks)
    return f"{names}: {study.variant} from the policy {study.policy}, {seeds}, measured by {measured}."


def environment() -> jinja2.Environment:
    """The templates, everything that is put into them escaped unless it is markup of ours."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable] = {
        "points": points,
        "short": short,
        "words": words,
        "fact": fact,
        "benchmark": benchmark,
    }
    found.filters.update(filters)
    return found


def render(arguments: Any) -> str:
    """The page's HTML from the parsed command line."""
    raw = read_json(arguments.config)
    config = AtlasConfig.model_validate(raw)
    figures = {path.stem: Markup(inline_svg(path)) for path in arguments.figures}
    claims = claims_view.arrange(claims_view.read_claims(arguments.claims)) if arguments.claims else []
    tables = {path.stem: path for path in arguments.tables}
    groups = {
        "Sources": arguments.source_cards,
        "Prompt sets": arguments.prompt_set_cards,
        "Tiers": arguments.tier_cards,
        "Pairs": arguments.pairs_cards,
        "Scorers and rankers trained here": arguments.learned_cards,
    }
    return (
        environment()
        .get_template("report.html")
        .render(
            title="What matters in data for DPO?",
            lead=lead_of(config),
            figures=figures,
            agreements=[name for name in figures if name.endswith(AGREEMENT)],
            other_figures=[name for name in figures if name not in PLACED and not name.endswith(AGREEMENT)],
            claims=claims,
            tally=claims_view.tally(claims),
            single_seed=any(view.row["n_seeds"] == 1 for view in claims),
            bar_height=claims_view.HEIGHT,
            bar_width=claims_view.WIDTH,
            table1=tables_view.table1(tables["table1"]) if "table1" in tables else None,
            contrasts=[tables_view.contrast(tables[name], name) for name in tables_view.CONTRASTS if name in tables],
            table5=tables_view.table5(tables["table5"]) if "table5" in tables else None,
            theory=tables_view.theory(tables["theory"]) if "theory" in tables else None,
            sharing=tables_view.sharing(arguments.sharing) if arguments.sharing else None,
            sampling=sampling(config),
            suites=suites(config),
            cards=[read_cards(title, paths) for title, paths in groups.items() if paths],
            dag=Markup(_drawing(arguments)) if arguments.rulegraph else "",
            hyperparameters=hyperparameters(config.training),
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
    parser.add_argument("--claims", type=Path, help="claims.csv")
    parser.add_argument("--tables", type=Path, nargs="*", default=[], help="table1.csv and so on")
    parser.add_argument("--sharing", type=Path, help="sharing.csv")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], help="SVG files; names give their places")
    parser.add_argument("--source-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--prompt-set-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--tier-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--pairs-cards", type=Path, nargs="*", default=[])
    parser.add_argument("--learned-cards", type=Path, nargs="*", default=[], help="of reward models and rankers")
    parser.add_argument("--rulegraph", type=Path, help="what snakemake --rulegraph dot prints")
    parser.add_argument("--phases", type=cli.spec_of(dict[str, str]), default={}, help="JSON, rule to phase")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_text(render(arguments), arguments.out)


if __name__ == "__main__":
    cli.run(main)
