"""The page: one study or several, with and without sections and claims; no study's name in another's part."""

import json
import re

import pandas as pd
import pytest

from scripts.lib.claims import COLUMNS, read_claims
from scripts.lib.errors import InputError
from scripts.lib.tables import write_json
from scripts.report import claims_view, configuration, page, section
from tests.report_data import NASTY, checked, run
from tests.unit.test_report_dag import DOT
from tests.unit.test_report_section import figure, table

RAW = {
    "studies": ["first"],
    "sources": {"web": {"kind": "world", "prompts": 5, "generators": {"a": 0.5}}},
    "prompt_sets": {"web": {"sources": ["web"]}},
    "pairs": {},
    "policies": {},
    "samples": {"drawn": {"policy": "base", "prompt_set": "web", "samples": 8}},
    "training": {"variants": {"dpo": {}, "sharp": {"beta": 0.5}}},
    "evaluation": {
        "suites": {
            "gsm8k": {"kind": "harness", "task": "gsm8k_cot", "metric": "exact_match,strict-match", "shots": 8},
            "lc_ae2": {"kind": "win_rate", "data": "world", "judge": {"kind": "world"}},
            "never_asked": {"kind": "harness", "task": "other", "metric": "acc,none"},
        }
    },
    "first": {"datasets": [{"name": NASTY}]},
}
FIRST = {"name": "first", "title": f"First {NASTY}?", "lead": f"It ran {NASTY}."}
SECOND = {"name": "second", "title": "Second?", "lead": "It ran too."}


def config(folder):
    write_json(RAW, folder / "configuration.json")
    return folder / "configuration.json"


def claims(folder, seeds=2, study="first"):
    rows = [
        [study, "rises.d", f"{NASTY}: all rise", 0.1, -1.0, -2.0, -0.5, seeds, "fails"],
        [study, "rises.d.gsm8k", "gsm8k rises", None, 2.0, 1.0, 3.0, seeds, "holds"],
        [study, "rises.d.mmlu", "mmlu rises", 0.1, -1.0, -2.0, -0.5, seeds, "fails"],
        [study, "over.d", "chosen over rejected", None, 0.2, -0.1, 0.5, seeds, "undecided"],
        [study, "theory.one", "a theorem", 0.0, 0.0, 0.0, 0.0, 20, "holds"],
    ]
    path = folder / f"claims_{study}.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)
    return path


def parts(folder, study, monkeypatch):
    """A study's input to the page: a section with a headline, two common figures, counts of shared work."""
    tables, figures, sections = (folder / name for name in ("tables", "figures", "sections"))
    for each in (tables / study, figures / study):
        each.mkdir(parents=True)
    sharing = tables / study / "sharing.csv"
    sharing.write_text("quantity,shared,separate\nscored responses,100,2500\nsampled responses,0,0\n")
    drawn = [figure(figures / study, name) for name in ("headline", "other", "tier_scores", "training_curves")]
    out = sections / f"{study}.html"
    run(monkeypatch, section.main, "--title", f"Results of {study}", "--tables", table(tables / study), "--figures",
        *drawn[:2], "--out", out)  # fmt: skip
    return {"--sections": [out], "--common-figures": drawn[2:], "--sharing": [sharing]}


def together(*of_studies):
    return [
        word for flag in of_studies[0] for word in (flag, *(path for of_study in of_studies for path in of_study[flag]))
    ]


def render(monkeypatch, folder, studies, *arguments):
    out = folder / "report.html"
    known = ["--config", config(folder), "--studies", json.dumps(studies)]
    run(monkeypatch, page.main, *known, *arguments, "--out", out)
    return checked(out)


def headings(html):
    return [(int(level), text) for level, text in re.findall(r"<h([1-6])>(.*?)</h\1>", html)]


def test_the_whole_page_of_one_study(tmp_path, monkeypatch):
    (tmp_path / "d.card.json").write_text(json.dumps({"pairs": 12345, "dropped": {NASTY: 3, "none": 0}}))
    source = tmp_path / "web"
    source.mkdir()
    (source / "card.json").write_text(json.dumps({"source": "web", "prompts": 7, "path": NASTY, "dropped": {}}))
    dot = tmp_path / "rules.dot"
    dot.write_text(DOT)
    html = render(
        monkeypatch, tmp_path, [FIRST], "--claims", claims(tmp_path), *together(parts(tmp_path, "first", monkeypatch)),
        "--source-cards", source / "card.json", "--pairs-cards", tmp_path / "d.card.json",
        "--rulegraph", dot, "--phases", json.dumps({"train": NASTY}), "--suites", "gsm8k", "lc_ae2",
    )  # fmt: skip
    assert html.count("<figure") == 4 + 1 and "&lt;script&gt;" in html
    levels = headings(html)
    assert levels[0] == (1, str(page.Markup.escape(FIRST["title"]))) and page.Markup.escape(FIRST["lead"]) in html
    assert [text for level, text in levels if level == 2] == [
        "Results of first", "Claims", "Data and scores", "Training", "Workflow", "Configuration",
    ]  # fmt: skip

    front = html[: html.index('id="first.results"')]
    assert re.search(r'<li class="fails"><b>1</b>claim fails</li>', front)
    assert re.search(r'<li class="holds"><b>1</b>claim holds</li>', front)
    assert "✗ fails" in front and "−1.00" in front and "a theorem" in front and front.count("published") == 1
    in_order = ["all rise", "<text>headline</text>", "Its theorems", "a theorem"]
    assert sorted(in_order, key=front.index) == in_order

    assert "12,345" in html and ">train<" in html and "2,500" in html and "25.0" in html
    assert "gsm8k_cot" in html and "8-shot" in html and "judge world" in html
    assert ">other<" not in html[html.index("<h3>Benchmarks</h3>") : html.index("<details>")]
    assert html.index("<details>") < html.index("never_asked")
    assert render(monkeypatch, tmp_path, [FIRST]).count("<section") == 2  # data, configuration


def test_two_studies_share_a_page_and_no_names(tmp_path, monkeypatch):
    both = [parts(tmp_path, study["name"], monkeypatch) for study in (FIRST, SECOND)]
    joined = tmp_path / "claims.csv"
    pd.concat([read_claims(claims(tmp_path, study=name)) for name in ("first", "second")]).to_csv(joined, index=False)
    dot = tmp_path / "rules.dot"
    dot.write_text(DOT)
    html = render(monkeypatch, tmp_path, [FIRST, SECOND], "--claims", joined, *together(*both), "--rulegraph", dot)
    assert headings(html)[0] == (1, page.SEVERAL) and "It ran too." in html
    assert re.search(r'<li class="fails"><b>2</b>claims fail</li>', html)
    ids = re.findall(r'id="([^"]+)"', html)
    assert {each.partition(".")[0] for each in ids if "." in each} == {"study", "first", "second"}

    at = [html.index(f'<section class="study" id="study.{name}">') for name in ("first", "second")]
    ends = [at[1], html.index('<section id="claims">')]
    for (name, other), start, end in zip([("first", "second"), ("second", "first")], at, ends, strict=True):
        part = html[start:end]
        assert other not in part.lower() and f'href="#{name}.results"' in part
        assert part.index("<text>headline</text>") < part.index(f"<h3>Results of {name}</h3>")
        assert part.count("<figure>") == 2 and html[: at[0]].count(f'href="#study.{name}"') == 2
    assert html[at[1] :].count("Second?") == 1 + 1 + 1 + 1 + 1 + 1  # its part and nav; claims, data, training, sharing


def test_the_second_study_does_not_change_the_firsts_section(tmp_path, monkeypatch):
    first, second = (parts(tmp_path, study["name"], monkeypatch) for study in (FIRST, SECOND))
    alone = render(monkeypatch, tmp_path, [FIRST], *together(first))
    beside = render(monkeypatch, tmp_path, [FIRST, SECOND], *together(first, second))
    found = section.read_section(first["--sections"][0])
    assert found.headline in alone and found.body in alone
    assert found.headline in beside and found.lowered in beside


def test_a_study_without_a_section_and_without_claims(tmp_path, monkeypatch):
    html = render(monkeypatch, tmp_path, [SECOND])
    assert "Configuration" in html and 'class="tally"' not in html and 'id="claims"' not in html
    html = render(
        monkeypatch, tmp_path, [FIRST, SECOND], "--claims", claims(tmp_path),
        *together(parts(tmp_path, "first", monkeypatch)),
    )  # fmt: skip
    assert "It ran too." in html and "study.second" not in html and html.count("Second?") == 1


@pytest.mark.parametrize("flag", ["--sections", "--common-figures", "--sharing", "--claims"])
def test_what_is_of_no_study_on_the_page_is_refused(tmp_path, monkeypatch, flag):
    given = parts(tmp_path, "first", monkeypatch) | {"--claims": [claims(tmp_path)]}
    with pytest.raises(InputError, match="of the study first, which --studies lacks"):
        render(monkeypatch, tmp_path, [SECOND], flag, *given[flag])


def test_one_seed_is_said_on_the_front(tmp_path, monkeypatch):
    html = render(monkeypatch, tmp_path, [FIRST], "--claims", claims(tmp_path, seeds=1))
    assert "rest on one seed" in html


def test_hyperparameters_show_defaults_and_departures():
    atlas = page.AtlasConfig.model_validate({key: value for key, value in RAW.items() if key != "first"})
    found = page.hyperparameters(atlas.training)
    assert found["variants"] == ["dpo", "sharp"]
    rows = {row["name"]: row["values"] for row in found["rows"]}
    assert rows["beta"] == ["0.1", "0.5"] and rows["adam_beta2"] == ["0.99", "0.99"]


def test_claims_are_under_the_claim_they_are_part_of(tmp_path):
    views = claims_view.arrange(read_claims(claims(tmp_path)))
    assert [(view.row["claim"], [part.label for part in view.parts]) for view in views] == [
        ("rises.d", ["gsm8k", "mmlu"]),
        ("over.d", []),
        ("theory.one", []),
    ]
    assert [view.is_exact for view in views] == [False, False, True]
    assert claims_view.tally(views) == {"holds": 1, "fails": 1, "undecided": 1}
    bars = [part.bar for part in views[0].parts]
    assert bars[0].zero == bars[1].zero and bars[1].high < bars[1].zero < bars[0].low
    assert bars[0].published is None


def test_equal_names_of_two_studies_claims_stay_apart(tmp_path):
    tables = [read_claims(claims(tmp_path, study=study)) for study in ("first", "second")]
    tables[1] = tables[1][tables[1]["claim"] != "rises.d"]
    views = claims_view.arrange(pd.concat(tables))
    assert [(view.row["study"], view.row["claim"], len(view.parts)) for view in views] == [
        ("first", "rises.d", 2),
        ("first", "over.d", 0),
        ("first", "theory.one", 0),
        ("second", "rises.d.gsm8k", 0),
        ("second", "rises.d.mmlu", 0),
        ("second", "over.d", 0),
        ("second", "theory.one", 0),
    ]


def test_the_configuration_is_kept_as_it_was_asked_for(tmp_path, monkeypatch):
    run(monkeypatch, configuration.main, "--spec", json.dumps(RAW), "--out", tmp_path / "kept.json")
    assert json.loads((tmp_path / "kept.json").read_text()) == RAW
