"""Figures, the drawing of the workflow, and the page."""

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.config.studies import PairsName
from scripts.lib.errors import InputError
from scripts.lib.results import evaluation, write_evaluation
from scripts.lib.schemas import PAIRS, RESPONSES, SCORES, TIERS, TRAINING
from scripts.lib.tables import write_json, write_table
from scripts.report import (
    base_policies,
    claims_view,
    configuration,
    page,
    pair_scores,
    scorer_agreement,
    table2_figure,
    table3_figure,
    table4_figure,
    tier_scores,
    training_curves,
    what_matters_figures,
)
from scripts.report.inline import inline_svg
from scripts.report.names import in_order
from scripts.report.study_table import read_table1
from tests.unit.test_report_dag import DOT

NAMES = {
    "d_best_worst": {"dataset": "Data <1> & more", "chosen": "best", "rejected": "worst"},
    "d_low_worst": {"dataset": "Data <1> & more", "chosen": "low", "rejected": "worst"},
    "d_best_high": {"dataset": "Data <1> & more", "chosen": "best", "rejected": "high"},
}
NASTY = "<script>alert('1')</script> & \"co\" $x_"


def run(monkeypatch, main, *arguments):
    monkeypatch.setattr("sys.argv", ["step", *map(str, arguments)])
    main()


def table1(folder):
    path = folder / "table1.csv"
    path.write_text(
        "dataset,chosen,rejected,n_seeds,gsm8k,gsm8k_se,gsm8k_published,mmlu,mmlu_se,mmlu_published\n"
        "SFT baseline,,,1,20.0,2.0,76.8,30.0,2.0,62.1\n"
        "Data <1> & more (Fixed Best),best,worst,2,31.0,1.5,,40.0,1.0,62.8\n"
        "Data <1> & more (Fixed Best),best,high,2,32.0,1.5,78.4,41.0,1.0,62.7\n"
        "Data <1> & more (Fixed Worst),low,worst,2,25.0,1.5,77.5,33.0,1.0,61.2\n"
        "Data <1> & more (Fixed Worst),best,worst,2,31.0,1.5,78.4,40.0,1.0,62.8\n"
    )
    return path


def claims(folder, seeds=2):
    rows = [
        ["what_matters", "rises.d", f"{NASTY}: all rise", 0.1, -1.0, -2.0, -0.5, seeds, "fails"],
        ["what_matters", "rises.d.gsm8k", "gsm8k rises", None, 2.0, 1.0, 3.0, seeds, "holds"],
        ["what_matters", "rises.d.mmlu", "mmlu rises", 0.1, -1.0, -2.0, -0.5, seeds, "fails"],
        ["what_matters", "over.d", "chosen over rejected", 0.7, 0.2, -0.1, 0.5, seeds, "undecided"],
    ]
    path = folder / "claims.csv"
    pd.DataFrame(rows, columns=claims_view.COLUMNS).to_csv(path, index=False)
    return path


def config(folder):
    spec = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
    spec["studies"]["what_matters"]["datasets"][0]["name"] = NASTY
    path = folder / "configuration.json"
    write_json(spec, path)
    return path


def measured(rng, published=True):
    """The cells of two benchmarks."""
    cells = {}
    for name in ("gsm8k", "mmlu"):
        cells |= {name: rng.uniform(20, 60), f"{name}_se": rng.uniform(1, 3)}
        cells |= {f"{name}_published": rng.uniform(20, 60) if published else None}
    return cells


def table2(folder):
    rng = np.random.default_rng(2)
    rows = [{"dataset": "SFT baseline", "configuration": None, "n_seeds": 1} | measured(rng)]
    for data in ("Data", NASTY):
        for name in ("Continual SFT", "Online DPO"):
            rows.append({"dataset": data, "configuration": name, "n_seeds": 2} | measured(rng, data == "Data"))
    pd.DataFrame(rows).to_csv(folder / "table2.csv", index=False)
    return folder / "table2.csv"


def table3(folder):
    rng = np.random.default_rng(3)
    rows = []
    for part in ("Part 1: quality", "Part 2: gap"):
        for name in ("A", NASTY):
            gain = {"gain": 1.5, "gain_se": 0.5, "gain_published": 2.0} if name == "A" else {}
            scores = {"mean_chosen": 0.7, "mean_chosen_published": -3, "mean_gap": 0.3, "mean_gap_published": None}
            rows.append({"part": part, "configuration": name, "n_seeds": 2} | scores | measured(rng) | gain)
    pd.DataFrame(rows).to_csv(folder / "table3.csv", index=False)
    return folder / "table3.csv"


def table4(folder):
    rng = np.random.default_rng(4)
    rows = [
        {"quality": quality, "on_policy": percent, "n_seeds": 2, "mean_chosen": 0.9, "mean_chosen_published": -0.9}
        | measured(rng, percent < 20)
        for quality in ("high", "low")
        for percent in (0, 10, 20)
    ]
    pd.DataFrame(rows).to_csv(folder / "table4.csv", index=False)
    return folder / "table4.csv"


def draw_all(folder, monkeypatch):
    """Every figure from small data; returns the SVG files."""
    rng = np.random.default_rng(0)
    ids = [f"r{i}" for i in range(200)]
    tiers = pd.DataFrame(
        {
            "prompt_id": [f"p{i // 5}" for i in range(200)],
            "tier": ["best", "high", "medium", "low", "worst"] * 40,
            "response_id": ids,
            "score": rng.normal(size=200),
        }
    )
    write_table(tiers, folder / "tiers.parquet", TIERS)
    scores = tiers[["response_id", "score"]]
    write_table(scores, folder / "scores.parquet", SCORES)
    write_table(scores.assign(score=scores["score"] + rng.normal(size=200)), folder / "other.parquet", SCORES)
    responses = tiers[["response_id", "prompt_id"]].assign(family="f", response="text")
    write_table(responses, folder / "responses.parquet", RESPONSES)
    for name in NAMES:
        pairs = pd.DataFrame(
            {
                "prompt_id": ids,
                "chosen_id": [f"{i}c" for i in ids],
                "rejected_id": [f"{i}r" for i in ids],
                "chosen_score": rng.normal(3, 1, 200) + 9,
                "rejected_score": rng.normal(0, 1, 200),
                "origin": "x",
            }
        )
        write_table(pairs, folder / f"{name}.parquet", PAIRS)
        for seed in (0, 1):
            steps = np.arange(1, 41)
            training = {name: rng.normal(size=40) for name in TRAINING.columns}
            training |= {"step": steps, "pairs": steps * 0 + 8, "tokens": steps * 0 + 90}
            write_table(pd.DataFrame(training), folder / f"base.{name}.dpo.s{seed}.parquet", TRAINING)
    for policy in ("weak", "strong"):
        for suite in ("gsm8k", "mmlu"):
            values = (100.0 * rng.integers(0, 2, 40)).tolist()
            write_evaluation(evaluation(policy, suite, "acc", values, {}, {}), folder / policy / f"{suite}.json")

    def out(name):
        return [folder / f"{name}.svg", folder / f"{name}.png"]

    names = ["--names", json.dumps(NAMES)]
    run(monkeypatch, what_matters_figures.main, "--table", table1(folder), "--headline", *out("headline"),
        "--benchmarks", *out("benchmarks"))  # fmt: skip
    run(monkeypatch, tier_scores.main, "--tiers", folder / "tiers.parquet", "--titles", NASTY, "--out",
        *out("tier_scores"))  # fmt: skip
    run(monkeypatch, pair_scores.main, "--pairs", *(folder / f"{name}.parquet" for name in NAMES), *names, "--out",
        *out("pair_scores"))  # fmt: skip
    run(monkeypatch, training_curves.main, "--runs", *sorted(folder.glob("base.*.parquet")), *names, "--out",
        *out("training_curves"))  # fmt: skip
    run(monkeypatch, scorer_agreement.main, "--scorer", "rm", "--reference", "oracle", "--responses",
        folder / "responses.parquet", "--titles", "Data", "--scores", folder / "other.parquet", "--reference-scores",
        folder / "scores.parquet", "--out", *out("scorer_agreement"))  # fmt: skip
    run(monkeypatch, base_policies.main, "--evaluations", folder, "--policies", "weak", "strong", "--suites", "gsm8k",
        "mmlu", "--out", *out("base_policies"))  # fmt: skip
    for step, table, name in (
        (table2_figure, table2(folder), "chosen_only"),
        (table3_figure, table3(folder), "gaps"),
        (table4_figure, table4(folder), "on_policy"),
    ):
        run(monkeypatch, step.main, "--table", table, "--out", *out(name))
    return sorted(folder.glob("*.svg"))


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return draw_all(tmp_path_factory.mktemp("figures"), patch)


def test_figures_are_drawn_the_same_bit_for_bit(figures, tmp_path, monkeypatch):
    assert {path.stem for path in figures} == {*page.PLACED, "scorer_agreement"} - {"theory"}
    again = draw_all(tmp_path, monkeypatch)
    for first, second in zip(figures, again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
        assert first.with_suffix(".png").read_bytes() == second.with_suffix(".png").read_bytes(), first.name


def test_figures_hold_text_as_text_and_no_dates(figures):
    for path in figures:
        svg = path.read_text()
        assert "<text" in svg and "<script" not in svg
        assert not re.search(r"20\d\d-\d\d-\d\d|matplotlib v", svg, flags=re.IGNORECASE)
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_other_file_types_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"\.svg or \.png"):
        run(monkeypatch, what_matters_figures.main, "--table", table1(tmp_path), "--headline", "x.pdf", "--benchmarks",
            tmp_path / "b.svg")  # fmt: skip


def test_a_pairs_dataset_without_a_name_is_refused(tmp_path, figures, monkeypatch):
    files = [figures[0].parent / "d_best_worst.parquet"]
    with pytest.raises(InputError, match="no entry d_best_worst"):
        run(monkeypatch, pair_scores.main, "--pairs", *files, "--names", "{}", "--out", tmp_path / "x.svg")


def test_density_integrates_to_one_and_sits_where_the_scores_are():
    scores = np.random.default_rng(0).normal(5, 2, 500)
    grid = tier_scores.grid_over(scores)
    curve = tier_scores.density(scores, grid)
    assert curve.sum() * (grid[1] - grid[0]) == pytest.approx(1, abs=0.02)
    assert grid[curve.argmax()] == pytest.approx(5, abs=0.8)
    assert np.isfinite(tier_scores.density(np.ones(9), tier_scores.grid_over(np.ones(9)))).all()


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=60))
def test_smoothing_is_the_mean_of_a_cut_window(values):
    reach = len(values) // training_curves.SMOOTHING // 2
    plain = [np.mean(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))]
    assert training_curves.smooth(np.array(values)) == pytest.approx(plain, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)), max_size=25))
def test_the_share_ordered_alike_is_that_of_all_pairs(rows):
    both = pd.DataFrame(
        [(f"p{p}", f"r{i:02}", float(s), float(r)) for i, (p, s, r) in enumerate(rows)],
        columns=["prompt_id", "response_id", "score", "reference"],
    )
    alike = [
        0.5 if a[1] == b[1] else float((a[1] > b[1]) == (a[2] > b[2]))
        for a, b in itertools.combinations(rows, 2)
        if a[0] == b[0] and a[2] != b[2]
    ]
    share, number = scorer_agreement.ordered_alike(both)
    assert number == len(alike)
    assert (np.isnan(share) and not alike) or share == pytest.approx(np.mean(alike))


def test_names_stand_in_table_1s_order():
    named = [(PairsName(**NAMES[name]), name) for name in ("d_low_worst", "d_best_high", "d_best_worst")]
    assert [name for _, name in in_order(named)] == ["d_best_worst", "d_best_high", "d_low_worst"]


def test_a_table_that_is_no_table_1_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("dataset,chosen,rejected,n_seeds\n")
    with pytest.raises(InputError, match="has no rows"):
        read_table1(path)


class Checker(HTMLParser):
    """Tags balance, ids are unique, nothing is loaded from elsewhere."""

    void = frozenset({"meta", "link", "br", "img", "path", "circle", "rect", "use", "line"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        for name in ("href", "src", "xlink:href"):
            assert (values.get(name) or "#").startswith(("#", "data:image/png;base64")), values
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag, tag


def render(monkeypatch, out, *arguments):
    run(monkeypatch, page.main, *arguments, "--out", out)
    html = out.read_text()
    ids = Checker(html).ids
    assert len(ids) == len(set(ids))
    assert "url(http" not in html and "@import" not in html
    return html


def test_the_whole_page(figures, tmp_path, monkeypatch):
    (tmp_path / "d_best_worst.card.json").write_text(json.dumps({"pairs": 12345, "dropped": {NASTY: 3, "none": 0}}))
    source = tmp_path / "web"
    source.mkdir()
    (source / "card.json").write_text(json.dumps({"source": "web", "prompts": 7, "path": NASTY, "dropped": {}}))
    dot = tmp_path / "rules.dot"
    dot.write_text(DOT)
    table5 = tmp_path / "table5.csv"
    table5.write_text(
        "dataset,chosen,rejected,on_policy,side,pairs,mean,mean_published\n<b>Data</b>,best,worst,20,chosen,9,-1.5,\n"
    )
    theory = tmp_path / "theory.csv"
    theory.write_text(f"statement,quantity,predicted,measured,tolerance\n{NASTY},a share,1,0.25,0.5\n".replace('"', ""))
    sharing = tmp_path / "sharing.csv"
    sharing.write_text("quantity,shared,separate\nscored responses,100,2500\nsampled responses,0,0\n")
    html = render(
        monkeypatch, tmp_path / "report.html", "--config", config(tmp_path), "--claims", claims(tmp_path), "--tables",
        *(table(tmp_path) for table in (table1, table2, table3, table4)), table5, theory, "--sharing", sharing,
        "--figures", *figures, "--source-cards", source / "card.json",
        "--pairs-cards", tmp_path / "d_best_worst.card.json", "--rulegraph", dot,
        "--phases", json.dumps({"train": "of training"}),
    )  # fmt: skip
    assert "<script" not in html and "<b>Data" not in html and "&lt;script&gt;" in html
    front = html[: html.index('id="table1"')]
    assert re.search(r'<li class="fails"><b>1</b>claim fails</li>', front)
    assert re.search(r'<li class="none"><b>0</b>claims hold</li>', front)
    assert "✗ fails" in front and "−1.00" in front and "headline-" in front
    assert html.count("<figure") == len(figures) + 1
    assert "12,345" in html and "−1.50" in html and ">train<" in html and ">of training<" in html
    assert html.count("✓ holds") == 1
    for each in ("table2", "table3", "table4", "theory"):
        assert f'<section id="{each}">' in html and f'href="#{each}"' in html
    assert "1.50 <span" in html and "2,500" in html and "25.0" in html
    again = tmp_path / "again.html"
    run(monkeypatch, page.main, "--config", config(tmp_path), "--out", again)
    assert len(again.read_text()) < len(html)


def test_a_page_of_nothing_but_a_configuration(tmp_path, monkeypatch):
    html = render(monkeypatch, tmp_path / "report.html", "--config", config(tmp_path))
    assert "Configuration" in html and 'class="tally"' not in html and 'id="claims"' not in html


def test_one_seed_is_said_on_the_front(tmp_path, monkeypatch):
    html = render(monkeypatch, tmp_path / "r.html", "--config", config(tmp_path), "--claims", claims(tmp_path, seeds=1))
    assert "rest on one seed" in html


def test_hyperparameters_show_defaults_and_departures(tmp_path):
    spec = yaml.safe_load(config(tmp_path).read_text())
    spec["training"]["variants"] = {"dpo": {}, "sharp": {"beta": 0.5}}
    found = page.hyperparameters(page.AtlasConfig.model_validate(spec).training)
    assert found["variants"] == ["dpo", "sharp"]
    rows = {row["name"]: row["values"] for row in found["rows"]}
    assert rows["beta"] == ["0.1", "0.5"] and rows["adam_beta2"] == ["0.99", "0.99"]


def test_claims_stand_under_the_claim_they_are_part_of(tmp_path):
    views = claims_view.arrange(claims_view.read_claims(claims(tmp_path)))
    assert [(view.row["claim"], [part.label for part in view.parts]) for view in views] == [
        ("rises.d", ["gsm8k", "mmlu"]),
        ("over.d", []),
    ]
    assert claims_view.tally(views) == {"holds": 0, "fails": 1, "undecided": 1}
    bars = [part.bar for part in views[0].parts]
    assert bars[0].zero == bars[1].zero and bars[1].high < bars[1].zero < bars[0].low
    assert bars[0].published is None
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no table of claims"):
        claims_view.read_claims(tmp_path / "bad.csv")


def test_inlined_figures_take_the_pages_colours_and_ids_of_their_own(tmp_path):
    svg = tmp_path / "my fig.svg"
    svg.write_text(
        '<?xml version="1.0"?><svg width="9pt" height="3pt" viewBox="0 0 9 3"><metadata>x</metadata>'
        '<defs><clipPath id="c"/></defs><g clip-path="url(#c)" style="fill: #1f2430; stroke: #1f2430"/>'
        '<use href="#c"/><text>#1f2430</text></svg>'
    )
    found = inline_svg(svg)
    assert found.startswith('<svg viewBox="0 0 9 3">') and "metadata" not in found
    assert 'id="my-fig-c"' in found and "url(#my-fig-c)" in found and 'href="#my-fig-c"' in found
    assert found.count("var(--ink)") == 2 and "<text>#1f2430</text>" in found
    with pytest.raises(InputError, match="not readable"):
        inline_svg(tmp_path / "none.svg")


def test_the_configuration_is_kept_as_it_was_asked_for(tmp_path, monkeypatch):
    asked = config(tmp_path).read_text()
    run(monkeypatch, configuration.main, "--spec", asked, "--out", tmp_path / "kept.json")
    assert json.loads((tmp_path / "kept.json").read_text()) == json.loads(asked)
