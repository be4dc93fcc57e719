"""The study's figures for anybody's data: legible, on comparable axes, and without panels of what nobody published."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.report import style
from studies.what_matters.figures import benchmarks, headline, lines, table2, table3, table4
from studies.what_matters.layout import BASELINE, COMPARISONS, GAP_NAMES, RISING
from tests.report_data import assert_legible
from tests.studies.what_matters.data import SEVEN

NAMES = st.integers(1, 90).flatmap(lambda length: st.text("Wilmg _-.0", min_size=length, max_size=length))
NAMES = NAMES.filter(lambda name: name.strip(" _-."))
"""Names of wide and narrow letters, broken nowhere or everywhere."""
TIERS = st.sets(st.sampled_from(SEVEN)).map(lambda found: sorted({("best", "worst")} | found))


def cells(rng, suites, published, gains=True):
    """Some numbers of each suite, and the paper's of those that it has."""
    found = {}
    for name in suites:
        error = rng.uniform(0.1, 3) if gains else np.nan
        found |= {name: rng.normal(40, 4), f"{name}_se": 2.0, f"{name}_gain_se": error}
        found[f"{name}_published"] = rng.normal(40, 9) if name in published else np.nan
    return found


def table_1(datasets, suites, published=None, seeds=2, seed=0):
    """Table 1 over datasets: name -> pairs of tiers; published: name -> the suites that the paper has for it."""
    rng, published = np.random.default_rng(seed), published or {}
    of_any = {name for names in published.values() for name in names}
    rows = [{"dataset": BASELINE, "n_seeds": 1, "n_draws": 1} | cells(rng, suites, of_any, gains=False)]
    for name, tiers in datasets.items():
        groups = {"Fixed Best": [each for each in tiers if each[0] == "best"]}
        groups["Fixed Worst"] = [each for each in tiers if each[1] == "worst"]
        for group, members in groups.items():
            for chosen, rejected in sorted(members, key=lambda each: tuple(map(RISING.index, each))):
                labels = {
                    "dataset": f"{name} ({group})",
                    "chosen": chosen,
                    "rejected": rejected,
                    "n_seeds": seeds,
                    "n_draws": 1,
                }
                rows.append(labels | cells(rng, suites, published.get(name, ())))
    return pd.DataFrame(rows)


def read(table, folder):
    table.to_csv(folder / "table1.csv", index=False)
    return lines.read_table1(folder / "table1.csv")


def titles(figure):
    return [axis.get_title("left") for axis in figure.axes]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(NAMES, TIERS, st.booleans()), min_size=1, max_size=10, unique_by=lambda each: each[0]),
    st.integers(0, 99),
)
def test_no_text_of_the_headline_lies_over_a_text_or_a_line(tmp_path_factory, datasets, seed):
    published = {name: ["gsm8k", "mmlu"] for name, _, known in datasets if known}
    table = table_1(
        {name: tiers for name, tiers, _ in datasets}, ["gsm8k", "mmlu", "true_reward"], published, seed=seed
    )
    with style.drawing():
        drawn = headline.figure(read(table, tmp_path_factory.mktemp("t")), ["gsm8k", "mmlu"])
        assert_legible(drawn)
        assert len(drawn.axes) == len(datasets) + len(published)
        assert all(axis.get_position().width > 0.12 for axis in drawn.axes)
        assert len({axis.get_ylim() for axis in drawn.axes}) == 1


@pytest.mark.parametrize("count", [1, 2, 4, 5, 10])
def test_panels_wrap_into_even_rows(tmp_path, count):
    names = [f"A rather long name of a dataset-number_{at}" for at in range(count)]
    with style.drawing():
        drawn = headline.figure(read(table_1(dict.fromkeys(names, SEVEN), ["gsm8k"]), tmp_path), ["gsm8k"])
        assert_legible(drawn)
    assert [title.replace("\n", "").replace(" ", "") for title in titles(drawn)] == [n.replace(" ", "") for n in names]
    rows = pd.Series([round(axis.get_position().y0, 3) for axis in drawn.axes]).value_counts(sort=False)
    assert len(rows) == -(-count // headline.COLUMNS) and rows.max() <= headline.COLUMNS
    assert rows.max() - rows.min() < max(2, len(rows))


def test_a_datasets_two_panels_stand_side_by_side(tmp_path):
    published = {name: ["gsm8k"] for name in ("b", "d")}
    with style.drawing():
        drawn = headline.figure(read(table_1(dict.fromkeys("abcde", SEVEN), ["gsm8k"], published), tmp_path), ["gsm8k"])
        drawn.canvas.draw()
        at = {
            title.replace("\n", " "): axis.get_position().y0
            for title, axis in zip(titles(drawn), drawn.axes, strict=True)
        }
    assert list(at) == ["a here", "b here", "b as published", "c here", "d here", "d as published", "e here"]
    assert all(at[f"{name} here"] == pytest.approx(at[f"{name} as published"]) for name in "bd")


def test_what_nobody_published_has_no_panel_and_no_mention(tmp_path):
    table = read(table_1({"mine": SEVEN, "yours": [("best", "worst")]}, ["gsm8k", "mmlu"], seeds=1), tmp_path)
    with style.drawing():
        for drawn in (headline.figure(table, ["gsm8k", "mmlu"]), benchmarks.figure(table)):
            words = " ".join([*titles(drawn), *(text.get_text() for text in drawn.texts)]).replace("\n", " ")
            assert "here" not in words and "published" not in words
            assert "1 seed shows no training noise" in words
        assert titles(headline.figure(table, ["gsm8k", "mmlu"])) == ["mine", "yours"]


def test_the_published_mean_is_over_the_same_benchmarks_as_ours(tmp_path):
    """The paper has no true reward: neither panel has it, and both are gains over their own baseline."""
    table = read(table_1({"mine": SEVEN}, ["gsm8k", "true_reward", "mmlu"], {"mine": ["gsm8k", "mmlu"]}), tmp_path)
    assert headline.averaged(table, table.benchmarks) == ["gsm8k", "mmlu"]
    rows = table.datasets["mine"]["Fixed Worst"]
    with style.drawing():
        drawn = headline.figure(table, table.benchmarks)
        curves = [axis.lines[0].get_ydata() for axis in drawn.axes]
    for suffix, curve in zip(("", "_published"), curves, strict=True):
        gains = [rows[f"{name}{suffix}"] - table.baseline[f"{name}{suffix}"] for name in ("gsm8k", "mmlu")]
        assert curve == pytest.approx(np.mean(gains, axis=0).tolist())
    _, errors = table.gains(rows, ["gsm8k", "mmlu"], "measured")
    assert errors == pytest.approx(np.hypot(rows["gsm8k_gain_se"], rows["mmlu_gain_se"]) / 2)


@pytest.mark.parametrize("known", [True, False])
def test_every_other_figure_is_legible_and_has_one_axis_a_benchmark(tmp_path, known):
    suites = ["gsm8k", "lc_ae2", "mmlu", "ifeval", "truthfulqa", "true_reward", "preference"]
    long = "A rather long name of a preference dataset_with_underscores-and-dashes, filtered"
    names = {f"{long} {at}": SEVEN for at in range(2)}
    published = {name: suites[:5] for name in names} if known else {}
    with style.drawing():
        drawn = benchmarks.figure(read(table_1(names, suites, published), tmp_path))
        assert_legible(drawn)
        for name in ("GSM8K", "MMLU"):
            (first,) = [axis for axis in drawn.axes if axis.get_title("left") == name]
            assert len(first.get_shared_y_axes().get_siblings(first)) == len(names) * (2 if known else 1)
        for figure, table in ((table2, table_2), (table3, table_3), (table4, table_4)):
            drawn = figure.figure(table(suites, suites[:5] if known else [], list(names)))
            assert_legible(drawn)
            words = [text.get_text() for text in drawn.findobj(lambda each: hasattr(each, "get_text"))]
            assert any("as published" in text for text in words) == known


def table_2(suites, published, names):
    rng = np.random.default_rng(2)
    rows = [{"dataset": BASELINE, "n_seeds": 1, "n_draws": 1} | cells(rng, suites, published, gains=False)]
    for name in names:
        for training in ("Continual SFT", "Online DPO"):
            labels = {"dataset": name, "configuration": training, "n_seeds": 2, "n_draws": 1}
            rows.append(labels | cells(rng, suites, published))
    return pd.DataFrame(rows)


def table_3(suites, published, names):
    rng = np.random.default_rng(3)
    gain = {"gain_se": 0.5, "gain_published": 2.0 if published else np.nan}
    return pd.DataFrame(
        [
            {"part": part, "configuration": GAP_NAMES[name], "gain": rng.normal(), "n_seeds": 2, "n_draws": 1} | gain
            for part, compared in COMPARISONS.items()
            for both in compared
            for name in both
        ]
    )


def table_4(suites, published, names):
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        [
            {"quality": quality, "on_policy": percent, "n_seeds": 2, "n_draws": 1}
            | cells(rng, suites, published, gains=percent > 0)
            for quality in ("high", "low")
            for percent in (0, 10, 20)
        ]
    )
