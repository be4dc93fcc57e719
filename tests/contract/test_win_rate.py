"""The win-rate command: its published column equals the package's, its other one is right, and no number is wrong."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from alpaca_eval import constants, metrics

from scripts.evaluation import win_rate
from scripts.evaluation.control_files import DIFFICULTY, GAMED, fitted, gamed_rows, published
from scripts.evaluation.rates import win_rates
from scripts.evaluation.win_rate import read_annotations, win_rate_table
from scripts.lib.errors import InputError

N = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the two length-control files of N instructions, and ``annotations.parquet``.

    Three models: whole; gaps, without instructions 4 and 30; silent, without a preference for instruction 7.
    """
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("board")
    difficulty = 3 * rng.normal(size=N)
    lengths = {"verbose": rng.normal(-1, 0.5, size=N), "concise": rng.normal(1, 0.5, size=N)}
    gamed = {model: (1 / (1 + np.exp(each)), each) for model, each in lengths.items()}
    gamed_rows(gamed, difficulty).to_csv(folder / GAMED, index=False)
    pd.DataFrame({"index": range(N), "instruction_difficulty": difficulty}).to_csv(folder / DIFFICULTY, index=False)
    tables = []
    for at, model in enumerate(("whole", "gaps", "silent")):
        reference, length = rng.integers(50, 400, size=N), rng.integers(80, 600, size=N)
        logits = at - 1 + difficulty + 0.004 * (length - reference) + 0.3 * rng.normal(size=N)
        table = pd.DataFrame(
            {
                "index": range(N),
                "model": model,
                "len_output_1": reference,
                "len_output_2": length,
                "preference": 1 + 1 / (1 + np.exp(-logits)),
            }
        )
        if model == "gaps":
            table = table.drop(index=[4, 30])
        if model == "silent":
            table.loc[7, "preference"] = np.nan
        tables.append(table.assign(row=range(len(table))))
    pd.concat(tables, ignore_index=True).to_parquet(folder / "annotations.parquet")
    return folder


@pytest.fixture
def annotations(folder):
    return pd.read_parquet(folder / "annotations.parquet")


def table_of(frame, folder, path):
    frame.to_parquet(path)
    return win_rate_table(read_annotations(path), fitted(folder)).set_index("model")


def packages(own, folder, monkeypatch, tmp_path):
    """The package's result for one model's annotations, which it identifies by position."""
    snapshot = tmp_path / "datasets--tatsu-lab--alpaca_eval" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "datasets--tatsu-lab--alpaca_eval" / "refs").mkdir()
    (tmp_path / "datasets--tatsu-lab--alpaca_eval" / "refs" / "main").write_text("abc")
    for file in (GAMED, DIFFICULTY):
        (snapshot / file).write_bytes((folder / file).read_bytes())
    monkeypatch.setattr(constants, "DEFAULT_CACHE_DIR", str(tmp_path))
    frame = pd.DataFrame(
        {
            "preference": own["preference"].tolist(),
            "output_1": ["a" * length for length in own["len_output_1"]],
            "output_2": ["a" * length for length in own["len_output_2"]],
            "generator_1": "reference",
            "generator_2": "model",
        }
    )
    return metrics.get_length_controlled_winrate(frame, save_weights_dir=None)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("model", ["whole", "gaps", "silent"])
def test_as_published_is_what_the_package_says(folder, annotations, tmp_path, monkeypatch, model):
    ours = table_of(annotations, folder, tmp_path / "a.parquet").loc[model]
    theirs = packages(annotations[annotations["model"] == model], folder, monkeypatch, tmp_path)
    assert ours["lc_win_rate_as_published"] == pytest.approx(theirs["length_controlled_winrate"], abs=1e-9)
    assert ours["win_rate"] == pytest.approx(theirs["win_rate"], abs=1e-9)
    assert ours["n"] == theirs["n_total"] == {"whole": N, "gaps": N - 2, "silent": N - 1}[model]
    if model == "gaps":
        assert abs(ours["lc_win_rate"] - ours["lc_win_rate_as_published"]) > 1, "else this shows nothing"
    else:
        assert ours["lc_win_rate"] == ours["lc_win_rate_as_published"]


def test_missing_rows_barely_move_what_is_right(folder, annotations, tmp_path):
    own = annotations[annotations["model"] == "silent"]
    frame = own.rename(columns={"len_output_1": "reference_length", "len_output_2": "length"})
    whole = win_rates(frame.reset_index(drop=True), fitted(folder)).predicted
    errors = []
    for dropped in ([0], [9], [3, 20], [0, 1, 2, 40]):
        missing = own[~own["index"].isin(dropped)].assign(row=range(N - len(dropped)))
        rates = table_of(missing, folder, tmp_path / "a.parquet").loc["silent"]
        errors.append(abs(rates[["lc_win_rate", "lc_win_rate_as_published"]] - np.delete(whole, dropped).mean()))
    right, as_published = np.array(errors, dtype=float).T
    assert right.max() < 0.2 and as_published.sum() > 4 * right.sum()


def test_neither_order_nor_file_nor_company_changes_a_number(folder, annotations, tmp_path):
    whole = table_of(annotations, folder, tmp_path / "a.parquet")
    shuffled = annotations.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(table_of(shuffled, folder, tmp_path / "b.parquet"), whole)
    alone = annotations[annotations["model"] == "gaps"]
    pd.testing.assert_frame_equal(table_of(alone, folder, tmp_path / "c.parquet"), whole.loc[["gaps"]])
    annotations.to_csv(tmp_path / "d.csv", index=False)
    annotations.to_json(tmp_path / "d.jsonl", orient="records", lines=True, double_precision=15)
    for name in ("d.csv", "d.jsonl"):
        table = win_rate_table(read_annotations(tmp_path / name), fitted(folder)).set_index("model")
        pd.testing.assert_frame_equal(table, whole, rtol=1e-9)


def test_without_rows_the_published_number_stays_blank(folder, annotations, tmp_path):
    whole = table_of(annotations, folder, tmp_path / "a.parquet")
    without = table_of(annotations.drop(columns="row"), folder, tmp_path / "b.parquet")
    assert without["lc_win_rate_as_published"].isna().all()
    columns = ["win_rate", "lc_win_rate", "n"]
    pd.testing.assert_frame_equal(without[columns], whole[columns])
    annotations["row"] = annotations["row"].astype("Int64")
    annotations.loc[annotations["model"].eq("gaps").idxmax(), "row"] = None
    some = table_of(annotations, folder, tmp_path / "c.parquet")
    assert some["lc_win_rate_as_published"].isna().tolist() == [True, False, False]
    pd.testing.assert_frame_equal(some[columns], whole[columns])


@pytest.mark.parametrize("preference", [1.5, np.nan])
@pytest.mark.parametrize("rows", [range(N), range(0, N, 3)], ids=["all", "some"])
def test_the_reference_itself_is_50_by_definition_and_changes_no_other_model(
    folder, annotations, tmp_path, preference, rows
):
    others = table_of(annotations, folder, tmp_path / "others.parquet")
    own = pd.DataFrame({"index": rows, "row": range(len(rows)), "model": "the reference", "preference": preference})
    own = own.assign(len_output_1=[100 + at for at in rows], len_output_2=[100 + at for at in rows])
    table = table_of(pd.concat([own, annotations], ignore_index=True), folder, tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(table.drop(index="the reference"), others)
    rates = table.loc["the reference", ["win_rate", "lc_win_rate", "lc_win_rate_as_published"]]
    assert rates.tolist() == [50.0] * 3
    assert table.loc["the reference", "n"] == (0 if np.isnan(preference) else len(rows))
    alone = table_of(own, folder, tmp_path / "alone.parquet")
    pd.testing.assert_frame_equal(alone, table.loc[["the reference"]])


@pytest.mark.parametrize("change", [{"preference": 1.4}, {"preference": 2.0}, {"len_output_2": 99}])
def test_a_model_of_the_references_lengths_that_is_not_the_reference_is_refused(folder, annotations, tmp_path, change):
    own = pd.DataFrame({"index": range(N), "row": range(N), "model": "nearly", "preference": 1.5})
    own = own.assign(len_output_1=98, len_output_2=change.get("len_output_2", 98))
    own.loc[3, "preference"] = change.get("preference", 1.5)
    remedy = r"model nearly: every output differs by the same[\s\S]*remedy: remove this model"
    with pytest.raises(InputError, match=remedy):
        table_of(pd.concat([own, annotations], ignore_index=True), folder, tmp_path / "all.parquet")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda frame: pd.concat([frame, frame.iloc[[3]].assign(row=N)]), "model whole has two annotations of index 3"),
        (lambda frame: frame.assign(row=frame["row"].where(frame["row"] != 3, 2)), "whole has two .* of row 2"),
        (lambda frame: frame.assign(index=frame["index"] + 1), f"model gaps: has judgements of index {N}"),
        (lambda frame: frame.assign(row=frame["row"] + 1), f"model silent, its rows: has judgements of index {N}"),
        (lambda frame: frame.assign(preference=frame["preference"] - 1), r"row 0 \(model whole, index 0\): preference"),
        (lambda frame: frame.assign(preference=np.inf), "preference is inf"),
        (lambda frame: frame.assign(index=frame["index"] + 0.5), "index is 0.5"),
        (lambda frame: frame.assign(index=-1), "index is -1"),
        (lambda frame: frame.assign(len_output_2=None), "len_output_2 is missing"),
        (lambda frame: frame.assign(len_output_1="long"), "len_output_1 is long"),
        (lambda frame: frame.assign(model=None), "row 0: names no model"),
        (lambda frame: frame.drop(columns="index"), "has no column index"),
        (lambda frame: frame[:0], "holds no rows"),
        (lambda frame: frame.assign(len_output_1=9, len_output_2=9), "model gaps: every output differs by the same"),
        (
            lambda frame: frame[(frame["model"] != "silent") | (frame["index"] < 4)],
            "model silent: only 4 preferences",
        ),
    ],
)
def test_what_would_give_a_wrong_number_is_refused(folder, annotations, tmp_path, change, problem):
    with pytest.raises(InputError, match=problem):
        table_of(change(annotations), folder, tmp_path / "a.parquet")


def test_the_two_files_must_belong_together(folder, annotations, tmp_path):
    (tmp_path / GAMED).write_bytes((folder / GAMED).read_bytes())
    difficulty = pd.read_csv(folder / DIFFICULTY)
    for wrong, problem in (
        (difficulty.assign(instruction_difficulty=difficulty["instruction_difficulty"][::-1].tolist()), "other diff"),
        (difficulty[::-1], "in order"),
        (difficulty[:-1], "other difficulties"),
        (difficulty.assign(instruction_difficulty=np.nan), "without a difficulty"),
        (difficulty.drop(columns="instruction_difficulty"), "no column instruction_difficulty"),
    ):
        wrong.to_csv(tmp_path / DIFFICULTY, index=False)
        with pytest.raises(InputError, match=problem):
            table_of(annotations, tmp_path, tmp_path / "a.parquet")


def command(monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["win_rate", *map(str, flags)])
    win_rate.main()


def test_the_command_writes_the_table(folder, annotations, tmp_path, monkeypatch):
    files = ["--difficulty", folder / DIFFICULTY, "--gamed", folder / GAMED]
    annotations.drop(columns="row").to_json(tmp_path / "a.json", orient="records")
    command(monkeypatch, "--annotations", folder / "annotations.parquet", *files, "--out", tmp_path / "a.csv")
    command(monkeypatch, "--annotations", tmp_path / "a.json", *files, "--out", tmp_path / "b.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "model,win_rate,lc_win_rate,lc_win_rate_as_published,n"
    assert [line.split(",")[0] for line in lines[1:]] == ["gaps", "silent", "whole"]
    assert [line.split(",")[3] for line in (tmp_path / "b.csv").read_text().splitlines()[1:]] == [""] * 3
    with pytest.raises(SystemExit):
        command(monkeypatch, "--annotations", tmp_path / "a.json", *files, "--out", tmp_path / "b.txt")


@pytest.mark.slow
def test_the_public_board_is_reproduced(real_data, tmp_path, monkeypatch):
    data = real_data / "alpaca_eval"
    files = ["--difficulty", data / "lc_assets" / DIFFICULTY, "--gamed", data / "lc_assets" / GAMED]
    command(monkeypatch, "--annotations", data / "annotations.parquet", *files, "--out", tmp_path / "all.csv")
    ours = pd.read_csv(tmp_path / "all.csv", index_col="model")
    board = pd.read_csv(data / "leaderboard.csv", index_col="model").loc[ours.index]
    assert len(ours) == 37
    assert (ours["win_rate"] - board["win_rate"]).abs().max() < 1e-6
    assert (ours["lc_win_rate_as_published"] - board["lc_win_rate"]).abs().max() < 0.2
    assert (ours["lc_win_rate_as_published"] - board["lc_win_rate"]).abs().median() < 1e-4
    assert (ours["n"] == board["n_total"]).all()
    complete = ours[ours["n"] == 805]
    assert len(complete) == 35 and (complete["lc_win_rate"] == complete["lc_win_rate_as_published"]).all()
    assert ours.loc["minotaur-13b", ["lc_win_rate", "lc_win_rate_as_published"]].round(2).tolist() == [9.10, 11.47]
    assert ours.loc["text_davinci_001", ["lc_win_rate", "lc_win_rate_as_published"]].round(2).tolist() == [6.48, 9.03]

    few = pd.read_parquet(data / "annotations.parquet")
    few = few[few["model"].isin(["minotaur-13b", "alpaca-7b"])]
    shuffled = few.sample(frac=1, random_state=0).drop(columns="row").astype({"model": str})
    shuffled.to_csv(tmp_path / "few.csv", index=False)
    command(monkeypatch, "--annotations", tmp_path / "few.csv", *files, "--out", tmp_path / "few_rates.csv")
    again = pd.read_csv(tmp_path / "few_rates.csv", index_col="model")
    assert again["lc_win_rate"].tolist() == pytest.approx(ours.loc[again.index, "lc_win_rate"].tolist(), abs=1e-9)
    assert again["lc_win_rate_as_published"].isna().all()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_hub_is_asked_where_no_file_is_named(folder, annotations, tmp_path, monkeypatch):
    packages(annotations[:N], folder, monkeypatch, tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    table = win_rate_table(read_annotations(folder / "annotations.parquet"), published())
    assert json.loads(table.to_json()) == json.loads(
        win_rate_table(read_annotations(folder / "annotations.parquet"), fitted(folder)).to_json()
    )
