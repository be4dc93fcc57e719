"""Code shared by studies: reading evaluations and published tables, and CSV cells."""

import numpy as np
import pytest

from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.studies.files import read_published, read_repeats, read_runs
from tests.evaluations_data import put


def test_evaluations_are_read_run_by_run_and_those_that_do_not_fit_are_refused(tmp_path):
    for policy in ("base", "other"):
        put(tmp_path, policy, "gsm8k", [0.0, 100.0, 0.0])
    assert read_runs(tmp_path, ["base", "other"], "gsm8k").tolist() == [[0.0, 100.0, 0.0]] * 2
    with pytest.raises(InputError, match=r"nobody/gsm8k\.json"):
        read_runs(tmp_path, ["nobody"], "gsm8k")
    put(tmp_path, "short", "gsm8k", [0.0, 100.0])
    with pytest.raises(InputError, match="2 questions, while base answered 3"):
        read_runs(tmp_path, ["base", "short"], "gsm8k")
    (tmp_path / "renamed").mkdir()
    (tmp_path / "base" / "gsm8k.json").rename(tmp_path / "renamed" / "gsm8k.json")
    with pytest.raises(InputError, match="holds gsm8k of base"):
        read_runs(tmp_path, ["renamed"], "gsm8k")


def test_runs_come_by_draw_then_by_seed(tmp_path):
    runs = [f"{draw}.{seed}" for draw in range(3) for seed in range(2)]
    for value, run in enumerate(runs):
        put(tmp_path, run, "gsm8k", [10.0 * value, 10.0 * value + 1])
    values = read_repeats(tmp_path, runs, "gsm8k", 3)
    assert values.shape == (3, 2, 2) and values[1, 0].tolist() == [20.0, 21.0]
    assert read_repeats(tmp_path, runs[:1], "gsm8k", 3).shape == (1, 1, 2)


KEY = ("dataset", "chosen", "rejected")


def test_published_files_with_mistakes_are_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# from somewhere\ndataset,chosen,rejected,a\nx,best,low,1\nx,best,low,2\n")
    with pytest.raises(InputError, match="a second row"):
        read_published(path, KEY)
    path.write_text("dataset,chosen,rejected,a\nx,best,low,one\n")
    with pytest.raises(InputError, match="could not convert"):
        read_published(path, KEY)
    path.write_text("dataset,chosen,a\n")
    with pytest.raises(InputError, match="no column rejected"):
        read_published(path, KEY)


def test_csv_cells(tmp_path):
    write_csv([{"a": -0.00001, "b": None, "c": np.float64(76.8), "d": 3}], ["a", "b", "c", "d"], tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b,c,d\n0.0,,76.8,3\n"
