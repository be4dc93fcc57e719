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


def row(study, claim, verdict, *, kind="finding", low=-2.0, high=-0.5, smallest=None, published=None, seeds=2, draws=3):
    """A row of claims.csv; its finding ends in its name."""
    middle = (low + high) / 2
    words = [f"{claim} as stated", f"found of {claim}."]
    return [study, claim, *words, published, middle, low, high, smallest, seeds, draws, kind, verdict]


def claims(folder, study="first", **numbers):
    rows = [
        row(study, "rises.d", "fails", published=0.1, **numbers),
        row(study, "rises.d.gsm8k", "holds", low=1.0, high=3.0, **numbers),
        row(study, "rises.d.mmlu", "fails", published=0.1, **numbers),
        row(study, "over.d", "undecided", low=-0.1, high=0.5, smallest=0.8, **numbers),
        row(study, f"{NASTY}", "holds", low=1.0, high=3.0, **numbers),
        row(study, "theory.one", "holds", kind="theorem", low=0.0, high=0.0, published=0.0),
        row(study, "theory.two", "beyond", kind="theorem", low=0.1, high=0.3, published=0.0),
    ]
    return written(folder, rows, study)


def written(folder, rows, study="first"):
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
        "Verdicts", "Results of first", "Claims", "Data and scores", "Training", "Workflow", "Configuration",
    ]  # fmt: skip

    assert "12,345" in html and ">train<" in html and "2,500" in html and "25.0" in html
    assert "gsm8k_cot" in html and "8-shot" in html and "judge world" in html
    setup = html[html.index('id="configuration"') :]
    assert ">other<" not in setup[: setup.index("<details>")]
    assert setup.index("<details>") < setup.index("never_asked")
    assert render(monkeypatch, tmp_path, [FIRST]).count("<section") == 2  # data, configuration


def front_of(html):
    """What stands above the study's tables, without its tags."""
    front = html[html.index("<main>") : html.index('id="first.results"')]
    front = re.sub(r"</?(div|li|ul|p|td|tr|h\d|details|summary|br)\b[^>]*>", " ", front.replace("<svg", "PICTURE <svg"))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", front))


def test_the_first_screen_answers_and_the_theorems_are_not_among_the_answers(tmp_path, monkeypatch):
    given = together(parts(tmp_path, "first", monkeypatch))
    html = render(monkeypatch, tmp_path, [FIRST], "--claims", claims(tmp_path), *given)
    front = front_of(html)
    in_order = [
        "3 claims about this data: 1 holds, 1 fails, 1 could not be decided.",
        "✗ fails found of rises.d. 2 parts ✓ found of rises.d.gsm8k. ✗ found of rises.d.mmlu.",
        "? undecided found of over.d.",
        f"✓ holds found of {page.Markup.escape(NASTY)}.",
        "PICTURE",
        "Verdicts",
        "✓ What holds",
        f"{page.Markup.escape(NASTY)} as stated measured 2.00 (1.00 to 3.00)",
        "✗ What fails",
        "rises.d as stated measured −1.25 (−2.00 to −0.50); published 0.10 ✓ GSM8K ✗ MMLU",
        "? What could not be seen",
        "over.d as stated could have seen 0.80, measured 0.20 (−0.10 to 0.50)",
        "2 theorems of the paper, checked numerically: 1 holds, 1 is a limit that the paper does not claim",
        "found of theory.one. 0 0 2 ✓ holds",
        "found of theory.two. 0 0.2 0.1 to 0.3 2 ◦ beyond",
    ]
    at = [front.index(each) for each in in_order]
    assert at == sorted(at)
    assert "theory" not in front[: at[-3]] and "theory" not in html[html.index('id="first.results"') :]
    fold = html.index('<details class="theorems">')
    assert fold < html.index("theory.one") < html.index("theory.two") < html.index("</details>", fold)
    assert "seed" not in front[: at[-3]] and "draw" not in front


@pytest.mark.parametrize(
    ("numbers", "verdict", "said"),
    [
        ({"seeds": 1, "draws": 1}, "undecided", "One seed decides nothing."),
        ({"seeds": 1, "draws": 3}, "undecided", "Nothing could be decided."),
        ({"seeds": 3, "draws": 1}, "undecided", "Nothing could be decided."),
        ({"seeds": 3, "draws": 1}, "holds", "For this draw of the data"),
        ({"seeds": 3, "draws": 2}, "holds", None),
    ],
)
def test_what_cannot_be_known_is_said_plainly(tmp_path, monkeypatch, numbers, verdict, said):
    path = written(tmp_path, [row("first", "a", verdict, **numbers), row("first", "t", "holds", kind="theorem")])
    html = render(monkeypatch, tmp_path, [FIRST], "--claims", path)
    sentences = {"One seed decides nothing.", "Nothing could be decided.", "For this draw of the data"}
    assert {each for each in sentences if each in html} == {said} - {None}


def test_theorems_alone_answer_nothing(tmp_path, monkeypatch):
    path = written(tmp_path, [row("first", "t", "holds", kind="theorem")])
    html = render(monkeypatch, tmp_path, [FIRST], "--claims", path, *together(parts(tmp_path, "first", monkeypatch)))
    assert "No claim is about this data" in html and "claims about this data" not in html and 'id="claims"' not in html
    assert html.index("<text>headline</text>") < html.index("1 theorem of the paper")


def test_many_answers_are_folded_so_that_the_picture_stays_near(tmp_path, monkeypatch):
    path = written(tmp_path, [row("first", f"claim{at}", "holds") for at in range(claims_view.MOST + 3)])
    html = render(monkeypatch, tmp_path, [FIRST], "--claims", path, *together(parts(tmp_path, "first", monkeypatch)))
    fold = html.index('<details class="rest"><summary>3 more</summary>')
    assert html.index(f"claim{claims_view.MOST - 1}.") < fold < html.index(f"claim{claims_view.MOST}.")
    assert html.index(f"claim{claims_view.MOST + 2}.") < html.index("<text>headline</text>")
    assert f"{claims_view.MOST + 3} hold" in html


def test_two_studies_share_a_page_and_no_names(tmp_path, monkeypatch):
    both = [parts(tmp_path, study["name"], monkeypatch) for study in (FIRST, SECOND)]
    joined = tmp_path / "claims.csv"
    pd.concat([read_claims(claims(tmp_path, study=name)) for name in ("first", "second")]).to_csv(joined, index=False)
    dot = tmp_path / "rules.dot"
    dot.write_text(DOT)
    html = render(monkeypatch, tmp_path, [FIRST, SECOND], "--claims", joined, *together(*both), "--rulegraph", dot)
    assert headings(html)[0] == (1, page.SEVERAL) and "It ran too." in html
    assert html.count("3 claims about this data") == 2
    ids = re.findall(r'id="([^"]+)"', html)
    assert {each.partition(".")[0] for each in ids if "." in each} == {"answers", "study", "first", "second"}

    at = [html.index(f'<section class="study" id="study.{name}">') for name in ("first", "second")]
    fronts = [html.index(f'id="answers.{name}"') for name in ("first", "second")]
    ends = [at[1], html.index('<section id="claims">')]
    for name, other, front, after in zip(
        ("first", "second"), ("second", "first"), fronts, [fronts[1], at[0]], strict=True
    ):
        part = html[front:after]
        assert part.index("found of rises.d.") < part.index("<text>headline</text>") < part.index("<h3>Verdicts</h3>")
        assert other not in part.lower() and f'href="#study.{name}"' in part
    for (name, other), start, end in zip([("first", "second"), ("second", "first")], at, ends, strict=True):
        part = html[start:end]
        assert other not in part.lower() and f'href="#{name}.results"' in part
        assert (
            part.count("<figure>") == 1
            and "<text>headline</text>" not in part
            and f"<h3>Results of {name}</h3>" in part
        )
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
    assert "Configuration" in html and "about this data" not in html and 'id="claims"' not in html
    html = render(
        monkeypatch, tmp_path, [FIRST, SECOND], "--claims", claims(tmp_path),
        *together(parts(tmp_path, "first", monkeypatch)),
    )  # fmt: skip
    assert "It ran too." in html and "study.second" not in html and html.count("Second?") == 2  # the links, its name


@pytest.mark.parametrize("flag", ["--sections", "--common-figures", "--sharing", "--claims"])
def test_what_is_of_no_study_on_the_page_is_refused(tmp_path, monkeypatch, flag):
    given = parts(tmp_path, "first", monkeypatch) | {"--claims": [claims(tmp_path)]}
    with pytest.raises(InputError, match="of the study first, which --studies lacks"):
        render(monkeypatch, tmp_path, [SECOND], flag, *given[flag])


def test_hyperparameters_show_defaults_and_departures():
    atlas = page.AtlasConfig.model_validate({key: value for key, value in RAW.items() if key != "first"})
    found = page.hyperparameters(atlas.training)
    assert found["variants"] == ["dpo", "sharp"]
    rows = {row["name"]: row["values"] for row in found["rows"]}
    assert rows["beta"] == ["0.1", "0.5"] and rows["adam_beta2"] == ["0.99", "0.99"]


def test_claims_are_under_the_claim_they_are_part_of(tmp_path):
    views = claims_view.arrange(read_claims(claims(tmp_path)))
    found = claims_view.answers(views)
    assert [(view.row["claim"], [part.label for part in view.parts]) for view in found.findings] == [
        ("rises.d", ["gsm8k", "mmlu"]),
        ("over.d", []),
        (NASTY, []),
    ]
    assert [view.row["claim"] for view in found.theorems] == ["theory.one", "theory.two"]
    assert {verdict: len(of_it) for verdict, of_it in found.by_verdict.items()} == {
        "holds": 1,
        "fails": 1,
        "undecided": 1,
    }
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
        ("first", NASTY, 0),
        ("first", "theory.one", 0),
        ("first", "theory.two", 0),
        ("second", "rises.d.gsm8k", 0),
        ("second", "rises.d.mmlu", 0),
        ("second", "over.d", 0),
        ("second", NASTY, 0),
        ("second", "theory.one", 0),
        ("second", "theory.two", 0),
    ]


def test_the_configuration_is_kept_as_it_was_asked_for(tmp_path, monkeypatch):
    run(monkeypatch, configuration.main, "--spec", json.dumps(RAW), "--out", tmp_path / "kept.json")
    assert json.loads((tmp_path / "kept.json").read_text()) == RAW
