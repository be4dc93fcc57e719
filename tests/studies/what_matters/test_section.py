"""The study's figures, and its section of the page."""

import re

import numpy as np
import pandas as pd
import pytest

from scripts.lib.errors import InputError
from scripts.report.section import read_section
from scripts.studies.theorems import Statement, above, within, write_theory
from studies.what_matters import section
from studies.what_matters.figures import benchmarks, headline, lines
from studies.what_matters.figures import table2 as table2_figure
from studies.what_matters.figures import table3 as table3_figure
from studies.what_matters.figures import table4 as table4_figure
from tests.report_data import NASTY, both, checked, run


def table1(folder):
    path = folder / "table1.csv"
    path.write_text(
        "dataset,chosen,rejected,n_seeds,n_draws,gsm8k,gsm8k_se,gsm8k_gain_se,gsm8k_published,mmlu,mmlu_se,mmlu_gain_se,"
        "mmlu_published\n"
        "SFT baseline,,,1,1,20.0,2.0,,76.8,30.0,2.0,,62.1\n"
        "Data <1> & more (Fixed Best),best,worst,2,1,31.0,1.5,0.5,,40.0,1.0,0.5,62.8\n"
        "Data <1> & more (Fixed Best),best,high,2,1,32.0,1.5,0.5,78.4,41.0,1.0,0.5,62.7\n"
        "Data <1> & more (Fixed Worst),low,worst,2,1,25.0,1.5,0.3,77.5,33.0,1.0,0.4,61.2\n"
        "Data <1> & more (Fixed Worst),best,worst,2,1,31.0,1.5,0.5,78.4,40.0,1.0,0.5,62.8\n"
    )
    return path


def measured(rng, published=True):
    """The cells of two benchmarks."""
    cells = {}
    for name in ("gsm8k", "mmlu"):
        cells |= {name: rng.uniform(20, 60), f"{name}_se": rng.uniform(1, 3), f"{name}_gain_se": rng.uniform(0.2, 1)}
        cells |= {f"{name}_published": rng.uniform(20, 60) if published else None}
    return cells


def table2(folder):
    rng = np.random.default_rng(2)
    rows = [{"dataset": "SFT baseline", "configuration": None, "n_seeds": 1, "n_draws": 1} | measured(rng)]
    for data in ("Data", NASTY):
        for name in ("Continual SFT", "Online DPO"):
            rows.append(
                {"dataset": data, "configuration": name, "n_seeds": 2, "n_draws": 1} | measured(rng, data == "Data")
            )
    pd.DataFrame(rows).to_csv(folder / "table2.csv", index=False)
    return folder / "table2.csv"


def table3(folder):
    rng = np.random.default_rng(3)
    rows = []
    for part in ("Part 1: quality", "Part 2: gap"):
        for name in ("A", NASTY):
            gain = {"gain": 1.5, "gain_se": 0.5, "gain_published": 2.0} if name == "A" else {}
            scores = {"mean_chosen": 0.7, "mean_chosen_published": -3, "mean_gap": 0.3, "mean_gap_published": None}
            rows.append(
                {"part": part, "configuration": name, "n_seeds": 2, "n_draws": 1} | scores | measured(rng) | gain
            )
    pd.DataFrame(rows).to_csv(folder / "table3.csv", index=False)
    return folder / "table3.csv"


def table4(folder):
    rng = np.random.default_rng(4)
    rows = [
        {
            "quality": quality,
            "on_policy": percent,
            "n_seeds": 2,
            "n_draws": 1,
            "mean_chosen": 0.9,
            "mean_chosen_published": -0.9,
        }
        | measured(rng, percent < 20)
        for quality in ("high", "low")
        for percent in (0, 10, 20)
    ]
    pd.DataFrame(rows).to_csv(folder / "table4.csv", index=False)
    return folder / "table4.csv"


def table5(folder):
    path = folder / "table5.csv"
    path.write_text(
        "dataset,chosen,rejected,on_policy,side,pairs,mean,mean_published\n"
        "<b>Data</b>,best,worst,20,chosen,12345,-1.5,\n<b>Data</b>,best,worst,20,rejected,12345,-2.5,-3.0\n"
    )
    return path


def theory(folder):
    path = folder / "theory.csv"
    stated = Statement(f"{NASTY}: it is", f"{NASTY} is true in {{0.median:.0%}} of the cases. What stands: that.")
    limit = Statement("Theorem 2, far away: it is", "The paper does not say so.", claimed=False)
    rows = stated.rows(above(0.5, "a share", [0.75, 0.25]), within(1e-9, 0.0, "a norm", [1e-12, 0.0]))
    write_theory(rows + limit.rows(within(0.1, 1.0, "a length", [3.0, 2.0])), path)
    return path


FIGURES = {
    "headline": (headline, table1),
    "benchmarks": (benchmarks, table1),
    "table2": (table2_figure, table2),
    "table3": (table3_figure, table3),
    "table4": (table4_figure, table4),
}
TABLES = (table1, table2, table3, table4, table5, theory)


def draw_all(folder, monkeypatch):
    """Every figure of the tables of runs, from small data; returns the SVG files."""
    for name, (step, table) in FIGURES.items():
        more = ["--benchmarks", "gsm8k", "mmlu"] if name == "headline" else []
        run(monkeypatch, step.main, "--table", table(folder), *more, "--out", *both(folder, name))
    return sorted(folder.glob("*.svg"))


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return draw_all(tmp_path_factory.mktemp("what_matters"), patch)


def make(folder, tables, figures, monkeypatch):
    out = folder / "what_matters.html"
    files = [table(folder) for table in tables]
    run(monkeypatch, section.main, "--tables", *files, "--figures", *figures, "--out", out)
    return out


def test_figures_are_drawn_the_same_bit_for_bit(figures, tmp_path, monkeypatch):
    for first, second in zip(figures, draw_all(tmp_path, monkeypatch), strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name
        assert first.with_suffix(".png").read_bytes() == second.with_suffix(".png").read_bytes(), first.name
        assert "<text" in first.read_text() and "<script" not in first.read_text()


def test_a_table_that_is_no_table_1_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("dataset,chosen,rejected,n_seeds,n_draws\n")
    with pytest.raises(InputError, match="has no rows"):
        lines.read_table1(path)
    path.write_text("dataset,chosen,rejected,n_seeds,n_draws\nData (Fixed Best),best,worst,2,1\n")
    with pytest.raises(InputError, match="not one baseline row"):
        lines.read_table1(path)


def test_the_whole_section(figures, tmp_path, monkeypatch):
    out = make(tmp_path, TABLES, figures, monkeypatch)
    html = checked(out)
    assert "<b>Data" not in html and "&lt;script&gt;" in html and html.count("<figure>") == len(FIGURES)
    found = read_section(out)
    assert [str(name) for _, name in found.links] == [*(f"Table {n}" for n in range(1, 6)), "Theory"]
    assert [anchor for anchor, _ in found.links] == [f"what_matters.{table.__name__}" for table in TABLES]
    assert found.headline.count("<figure>") == 1 and "the chosen response or the rejected one?" in found.headline

    parts = dict(zip([name for name, _ in found.links], re.split(r"<section", found.body)[1:], strict=True))
    of = {name.partition(".")[2]: html for name, html in parts.items()}
    assert "Every benchmark" in of["table1"] and re.search(r"SFT baseline</td>\s*<td>1</td>", of["table1"])
    assert of["table1"].count('<tr class="group">') == 2 and "Data &lt;1&gt; &amp; more (Fixed Best)" in of["table1"]
    assert of["table1"].count("best/worst") == 2 and '31.0 <span class="se">± 1.5</span>' in of["table1"]
    assert of["table2"].count("Online DPO</td>") == 2
    assert '1.50 <span class="se">± 0.50</span>' in of["table3"] and "−3.00" in of["table3"]
    assert of["table4"].count(">0.90<") == 6 and "on-policy, percent" in of["table4"]
    assert (
        of["table5"].count("best/worst, 20 % on-policy") == 1 and "12,345" in of["table5"] and "−1.50" in of["table5"]
    )
    assert re.findall(r">(holds|fails|undecided|beyond)<", of["theory"]) == ["undecided", "beyond"]
    assert "0 hold, 0 fail as worded, 1 are beyond the paper" in of["theory"] and "1 undecided" in of["theory"]
    assert re.findall(r">(\d of \d)<", of["theory"]) == ["1 of 2", "2 of 2", "0 of 2"]
    assert "0.25 to 0.75" in of["theory"] and "&gt; 0.5" in of["theory"] and "50 % of the cases" in of["theory"]


def test_what_is_not_there_is_left_out(tmp_path, monkeypatch):
    found = read_section(make(tmp_path, [table1], [], monkeypatch))
    assert found.headline.strip() == "" and [str(name) for _, name in found.links] == ["Table 1"]
    assert "<figure" not in found.body


def test_what_nobody_published_has_no_column(tmp_path, monkeypatch):
    def unpublished(folder):
        path = table1(folder)
        table = pd.read_csv(path)
        table.assign(gsm8k_published=None).to_csv(path, index=False)
        return path

    html = read_section(make(tmp_path, [unpublished], [], monkeypatch)).body
    assert '<th rowspan="2">GSM8K</th><th class="over" colspan="2">MMLU</th>' in html and html.count(">paper<") == 1


def test_draws_have_a_column_where_there_are_several(tmp_path, monkeypatch):
    def drawn(folder):
        path = table1(folder)
        pd.read_csv(path).assign(n_draws=[1, 5, 5, 5, 5]).to_csv(path, index=False)
        return path

    headings = [
        re.findall(r"<th[^>]*>(seeds|draws)<", read_section(make(tmp_path, [each], [], monkeypatch)).body)
        for each in (table1, drawn)
    ]
    assert headings == [["seeds"], ["seeds", "draws"]]


@pytest.mark.parametrize("table", [table2, table3, table4, table5])
def test_a_table_without_its_columns_is_refused(tmp_path, monkeypatch, table):
    def broken(folder):
        path = table(folder)
        pd.read_csv(path).drop(columns=section.TABLES[path.stem].columns[0]).to_csv(path, index=False)
        return path

    with pytest.raises(InputError, match="has no column"):
        make(tmp_path, [broken], [], monkeypatch)
