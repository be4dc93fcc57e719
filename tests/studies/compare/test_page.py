"""The study's tables, sentences and figure, from answers that say what must be found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.report import style
from scripts.report.html import points
from scripts.report.labels import wrapped
from studies.compare import comparison, forest, results, section
from studies.compare.answers import read_answers
from studies.compare.config import KEY, Config, columns_of
from studies.compare.layout import start, trained
from tests.evaluations_data import put
from tests.report_data import NASTY, Checker, assert_legible

SUITES = ["gsm8k", "mmlu"]


def spec_of(**changes) -> Config:
    given = {"policy": "llama", "datasets": ["theirs", "mine"], "seeds": [0, 1, 2], "suites": SUITES}
    return Config(**(given | {"baseline": "theirs"} | changes))


def answers_of(spec: Config, means: dict[str, list[float]], questions: int = 100) -> dict:
    """Answers in which a group is so many points above 50 on each suite; seeds lie within a point."""
    rng = np.random.default_rng(5)
    found = {}
    for at, suite in enumerate(spec.suites):
        hardness = rng.normal(50, 20, questions)
        found[suite] = {}
        for group in (start(spec), *trained(spec)):
            shape = (len(group.policies), questions)
            values = (
                hardness + rng.normal(0, 5, questions) + rng.normal(0, 8, shape) + rng.normal(0, 0.3, (shape[0], 1))
            )
            found[suite][group.name] = values + means.get(group.name, [0.0] * len(spec.suites))[at]
    return found


def table_of(spec: Config, answers: dict) -> pd.DataFrame:
    return pd.DataFrame(comparison.rows(spec, answers), columns=comparison.COLUMNS)


def files_of(spec: Config, answers: dict, folder) -> dict:
    """The study's files, made as its steps make them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {"comparison": folder / "comparison.csv", "results": folder / "results.csv", "forest": folder / "forest.svg"}
    columns = [*KEY, *(column for suite in spec.suites for column in columns_of(suite))]
    write_csv(comparison.rows(spec, answers), comparison.COLUMNS, made["comparison"])
    write_csv(results.rows(spec, answers), columns, made["results"])
    with style.drawing():
        style.save(forest.figure(comparison.read_comparison(made["comparison"])), [made["forest"]])
    return made


def test_verdicts_say_which_way_and_why() -> None:
    spec = spec_of(datasets=["theirs", "up", "down", "same"])
    table = table_of(spec, answers_of(spec, {"up": [20, 0], "down": [0, -20], "same": [0, 0]}))
    assert list(zip(table["name"], table["suite"], table["verdict"], strict=True)) == [
        ("up", "gsm8k", "better"),
        ("up", "mmlu", "undecided"),
        ("down", "gsm8k", "undecided"),
        ("down", "mmlu", "worse"),
        ("same", "gsm8k", "undecided"),
        ("same", "mmlu", "undecided"),
    ]
    decided = table["verdict"] != "undecided"
    assert (table.loc[decided, "p_adjusted"] < 0.05).all() and (table.loc[~decided, "p_adjusted"] >= 0.05).all()
    assert table.loc[decided, "reason"].str.endswith(", corrected for 6 comparisons").all()
    assert table["smallest"].between(0, 20).all()
    assert (table.loc[~decided, "difference"].abs() < table.loc[~decided, "smallest"]).all()
    for row in table[~decided & (table["ci_low"] <= 0) & (table["ci_high"] >= 0)].to_dict("records"):
        assert row["reason"] == (
            f"differences under {row['smallest']:.1f} points cannot be seen with 3 seeds and 100 questions"
        )


def test_differences_are_those_of_the_means_in_the_table_of_results() -> None:
    spec = spec_of(datasets=["theirs", "mine"], variants=["dpo", "ipo"])
    answers = answers_of(spec, {"mine (ipo)": [3, 4]})
    means = {row["name"]: row for row in results.rows(spec, answers)}
    assert list(means) == ["untrained llama", "theirs (dpo)", "theirs (ipo)", "mine (dpo)", "mine (ipo)"]
    assert [row["n_seeds"] for row in means.values()] == [0, 3, 3, 3, 3]
    for row in comparison.rows(spec, answers):
        assert row["difference"] == pytest.approx(
            means[row["name"]][row["suite"]] - means[row["baseline"]][row["suite"]]
        )
        assert row["n_questions"] == means[row["name"]][f"{row['suite']}_questions"]


def test_an_interval_that_leaves_out_zero_may_be_chance_among_many() -> None:
    """Of 20 candidates without a difference some intervals leave out zero, and the verdict is undecided still."""
    spec = spec_of(datasets=["theirs", *(f"mine_{at}" for at in range(20))])
    table = table_of(spec, answers_of(spec, {}))
    outside = table[(table["ci_low"] > 0) | (table["ci_high"] < 0)]
    assert len(outside) and set(table["verdict"]) == {"undecided"}
    assert outside["reason"].str.match("that the interval leaves out zero can be chance: p = .*40 comparisons").all()


def test_one_seed_decides_nothing() -> None:
    spec = spec_of(seeds=[0])
    table = table_of(spec, answers_of(spec, {"mine": [50, 50]}))
    assert set(table["verdict"]) == {"undecided"}
    assert table["reason"].str.startswith("with one seed").all()
    assert table[["p_adjusted", "smallest"]].isna().all(axis=None)


def test_equal_answers_are_undecided_and_few_seeds_may_show_nothing_at_all() -> None:
    spec = spec_of(seeds=[0, 1], suites=["gsm8k"])
    same = {group.name: np.full((len(group.policies), 10), 100.0) for group in (start(spec), *trained(spec))}
    (row,) = comparison.rows(spec, {"gsm8k": same})
    assert (row["verdict"], row["reason"]) == ("undecided", "both answer every question alike")
    (row,) = comparison.rows(spec, {"gsm8k": same | {"theirs": same["theirs"] - 100}})
    assert (row["verdict"], row["ci_low"], row["ci_high"], row["smallest"]) == ("better", 100, 100, None)
    assert comparison.unseen([2000.0], 2, 50) == (
        "differences under any number of points cannot be seen with 2 seeds and 50 questions"
    )


def test_a_sentence_says_what_was_found_of_a_candidate() -> None:
    spec = spec_of(suites=["gsm8k", "mmlu", "ifeval", "other"])
    table = table_of(spec, answers_of(spec, {"mine": [20, -20, 0, 0]}))
    by = {row["suite"]: row for row in table.to_dict("records")}
    up, down = by["gsm8k"], by["mmlu"]
    assert section.sentence(table) == (
        f"mine beats theirs on GSM8K by {up['difference']:.1f} points ({up['ci_low']:.1f} to {up['ci_high']:.1f}); "
        f"is worse than theirs on MMLU by {-down['difference']:.1f} points "
        f"({-down['ci_high']:.1f} to {-down['ci_low']:.1f}); on IFEval and other it could not be told: differences "
        f"under {by['ifeval']['smallest']:.1f} and {by['other']['smallest']:.1f} points cannot be seen with 3 seeds "
        "and 100 questions."
    )
    assert section.sentence(table[table["suite"] == "ifeval"]).startswith("mine against theirs: on IFEval it could")


def test_the_section_shows_every_number_and_escapes_every_text(tmp_path) -> None:
    spec = spec_of(baseline="policy")
    made = files_of(spec, answers_of(spec, {"mine": [20, 0]}), tmp_path)
    page = section.render("compare", **made)
    assert (
        page.index("<li>theirs against untrained llama")
        < page.index("<li>mine beats untrained llama")
        < page.index("<svg")
    )
    assert "questions</th>" not in page  # each panel says how many
    assert [page.count(f'<section id="compare.{name}">\n<h2>') for name in ("comparison", "results")] == [1, 1]
    assert page.count('<span class="verdict holds">better</span>') == 1
    for path, row in ((made["comparison"], "difference"), (made["results"], "gsm8k")):
        for value in pd.read_csv(path)[row]:
            assert points(value, 1) in page
    table = comparison.read_comparison(made["comparison"]).assign(baseline=NASTY)
    write_csv(table.to_dict("records"), comparison.COLUMNS, made["comparison"])
    page = section.render("compare", **made)
    Checker(page)
    assert NASTY not in page and str(escape(NASTY)) in page


def test_a_table_that_is_none_of_comparisons_is_refused(tmp_path) -> None:
    spec = spec_of()
    text = files_of(spec, answers_of(spec, {}), tmp_path)["comparison"].read_text()
    for old, new in (("undecided", "maybe"), ("n_seeds", "seeds"), (text.partition("\n")[2], "")):
        path = tmp_path / "broken.csv"
        path.write_text(text.replace(old, new))
        with pytest.raises(InputError, match="delete it and run snakemake again"):
            comparison.read_comparison(path)


@pytest.mark.parametrize("candidates", [1, 3, 10])
@pytest.mark.parametrize("suites", [1, 5])
def test_a_figure_has_a_panel_per_suite_and_a_row_per_candidate(tmp_path, candidates, suites) -> None:
    """The same bytes each time, every name in full, however long."""
    names = [f"a_rather_long_name_of_a_dataset_number_{at}_{'x' * 20}" for at in range(candidates)]
    spec = spec_of(datasets=["theirs", *names], suites=[f"suite_{at}" for at in range(suites)])
    answers = answers_of(spec, {names[0]: [30.0] * suites})
    first, second = (files_of(spec, answers, tmp_path / str(at))["forest"].read_bytes() for at in range(2))
    assert first == second
    with style.drawing():
        drawn = forest.figure(comparison.read_comparison(tmp_path / "0" / "comparison.csv"))
        assert [axis.get_title("left") for axis in drawn.axes] == [f"suite_{at}, 100 questions" for at in range(suites)]
        labels = [label.get_text().replace("\n", "") for label in drawn.axes[0].get_yticklabels()]
        assert labels == names[::-1]
        for axis in drawn.axes:
            low, high = axis.get_xlim()
            assert low < 0 < high
        assert_legible(drawn)
        assert drawn.axes[0].get_position().width > 0.15


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}( \([a-z_]{1,64}\))?", fullmatch=True))
def test_a_name_on_several_lines_is_the_name(name) -> None:
    lines = wrapped(name, forest.LABEL).split("\n")
    assert all(0 < len(line) <= forest.LABEL for line in lines)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_answers_are_read_group_by_group_and_to_the_same_questions(tmp_path) -> None:
    spec = spec_of(suites=["gsm8k"])
    rng = np.random.default_rng(1)
    written = {}
    for group in (start(spec), *trained(spec)):
        for policy in group.policies:
            written[policy] = rng.uniform(0, 100, 7)
            put(tmp_path, policy, "gsm8k", list(written[policy]))
    found = read_answers(tmp_path, spec, "gsm8k")
    for group in (start(spec), *trained(spec)):
        assert found[group.name] == pytest.approx(np.array([written[policy] for policy in group.policies]))
    other = trained(spec)[1].policies[0]
    put(tmp_path, other, "gsm8k", [1.0, 2.0])
    with pytest.raises(InputError, match="2 questions, while llama answered 7"):
        read_answers(tmp_path, spec, "gsm8k")
