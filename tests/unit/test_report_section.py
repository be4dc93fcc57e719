"""Tables as read by the page, and the section of a study that has nothing besides its tables and figures."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.csv_files import DECIMALS
from scripts.lib.errors import InputError
from scripts.report import section
from scripts.report.html import points, short
from scripts.report.section import read_section
from scripts.report.table import Cell, places_for, table_of
from tests.report_data import NASTY, checked, run

SVG = '<svg width="9pt" height="3pt" viewBox="0 0 9 3"><path id="p"/><use href="#p"/><text>{}</text></svg>'


def table(folder, name="datasets"):
    path = folder / f"{name}.csv"
    pd.DataFrame(
        {
            "dataset": ["mine", NASTY],
            "pairs": [12345, 900],
            "n_seeds": [3, 3],
            "gsm8k": [31.25, None],
            "gsm8k_se": [1.44, None],
            "gsm8k_published": [None, None],
            "true_reward": [0.5123, -0.0004],
            "true_reward_published": [0.7, None],
            "is_mine": [True, False],
        }
    ).to_csv(path, index=False)
    return path


def figure(folder, name):
    path = folder / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(SVG.format(name))
    return path


def test_a_table_is_labels_and_numbers_with_their_twins(tmp_path):
    found = table_of(table(tmp_path))
    assert found.labels == ["dataset", "is mine"] and found.columns == ["pairs", "seeds", "GSM8K", "true reward"]
    assert found.published == [False, False, False, True]
    assert [row.labels for row in found.rows] == [["mine", "True"], [NASTY, "False"]]
    assert found.rows[0].cells == [
        Cell(12345, places=0),
        Cell(3, places=0),
        Cell(31.25, se=1.44, places=1),
        Cell(0.5123, published=0.7, places=3),
    ]
    assert found.rows[1].cells[2] == Cell(None, places=1)


@pytest.mark.parametrize(("text", "problem"), [("a,b\n", "no rows"), ("", "not readable")])
def test_a_table_without_rows_is_refused(tmp_path, text, problem):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=problem):
        table_of(tmp_path / "t.csv")


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, DECIMALS)) | st.just(float("nan")), min_size=1))
def test_the_largest_number_keeps_three_figures_where_tables_have_them(values):
    places = places_for(values)
    assert 1 <= places <= DECIMALS
    largest = max((abs(value) for value in values if value == value), default=0.0)
    shown = float(points(largest, places).replace(",", ""))
    assert shown == pytest.approx(largest, rel=5.1e-3, abs=0.5 * 10**-DECIMALS)
    assert shown == float(f"{largest:.{places}f}")


@given(st.floats(-1e9, 1e9))
def test_numbers_have_a_true_minus_and_zero_has_no_sign(value):
    for text in (points(value), short(value)):
        assert "-" not in text.replace("e-", "")
    assert points(value) != "−0.00" and float(points(value).replace("−", "-").replace(",", "")) == round(value, 2)
    assert points(None) == points(float("nan")) == short(None) == "–"


def test_a_study_without_html_of_its_own_has_a_section(tmp_path, monkeypatch):
    drawn = [figure(tmp_path / "compare", name) for name in ("first", "second")]
    out, again = (tmp_path / folder / "compare.html" for folder in ("sections", "again"))
    tables = [table(tmp_path), table(tmp_path, "more_of_it")]
    given = ["--title", f"{NASTY}: compared", "--tables", *tables, "--figures", *drawn]
    for each in (out, again):
        run(monkeypatch, section.main, *given, "--out", each)
    html = checked(out)
    assert html.count("&lt;script&gt;") == 3 and html.count("<figure>") == 2 and html.count("<table") == 2
    assert "<caption>Datasets</caption>" in html and "<caption>More of it</caption>" in html
    assert "12,345" in html and '31.2 <span class="se">± 1.4</span>' in html and "0.512" in html
    assert html.count(">paper<") == 2 and '<td class="theirs">0.700</td>' in html and ">–<" in html

    found = read_section(out)
    assert "<text>first</text>" in found.headline and "second" not in found.headline and "first" not in found.body
    assert [(anchor, str(name)) for anchor, name in found.links] == [
        ("compare.results", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &#34;co&#34; $x_")
    ]
    assert again.read_bytes() == out.read_bytes()


def test_headings_go_a_level_down_and_nothing_else_does(tmp_path):
    path = tmp_path / "s.html"
    path.write_text('<section id="s.a">\n<h2>A: b</h2><h3 class="x">c</h3><hr><p>&lt;h2&gt; h2</p></section>')
    found = read_section(path)
    assert found.links == [("s.a", "A")] and found.headline == ""
    assert re.findall(r"</?h\w+", found.lowered) == ["<h3", "</h3", "<h4", "</h4", "<hr"]
    assert re.sub(r"(?<=h)\d", "", found.lowered) == re.sub(r"(?<=h)\d", "", found.body)


@pytest.mark.parametrize("text", [None, "", "<p>no section</p>"])
def test_what_is_no_section_is_refused(tmp_path, text):
    path = tmp_path / "s.html"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=r"not readable|holds no <section>"):
        read_section(path)
