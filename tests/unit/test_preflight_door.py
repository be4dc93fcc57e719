"""The front door of preflight: what files are taken for, the configuration it writes, exit codes, a file end to end."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
import yaml

from scripts.lib.config.files import check
from scripts.lib.errors import InputError
from scripts.preflight.configuration import Asked, configuration, name_of, text_of, write
from scripts.preflight.cost import cost, duration, parameters
from scripts.preflight.look import look, taken_for
from scripts.workflow.configuration import checked, rooms
from scripts.workflow.needs import Studies
from scripts.workflow.planning import Planning
from tests.faults.support import at_work, started, wait_until
from tests.workflow.house import ROOT, House

PAIR = {"prompt": "what is 1 plus 1 ?", "chosen": "it is 2 .", "rejected": "it is 3 ."}
NOTHING = Asked(None, None, 512)
TURNS = "\n\nHuman: hello\n\nAssistant: "


def taken(*rows):
    return taken_for("mine.jsonl", "train", rows)


@pytest.mark.parametrize(
    ("row", "kind", "columns"),
    [
        (PAIR, "pairs", {}),
        (
            PAIR | {"chosen_score": 2, "rejected_score": 1},
            "pairs",
            {"chosen_score": "chosen_score", "rejected_score": "rejected_score"},
        ),
        (
            {"question": "q", "system": "s", "Chosen": "a", "Rejected": "b"},
            "pairs",
            {"prompt": "question", "chosen": "Chosen", "rejected": "Rejected", "system": "system"},
        ),
        (
            {"instruction": "q", "input": "more", "chosen": "a", "rejected": "b"},
            "pairs",
            {"prompt": "instruction", "input": "input"},
        ),
        ({"chosen": TURNS + "yes", "rejected": TURNS + "no"}, "hh_rlhf", None),
        (PAIR | {"score_chosen": 8.0, "score_rejected": 7.0}, "ultrafeedback_binarized", None),
        (PAIR | {"metadata": "{'score_chosen': 8.0, 'score_rejected': 7.0}"}, "ultrafeedback_binarized", None),
        (
            {"prompt": "q", "model_a": "x", "model_b": "y", "response_a": "a", "response_b": "b", "winner": "model_b"},
            "comparisons",
            {
                "first": "response_a",
                "second": "response_b",
                "winner": "winner",
                "first_generator": "model_a",
                "second_generator": "model_b",
            },
        ),
    ],
)
def test_files_are_taken_for_what_they_are(row, kind, columns):
    source = taken(row)
    assert source.kind == kind
    if columns is not None:
        assert source.columns.model_dump(exclude_defaults=True) == columns


def test_winners_are_read_as_they_are_written():
    row = {"prompt": "q", "output_1": "a", "output_2": "b"}
    told = taken(row | {"preference": 1}, row | {"preference": 2.0}, row | {"preference": "Tie"}).outcomes
    assert (told.first, told.second, told.tie) == (["1"], ["2"], ["Tie"])
    counted = {"prompt": "q", "response_0": "a", "response_1": "b"}
    told = taken(counted | {"label": 0}, counted | {"label": 1}).outcomes
    assert (told.first, told.second) == (["0"], ["1"])
    with pytest.raises(InputError, match=r"'0'.*is not clear"):
        taken(row | {"preference": 0}, row | {"preference": 1})


@pytest.mark.parametrize("row", [{"text": "a"}, {"prompt": "a", "response": "b"}, {}])
def test_files_without_pairs_are_refused_with_their_columns(row):
    with pytest.raises(InputError, match="no pairs are seen in its columns") as told:
        taken(row)
    assert all(name in str(told.value) for name in row)


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_what_is_odd_about_the_first_rows_is_said(tmp_path):
    rows = [PAIR, PAIR | {"rejected": PAIR["chosen"]}, PAIR | {"winner_model": "x", "chosen": "another"}]
    found = look(written(tmp_path / "mine.jsonl", rows))
    assert found.read == ["chosen", "prompt", "rejected"]
    assert any("chosen_equals_rejected" in odd for odd in found.odd)
    assert any("winner_model" in odd for odd in found.odd)


def test_a_file_without_any_pair_is_refused(tmp_path):
    with pytest.raises(InputError, match="none of its first 1 rows is a pair"):
        look(written(tmp_path / "mine.jsonl", [PAIR | {"rejected": PAIR["chosen"]}]))


SUITES = {"gsm8k_cot": "gsm8k/test.jsonl", "mmlu": None}


@pytest.mark.parametrize("asked", [NOTHING, Asked("a/b", "c/d", 64, SUITES)])
def test_the_configuration_stands_alone_in_fifteen_lines(tmp_path, asked):
    path = tmp_path / "mine.yaml"
    write(text_of(configuration(taken(PAIR), asked)), path)
    text = path.read_text()
    assert len(text.splitlines()) <= 15
    check(path)
    found = checked(yaml.safe_load(text), [path])
    assert found.preflight.pairs == "mine"
    assert found.preflight.policy == ("policy" if asked.policy else None)
    assert found.training.max_length == asked.max_length
    assert all(policy.max_length == asked.max_length for policy in found.policies.values())
    assert {name: found.evaluation.suites[name].data for name in found.preflight.suites} == asked.suites


@pytest.mark.parametrize(
    ("asked", "work"),
    [
        (NOTHING, {}),
        (Asked("a/b", None, 64), {"logprobs": 2}),  # of the responses, and of either side for their overlap
        (Asked("a/b", "c/d", 64), {"sample": 1, "score": 2, "logprobs": 3}),
    ],
)
def test_what_models_will_do_is_planned(asked, work):
    config = checked(configuration(taken(PAIR), asked), [])
    studies = Studies(config, rooms(config))
    planning = Planning(studies.all, studies.work)
    assert Counter(job["kind"] for job in planning.jobs()) == work
    assert planning.counted_sets() == (["results/prompt_sets/mine"] if work else [])


def test_a_configuration_is_written_over_only_while_nobody_changed_it(tmp_path):
    path = tmp_path / "mine.yaml"
    first = text_of(configuration(taken(PAIR), NOTHING))
    write(first, path)
    write(text_of(configuration(taken(PAIR), Asked(None, None, 64))), path)
    path.write_text(path.read_text().replace("64", "65"))
    with pytest.raises(InputError, match="changed by somebody"):
        write(first, path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/my pairs.v2.jsonl.gz", "my_pairs"),
        ("owner/data-set", "data-set"),
        ("日本.json", "mine"),
        ("x" * 90, "x" * 40),
    ],
)
def test_names_are_of_the_file(path, name):
    assert name_of(path) == name


@pytest.mark.parametrize("packed", [False, True])
def test_rows_are_counted_without_reading_them_all(tmp_path, packed):
    rows = [PAIR | {"prompt": PAIR["prompt"] * (1 + at % 5)} for at in range(1000)]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = tmp_path / ("mine.jsonl.gz" if packed else "mine.jsonl")
    path.write_bytes(gzip.compress(text) if packed else text)
    assert look(str(path)).rows == pytest.approx(1000, rel=0.02)
    assert look(written(tmp_path / "few.jsonl", rows[:7])).rows == 7
    pd.DataFrame(rows).to_parquet(tmp_path / "mine.parquet")
    assert look(str(tmp_path / "mine.parquet")).rows == 1000


def test_the_cost_grows_with_pairs():
    few, many = cost(50, 400.0, NOTHING), cost(50_000, 400.0, NOTHING)
    assert few.text_seconds < many.text_seconds
    assert few.tokens == {}
    assert [duration(each) for each in (40, 200, 9000)] == ["40 s", "3 min", "2.5 h"]


def test_parameters_are_read_from_the_heads_of_weights(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"one": torch.zeros(3, 4), "two": torch.zeros(5)}, tmp_path / "model.safetensors", metadata={"a": "b"})
    assert parameters(tmp_path) == 17
    found = cost(10, 400.0, Asked(str(tmp_path), None, 64))
    assert found.tokens == {"policy": 1000}
    assert found.model_seconds > 0


def door(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "scripts.preflight", *arguments], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.slow
def test_exit_codes_of_what_cannot_be_done(tmp_path):
    path = written(tmp_path / "mine.jsonl", [PAIR])
    assert door(ROOT, "--no-such-flag").returncode == 2
    assert door(ROOT, path, "--cores", "0").returncode == 2
    assert door(ROOT, path, "--suite", "questions/test.jsonl").returncode == 2
    none = str(tmp_path / "none.jsonl")
    for arguments in ([none], [path, "--policy", none], [path, "--suite", f"gsm8k={none}"]):
        done = door(ROOT, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "remedy:" in done.stderr
    planned = door(ROOT, path, "--plan", "--configuration", str(tmp_path / "mine.yaml"))
    assert planned.returncode == 0
    assert "cost: about" in planned.stderr
    assert (tmp_path / "mine.yaml").exists()


@pytest.mark.slow
def test_a_file_that_no_configuration_knows_end_to_end(tmp_path):
    """A good file ends with 0, one with a fault with 3; the page, the JSON and the list of pairs to drop are there."""
    house = House.build(tmp_path / "house").folder
    rows = [
        {"prompt": f"what is {a} plus {b} ?", "chosen": f"it is {a + b} .", "rejected": f"it is {a + b + 1} ."}
        for a in range(9)
        for b in range(9)
    ]
    good = written(house / "good.jsonl", rows)
    done = door(house, "good.jsonl", "--cores", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((house / "results/preflight.json").read_text())
    assert (house / "results/preflight.html").read_text().startswith("<!doctype html>")

    same = [row | {"chosen": "It is so.", "rejected": "it is so"} for row in rows[:40]]
    with gzip.open(house / "bad.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in [*same, *rows[40:]])
    done = door(house, "bad.jsonl.gz", "--cores", "1")
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "Do not train on this yet: same normalised" in done.stderr
    found = json.loads((house / "results/preflight.json").read_text())
    assert found["drop"]["pairs"] == 40
    assert good


@pytest.mark.slow
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda pid: os.killpg(pid, signal.SIGINT), id="Ctrl-C"),
        pytest.param(lambda pid: os.kill(pid, signal.SIGTERM), id="kill"),
    ],
)
def test_an_interrupted_preflight_leaves_nothing_half_made_and_goes_on(tmp_path, end):
    house = House.build(tmp_path / "house")
    rows = [PAIR | {"prompt": f"what is {at} plus 1 ?", "chosen": f"it is {at + 1} ."} for at in range(30_000)]
    written(house.folder / "many.jsonl", rows)
    command = ["python", "-m", "scripts.preflight", "many.jsonl", "--cores", "1"]
    process = started(command, house.folder, PYTHONPATH=str(ROOT / "plugins"))  # this checkout's progress display
    try:
        wait_until((house.folder / "logs/preflight/many/text.log").exists, "the step to start", 900)
    finally:
        end(process.pid)
        code = process.wait(timeout=300)
    assert code == 130
    wait_until(lambda: not at_work(house.folder), "its steps to end", 30)
    said = (tmp_path / "output.txt").read_text()
    assert said.endswith("interrupted; the same command goes on where it stopped\n")
    assert "Traceback" not in said
    before = house.results()
    assert "pairs/many.parquet" in before and "preflight/many/text.json" not in before

    done = door(house.folder, *command[3:])
    assert done.returncode in (0, 3), done.stderr
    after = house.results()
    assert "preflight.html" in after and {name: after.get(name) for name in before} == before
