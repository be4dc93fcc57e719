"""The figures that every study has, and how figures are embedded in the page."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.lib.names import PairsName
from scripts.lib.schemas import PAIRS, RESPONSES, SCORES, TIERS, TRAINING
from scripts.lib.tables import write_table
from scripts.report import base_policies, pair_scores, scorer_agreement, style, tier_scores, training_curves
from scripts.report.inline import inline_svg
from scripts.report.names import in_order
from tests.evaluations_data import put
from tests.report_data import NASTY, assert_legible, both, run

NAMES = {
    "d_best_worst": {"dataset": "Data <1> & more", "chosen": "best", "rejected": "worst"},
    "d_low_worst": {"dataset": "Data <1> & more", "chosen": "low", "rejected": "worst"},
    "d_best_high": {"dataset": "Data <1> & more", "chosen": "best", "rejected": "high"},
}


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
            training |= {"step": steps, "pairs": steps * 0 + 8, "tokens": steps * 0 + 90, "samples": steps * 0}
            write_table(pd.DataFrame(training), folder / f"base.{name}.dpo.s{seed}.parquet", TRAINING)
    for policy in ("weak", "strong"):
        for suite in ("gsm8k", "mmlu"):
            put(folder, policy, suite, (100.0 * rng.integers(0, 2, 40)).tolist())

    names = ["--names", json.dumps(NAMES)]
    run(monkeypatch, tier_scores.main, "--tiers", folder / "tiers.parquet", "--titles", NASTY, "--out",
        *both(folder, "tier_scores"))  # fmt: skip
    run(monkeypatch, pair_scores.main, "--pairs", *(folder / f"{name}.parquet" for name in NAMES), *names, "--out",
        *both(folder, "pair_scores"))  # fmt: skip
    run(monkeypatch, training_curves.main, "--runs", *sorted(folder.glob("base.*.parquet")), *names, "--out",
        *both(folder, "training_curves"))  # fmt: skip
    run(monkeypatch, scorer_agreement.main, "--scorer", "rm", "--reference", "oracle", "--responses",
        folder / "responses.parquet", "--titles", "Data", "--scores", folder / "other.parquet", "--reference-scores",
        folder / "scores.parquet", "--out", *both(folder, "scorer_agreement"))  # fmt: skip
    run(monkeypatch, base_policies.main, "--evaluations", folder, "--policies", "weak", "strong", "--suites", "gsm8k",
        "mmlu", "--out", *both(folder, "base_policies"))  # fmt: skip
    return sorted(folder.glob("*.svg"))


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return draw_all(tmp_path_factory.mktemp("figures"), patch)


def test_figures_are_drawn_the_same_bit_for_bit(figures, tmp_path, monkeypatch):
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


def test_figures_of_many_long_names_are_legible():
    rng = np.random.default_rng(1)
    names = [f"a_rather_long_name_of_a_dataset_number_{at}_{'x' * 20}" for at in range(6)]
    named = [PairsName(dataset="Data", chosen=name, rejected=name) for name in names]
    training = pd.DataFrame({name: rng.normal(size=30).cumsum() for name in TRAINING.columns})
    scores = pd.DataFrame({"chosen_score": rng.normal(2, 1, 50), "rejected_score": rng.normal(0, 1, 50)})
    tiers = pd.DataFrame({"tier": ["best", "worst"] * 25, "score": scores["chosen_score"]})
    values = {name: {suite: (rng.uniform(0, 60), 2.0) for suite in ("gsm8k", "true_reward")} for name in names}
    with style.drawing():
        assert_legible(training_curves.figure([(name, ("dpo", training)) for name in named]))
        assert_legible(pair_scores.figure([(name, scores) for name in named]))
        assert_legible(tier_scores.figure(dict.fromkeys(names, tiers)))
        assert_legible(base_policies.figure(values))


def test_other_file_types_are_refused(tmp_path, figures, monkeypatch):
    tiers = figures[0].parent / "tiers.parquet"
    with pytest.raises(InputError, match=r"\.svg or \.png"):
        run(monkeypatch, tier_scores.main, "--tiers", tiers, "--titles", "x", "--out", tmp_path / "x.pdf")


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


def test_names_are_in_table_1s_order():
    named = [(PairsName(**NAMES[name]), name) for name in ("d_low_worst", "d_best_high", "d_best_worst")]
    assert [name for _, name in in_order(named)] == ["d_best_worst", "d_best_high", "d_low_worst"]


def test_inlined_figures_take_the_pages_colours_and_ids_of_their_own(tmp_path):
    svg = tmp_path / "my study" / "fig.svg"
    svg.parent.mkdir()
    svg.write_text(
        '<?xml version="1.0"?><svg width="9pt" height="3pt" viewBox="0 0 9 3"><metadata>x</metadata>'
        '<defs><clipPath id="c"/></defs><g clip-path="url(#c)" style="fill: #1f2430; stroke: #1f2430"/>'
        '<use href="#c"/><text>#1f2430</text></svg>'
    )
    found = inline_svg(svg)
    assert found.startswith('<svg viewBox="0 0 9 3">') and "metadata" not in found
    assert 'id="my-study.fig.c"' in found and "url(#my-study.fig.c)" in found and 'href="#my-study.fig.c"' in found
    assert found.count("var(--ink)") == 2 and "<text>#1f2430</text>" in found
    with pytest.raises(InputError, match="not readable"):
        inline_svg(tmp_path / "none.svg")
