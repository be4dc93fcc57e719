"""Tables 1, 3, 4 and 5 from records whose numbers are known, and the paper's own numbers under the same rules."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.csv_files import write_csv
from studies.alignment_stages import layout, table2
from studies.alignment_stages.discrepancy import delta, is_hit, written
from studies.alignment_stages.figures import boundary as boundary_figure
from studies.alignment_stages.figures import iterations as iterations_figure
from studies.alignment_stages.iterations import COLUMNS, cells
from studies.alignment_stages.layout import OFF, PATHS
from studies.alignment_stages.measured import Answers, of_shares
from studies.alignment_stages.predictions import predictions
from studies.alignment_stages.published_numbers import Published
from studies.alignment_stages.section import iterations as shown
from tests.studies.alignment_stages.data import LEVELS, PUBLISHED, SCORES, SPREAD, STUDY, record_all

MISPRINTED = {
    ("Qwen2.5-1.5B", "dpo", "off"): ("9.41", "4.95"),
    ("Llama-3-8B-Instruct", "slic", ""): ("0.68", "0.66"),
    ("Zephyr-7B", "slic", "off"): ("0.38", "0.51"),
}
"""A start -> its Delta as printed, and by the paper's own win rates."""
points = st.floats(-60, 60, allow_nan=False)


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    answers, published = Answers(STUDY, record_all(tmp_path)), Published(PUBLISHED)
    write_csv([cells(STUDY, answers, of, published) for of in layout.rows(STUDY)], COLUMNS, tmp_path / "t.csv")
    return pd.read_csv(tmp_path / "t.csv", dtype={"delta": str, "delta_published": str})


def at(table: pd.DataFrame, path: tuple[str, ...]) -> pd.Series:
    rows = table[["iteration_1", "iteration_2"]].fillna("")
    (found,) = np.flatnonzero((rows == [*(*path, "", "")[:2]]).all(axis=1))
    return table.iloc[found]


def test_a_row_per_path_with_its_means_and_their_gains(table) -> None:
    assert len(table) == len(PATHS) == 9
    for path in PATHS:
        row, level = at(table, path), LEVELS[path]
        assert (row["lc_win_rate"], row["win_rate"], row["true_reward"]) == (level, level - 2, level + 50)
        assert (row["avg_length"], row["n_seeds"]) == (115, 2 if path else 1)
        if path:
            assert row["increase"] == level - LEVELS[path[:-1]]
            assert row["boundary_score"] == SCORES[path[:-1]] / 100
        else:
            assert pd.isna(row["increase"]) and pd.isna(row["boundary_score"])


def test_deltas_are_ratios_of_increases_from_one_initial_policy(table) -> None:
    """4 / 2 before training; after off −1 against 4; after on 3 against −1."""
    assert at(table, ("off",))["delta"] == "2.00" and at(table, ("off",))["off_minus_on"] == 2
    assert at(table, ("off", "off"))["delta"] == "<0.01" and at(table, ("off", "off"))["off_minus_on"] == -5
    assert at(table, ("on", "off"))["delta"] == "+inf" and at(table, ("on", "off"))["off_minus_on"] == 4
    for path in ((), ("on",), ("off", "on"), ("on", "on"), ("blend",), ("blend", "blend")):
        assert pd.isna(at(table, path)["delta"]) and pd.isna(at(table, path)["off_minus_on"])


def test_standard_errors_by_hand(table) -> None:
    """Two seeds 2 apart, questions alike in both: var(question) / 4 + var(seed) / 2; in differences, seeds alone."""
    of_questions, of_seeds = SPREAD.var(ddof=1) / 4, np.var([-1, 1], ddof=1) / 2
    trained = at(table, ("off",))
    assert trained["lc_win_rate_se"] == pytest.approx(math.sqrt(of_questions + of_seeds), abs=1e-4)
    assert at(table, ())["lc_win_rate_se"] == pytest.approx(math.sqrt(of_questions), abs=1e-4)
    assert trained["increase_se"] == pytest.approx(math.sqrt(of_seeds), abs=1e-4)
    assert trained["off_minus_on_se"] == 0  # seed by seed the same difference, on every question
    score = at(table, ("on", "off"))
    assert score["boundary_score_se"] == pytest.approx(math.sqrt(of_questions + 4) / 100, abs=1e-4)


def test_published_numbers_stand_beside(table) -> None:
    first = at(table, ("off",))
    assert (first["win_rate_published"], first["lc_win_rate_published"], first["avg_length_published"]) == (
        3.92,
        5.97,
        983,
    )
    assert (first["boundary_score_published"], first["delta_published"]) == (0.23, "+inf")
    assert first["off_minus_on_published"] == pytest.approx(0.16 + 1.60)
    assert at(table, ())["lc_win_rate_published"] == 5.81


def test_table_2_is_the_paper_s_and_the_blend_s(tmp_path: Path) -> None:
    """Increases over before any training (10) and over after off-policy pairs (14); Zephyr's published beside."""
    base = STUDY.policies[0].model_copy(update={"model": "Zephyr-7B"})
    spec = STUDY.model_copy(update={"policies": [base]})
    answers, published = Answers(spec, record_all(tmp_path, spec)), Published(PUBLISHED)
    found = {of.path: cells(spec, answers, of, published) for of in layout.table2(spec)}
    assert list(found) == list(layout.TABLE_2) and all(set(table2.COLUMNS) <= set(each) for each in found.values())
    gains = {path: (row["increase"], row["increase_published"]) for path, row in found.items()}
    assert gains["foreign",] == (3.5, pytest.approx(5.41)) and gains["off", "foreign"] == (5.0, pytest.approx(8.55))
    assert gains["blend", "blend"] == (6.0, None) and gains[()] == (None, None)
    assert found["foreign",]["boundary_score"] == 0.4 and found["off", "foreign"]["boundary_score"] == 0.6


@given(points, points)
def test_delta_has_the_paper_s_conventions(off: float, on: float) -> None:
    ratio = delta(off, on)
    if off > 0 and on > 0:
        assert ratio == off / on
    elif off > 0:
        assert ratio == math.inf and written(ratio) == "+inf"
    elif on > 0:
        assert ratio == 0 and written(ratio) == "<0.01"
    else:
        assert ratio is None and written(ratio) == "-"
    if ratio is not None and off != on:
        assert (ratio > 1) == (off > on)


@pytest.mark.parametrize(
    ("off", "on", "text"),
    [(3.14, 9.45, "0.33"), (0.10, 12.84, "<0.01"), (0.16, -1.60, "+inf"), (-0.53, -0.79, "-"), (1.52, 1.34, "1.13")],
)
def test_delta_as_in_tables_1_and_4(off: float, on: float, text: str) -> None:
    assert written(delta(off, on)) == text


def test_the_paper_s_deltas_follow_from_its_win_rates_but_for_three() -> None:
    published = Published(PUBLISHED)
    found = {}
    for model, objective, first in published.deltas:
        start = (first,) if first else ()
        off, on = (round(published.increase(model, objective, (*start, data)), 2) for data in ("off", "on"))
        found[model, objective, first] = written(delta(off, on))
    assert len(found) == 24
    differ = {key: (printed, found[key]) for key, printed in published.deltas.items() if printed != found[key]}
    assert differ == MISPRINTED


def test_every_published_start_has_its_three_rows() -> None:
    published = Published(PUBLISHED)
    for model, objective, first in published.deltas:
        start = (first,) if first else ()
        assert all(published.row(model, objective, each) for each in (start, (*start, "off"), (*start, "on")))
    assert len(published.numbers) == 5 + 8 * 6 + 2  # Table 2's PC_llama


def test_hits_are_counted_as_by_hand(table) -> None:
    """0.40 and off gains more: hit. 0.60 after off and on gains more: hit. 0.45 after on and off gains more: hit."""
    found = {(row["source"], row["predictor"]): row for row in predictions(table, Published(PUBLISHED))}
    ours = found["measured", "boundary score"]
    assert (ours["n"], ours["hits"]) == (3, 3)
    assert [found["measured", f"always {data}-policy"]["hits"] for data in ("off", "on")] == [2, 1]
    theirs = [found["published", name] for name in ("boundary score", "always off-policy", "always on-policy")]
    assert [(row["n"], row["hits"]) for row in theirs] == [(24, 22), (24, 16), (24, 8)]
    assert ours["ci_low"] == pytest.approx(0.025 ** (1 / 3)) and ours["ci_high"] == 1


@given(st.floats(0, 1), points, points)
def test_a_hit_is_the_larger_increase(score: float, off: float, on: float) -> None:
    hit = is_hit(score, off, on)
    if off == on:
        assert hit is None
    else:
        assert hit == (off > on if score < 0.5 else on > off)
        assert is_hit(0.0, off, on) != is_hit(1.0, off, on)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_a_share_s_error_is_never_below_that_of_its_prompts(values: list[float]) -> None:
    mean, error = of_shares(values, [2.0] * len(values))
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9 and error >= 2.0
    if len(values) == 1:
        assert error == 2.0


def test_the_section_and_the_figures_show_every_row(table) -> None:
    on_page = shown(table.assign(delta=table["delta"].replace("<0.01", "0.25").astype(float)))
    assert [row.labels[2] for row in on_page.rows if row.labels[2]] == ["2.00", "0.25", "+inf"]
    assert len(on_page.rows) == 9 and on_page.labels[2:] == ["Δ", "Δ in the paper"]
    assert {row.group for row in on_page.rows} == {"weak, dpo (paper: Phi-2-2.7B)"}
    with boundary_figure.style.drawing():
        drawn = iterations_figure.figure(table)
        (axis,) = drawn.axes
        assert len([line for line in axis.lines if len(line.get_xdata()) == 2]) == 8  # one per trained row
        drawn = boundary_figure.figure(table)
        assert len(drawn.axes) == 2  # ours, and the paper's
        points = [line for line in drawn.axes[0].lines if line.get_marker() == "o"]
        assert sorted(float(line.get_ydata()[0]) for line in points) == [-5, 2, 4]


def test_a_study_without_a_paper_s_model_or_a_true_reward_has_blanks(tmp_path: Path) -> None:
    spec = STUDY.model_copy(
        update={"true_reward": None, "policies": [STUDY.policies[0].model_copy(update={"model": None})]}
    )
    answers = Answers(spec, record_all(tmp_path))
    for of in layout.rows(spec):
        found = cells(spec, answers, of, Published(PUBLISHED))
        assert found["true_reward"] is None and not any(found[each] for each in COLUMNS if "published" in each)
        assert (found["delta"] is not None) == (of.path[-1:] == (OFF,))
