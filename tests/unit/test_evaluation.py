"""Evaluation: records, rows, prompts, judges, length control, without a model."""

import json
import math
import random
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.evaluation import judge, length_control, prompts
from scripts.evaluation.control_files import DIFFICULTY, GAMED, MINIMAL, LengthControl, fitted
from scripts.evaluation.judge import outputs_of
from scripts.evaluation.length_control import concise, difficulties, verbose
from scripts.evaluation.local_judges import LocalAnnotator, judged, scorer_judge
from scripts.evaluation.prompts import prompt_table, reference_rows, reference_table
from scripts.evaluation.rates import in_order, win_rates
from scripts.evaluation.rows import read_rows
from scripts.evaluation.suite_files import Instruction, read_instructions
from scripts.lib.config.evaluation import WinRateSuite
from scripts.lib.errors import InputError
from scripts.lib.ids import response_id
from scripts.lib.results import Evaluation, evaluation, read_evaluation, write_evaluation
from scripts.lib.schemas import JUDGEMENTS, PROMPTS, RESPONSES, SAMPLES
from scripts.lib.tables import read_table, write_table
from scripts.lib.world.generators import respond
from scripts.lib.world.oracle import reward
from scripts.lib.world.skills import make_prompts
from scripts.lib.world.suites import questions
from scripts.workflow.suite_files import LENGTH_CONTROL

WORLD = WinRateSuite.model_validate({"kind": "win_rate", "data": "world", "judge": {"kind": "world"}})


def test_a_record_has_the_mean_and_its_standard_error(tmp_path):
    record = evaluation("p", "s", "acc,none", [0.0, 100.0, 100.0, 50.0], {"acc,none": 62.5}, {"shots": 0})
    assert record.value == 62.5
    assert record.standard_error == pytest.approx(np.std([0, 100, 100, 50], ddof=1) / 2)
    write_evaluation(record, tmp_path / "s.json")
    assert read_evaluation(tmp_path / "s.json") == record


def test_a_record_that_does_not_add_up_is_refused(tmp_path):
    record = evaluation("p", "s", "acc,none", [0.0, 100.0], {}, {}).model_dump()
    for wrong in ({"value": 51.0}, {"n": 3}, {"values": [0.0, math.nan]}, {"extra": 1}):
        (tmp_path / "s.json").write_text(json.dumps(record | wrong))
        with pytest.raises(InputError, match="not an evaluation"):
            read_evaluation(tmp_path / "s.json")
    with pytest.raises(InputError, match="1 question"):
        evaluation("p", "s", "acc,none", [1.0], {}, {})


def test_rows_come_the_same_from_every_kind_of_file(tmp_path):
    rows = [{"question": "q ü", "answer": "1"}, {"question": "r", "answer": ""}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    frame = pd.DataFrame(rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl.gz", orient="records", lines=True)
    frame.astype({"answer": str}).to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.jsonl", "a.json", "a.parquet", "a.jsonl.gz"):
        assert read_rows(tmp_path / name) == rows
    assert [row["question"] for row in read_rows(tmp_path / "a.csv")] == ["q ü", "r"]


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", "{"), ("a.jsonl", ""), ("a.txt", "x"), ("a.json", "{}")])
def test_files_without_rows_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_rows(tmp_path / name)
    with pytest.raises(InputError):
        read_rows(tmp_path / "absent.jsonl")


def test_a_repeated_prompt_stands_once_in_a_suite():
    table = prompt_table("s", ["one", " one\r\n", "two"])
    assert [prompt[0]["content"] for prompt in table["prompt"]] == ["one", "two"]
    assert set(table["source"]) == {"s"} and set(table["split"]) == {"test"}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"instruction": "a", "output": " ", "generator": "g"}], "row 0.*output"),
        ([{"instruction": "a", "output": "b"}], "row 0.*generator"),
        ([{"instruction": text, "output": "b", "generator": "g"} for text in ("a", "a ")], "row 1.*row 0"),
    ],
)
def test_a_reference_that_is_no_reference_is_refused(tmp_path, rows, problem):
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=problem):
        reference_rows("s", WORLD, path)


def test_a_reference_that_is_not_there_names_the_remedy():
    with pytest.raises(InputError, match="owner/dataset/file"):
        reference_rows("s", WORLD.model_copy(update={"data": "nowhere/nothing"}), None)


class Lengths:
    """A scorer of lengths, without a score for what says "none"."""

    def score(self, items):
        return [None if response == "none" else float(len(response)) for _, response in items]


@given(st.text(max_size=50), st.text(max_size=50), st.floats(1e-3, 1e3))
def test_a_scorers_preferences_are_symmetric_and_in_range(first, second, temperature):
    judge_ = scorer_judge(Lengths(), temperature)
    there, back = judge_([("i", first, second), ("i", second, first)])
    if "none" in (first, second):
        assert there is None and back is None
        return
    assert 1 <= there <= 2 and there + back == pytest.approx(3)
    expected = 1 / (1 + math.exp(min(700, (len(first) - len(second)) / temperature)))
    assert there - 1 == pytest.approx(expected, abs=1e-12)


def test_judgements_keep_the_order_draws_and_gaps():
    rows = [
        ("i", "aa", "b"),
        ("j", "same", "same"),
        ("i", "aa", "b"),
        ("k", "none", "b"),
        ("h", "a", "bbbbbbbb"),
        ("g", "a", ""),
    ]
    asked = []

    def by_length(pairs):
        asked.extend(pairs)
        return scorer_judge(Lengths(), 1.0)(pairs)

    found = judged(LocalAnnotator(by_length), rows)
    assert found == [found[0], 1.5, found[0], None, pytest.approx(2, abs=1e-2), found[5]]
    assert found[0] < 1.5 and found[5] < 1.5
    assert len(asked) == 4, "a draw is not judged, a repeated row once"


def test_difficulties_are_recovered():
    rng = np.random.default_rng(0)
    planted, skill = rng.normal(size=60), rng.normal(size=20)
    lengths = rng.normal(size=(20, 60))
    logits = skill[:, None] + planted + 0.5 * np.tanh(lengths)
    fitted = difficulties(1 / (1 + np.exp(-logits)), lengths)
    assert fitted[0] == 0
    assert np.corrcoef(fitted, planted)[0, 1] > 0.99


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_styles_change_the_length_of_an_answer(seed, competence):
    rng = random.Random(seed)
    text = respond(rng.choice(make_prompts(7, seed % 5)), competence, rng)
    assert verbose(text) == verbose(text)
    assert concise(text) and len(concise(text)) <= len(text) < len(verbose(text))


def test_a_judgement_without_an_instruction_is_refused():
    frame = pd.DataFrame({"prompt_id": ["a", "b"], "reference_length": 1, "length": 1, "preference": 1.5})
    assert list(in_order(frame, ["b", "c", "a"])["index"]) == [0, 2]
    for wrong, ids in ((frame, ["a"]), (pd.concat([frame, frame]), ["a", "b"]), (frame, ["a", "b", "b"])):
        with pytest.raises(InputError):
            in_order(wrong, ids)


def test_a_control_of_fewer_instructions_is_refused(tmp_path):
    frame = pd.DataFrame({"index": range(6), "reference_length": 3, "length": range(6), "preference": 1.5})
    with pytest.raises(InputError, match=r"df_gamed\.csv"):
        win_rates(frame, fitted(tmp_path))
    (tmp_path / "df_gamed.csv").write_text(
        "preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model\n0.5,0,1.0,0.0,False,gamed\n"
    )
    (tmp_path / "instruction_difficulty.csv").write_text("index,instruction_difficulty\n0,0.0\n")
    with pytest.raises(InputError, match="judgements of index 5"):
        win_rates(frame, fitted(tmp_path))
    with pytest.raises(InputError, match="only 4"):
        win_rates(frame[:4], fitted(tmp_path))
    with pytest.raises(InputError, match="same length"):
        win_rates(frame.assign(length=4), fitted(tmp_path))


def test_a_policy_that_gives_the_references_own_outputs_wins_half_by_definition():
    frame = pd.DataFrame({"index": range(6), "reference_length": range(6), "length": range(6), "preference": 1.5})
    rates = win_rates(frame, LengthControl(MINIMAL))
    assert rates.metrics["win_rate"] == rates.metrics["length_controlled_winrate"] == 50.0
    assert rates.metrics["n"] == len(rates.win_rate) == len(rates.length_controlled) == 6
    assert set(rates.win_rate + rates.predicted + rates.length_controlled) == {50.0}


def samples_of(instructions, competence, change=str):
    texts = [change(respond(each.text, competence, random.Random(each.text))) for each in instructions]
    return pd.DataFrame(
        {
            "response_id": [response_id(each.prompt_id, text) for each, text in zip(instructions, texts, strict=True)],
            "prompt_id": [each.prompt_id for each in instructions],
            "family": "policy",
            "response": [text or None for text in texts],
            "seed": 0,
            "sample": 0,
        }
    )


def test_outputs_must_be_one_for_each_instruction(tmp_path):
    instructions = [Instruction(each, each, "r", "g") for each in ("a", "b")]
    table = pd.DataFrame({"prompt_id": ["b", "a"], "response": [None, "x"]})
    assert outputs_of(table, instructions, tmp_path) == ["x", ""]
    for wrong in (table[:1], pd.concat([table, table]), table.replace("a", "c")):
        with pytest.raises(InputError):
            outputs_of(wrong, instructions, tmp_path)


def step(module, monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["step", *map(str, flags)])
    module.main()


@pytest.fixture(scope="module")
def world_suite(tmp_path_factory):
    """Folder of a win-rate suite of 40 instructions, with its length control in ``lc``."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions("world_alpaca", 40)))
    with pytest.MonkeyPatch.context() as patch:
        tables = ["--out", folder / "prompts.parquet", "--reference", folder / "reference.parquet"]
        step(
            prompts,
            patch,
            "--suite",
            "s",
            "--spec",
            WORLD.model_dump_json(),
            "--data",
            folder / "questions.jsonl",
            *tables,
        )
        tables = ["--prompts", folder / "prompts.parquet", "--reference", folder / "reference.parquet"]
        step(length_control, patch, "--spec", WORLD.model_dump_json(), *tables, "--out-dir", folder / "lc")
    return folder


def test_the_suites_tables_hold_the_questions_in_order(world_suite):
    rows = questions("world_alpaca", 40)
    asked = read_table(world_suite / "prompts.parquet", PROMPTS)
    answered = read_table(world_suite / "reference.parquet", RESPONSES)
    assert [prompt[0]["content"] for prompt in asked["prompt"]] == [row["instruction"] for row in rows]
    assert list(answered["response"]) == [row["output"] for row in rows]
    pd.testing.assert_frame_equal(answered.drop(columns="finished"), reference_table(rows))
    assert answered["finished"].all()


def test_the_rules_name_the_files_of_length_control():
    assert LENGTH_CONTROL == [GAMED, DIFFICULTY]


def test_length_control_is_laid_out_as_the_package_wants_it(world_suite):
    gamed = pd.read_csv(world_suite / "lc" / "df_gamed.csv")
    difficulty = pd.read_csv(world_suite / "lc" / "instruction_difficulty.csv")
    assert list(difficulty["index"]) == list(range(40)) and difficulty["instruction_difficulty"].std() > 0
    assert list(gamed["index"][:40]) == list(range(40)), "the package reads difficulties from the first rows by label"
    assert list(gamed["instruction_difficulty"][:40]) == list(difficulty["instruction_difficulty"])
    sides = gamed.groupby("model")["std_delta_len"].mean()
    assert sides["reference_verbose"] < 0 < sides["reference_concise"], "differences are reference minus gamed"


@pytest.mark.parametrize("metric", ["win_rate", "length_controlled_winrate"])
def test_judging_a_policy_twice_gives_the_same_bytes(world_suite, tmp_path, monkeypatch, metric):
    instructions = read_instructions(world_suite / "prompts.parquet", world_suite / "reference.parquet")
    samples = samples_of(instructions, 0.9)
    samples.loc[0, "response"] = None
    spec = WORLD.model_copy(update={"metric": metric}).model_dump_json()
    for run, order in (("a", samples), ("b", samples[::-1])):
        (tmp_path / run).mkdir()
        write_table(order, tmp_path / run / "samples.parquet", SAMPLES)
        step(
            judge,
            monkeypatch,
            *("--name", "p", "--suite", "s", "--spec", spec, "--samples", tmp_path / run / "samples.parquet"),
            *("--prompts", world_suite / "prompts.parquet", "--reference", world_suite / "reference.parquet"),
            *("--length-control", world_suite / "lc"),
            *("--judgements", tmp_path / run / "j.parquet", "--out", tmp_path / run / "s.json"),
        )
    for file in ("s.json", "j.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    record = read_evaluation(tmp_path / "a" / "s.json")
    table = read_table(tmp_path / "a" / "j.parquet", JUDGEMENTS)
    assert isinstance(record, Evaluation) and record.n == 40
    assert record.value == pytest.approx(record.metrics[metric], abs=1e-9)
    assert record.metrics["win_rate"] == pytest.approx(100 * (table["preference"].mean() - 1))
    assert table["length"][0] == 0 and table["preference"][0] < 1.5, "an empty output is judged, and loses"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["j.parquet", "s.json", "samples.parquet"]


def test_a_scorer_judges_without_a_fitted_length_control(world_suite, tmp_path, monkeypatch):
    instructions = read_instructions(world_suite / "prompts.parquet", world_suite / "reference.parquet")
    write_table(samples_of(instructions, 0.9), tmp_path / "samples.parquet", SAMPLES)
    scorer = {"kind": "scorer", "scorer": "oracle", "temperature": 0.5}
    flags = [
        *("--name", "p", "--suite", "s", "--samples", tmp_path / "samples.parquet"),
        *("--spec", WinRateSuite(kind="win_rate", data="world", judge=scorer).model_dump_json()),
        *("--prompts", world_suite / "prompts.parquet", "--reference", world_suite / "reference.parquet"),
        *("--judgements", tmp_path / "j.parquet", "--out", tmp_path / "s.json"),
    ]
    with pytest.raises(InputError, match="add --scorer"):
        step(judge, monkeypatch, *flags)
    step(judge, monkeypatch, *flags, "--scorer", '{"kind": "oracle"}')
    record = read_evaluation(tmp_path / "s.json")
    preferences = read_table(tmp_path / "j.parquet", JUDGEMENTS)["preference"]
    rewards = [
        [reward(each.text, text) for text in (each.reference, output)]
        for each, output in zip(instructions, samples_of(instructions, 0.9)["response"], strict=True)
    ]
    assert list(preferences) == pytest.approx([1 + 1 / (1 + math.exp((one - two) / 0.5)) for one, two in rewards])
    assert record.metrics["win_rate"] > 50 and record.details["length_control"].startswith("length_controlled_minimal")
    assert record.standard_error == pytest.approx(record.metrics["standard_error"])


def test_length_control_takes_the_judges_liking_for_length_out(world_suite, tmp_path):
    """Short and long forms of the same content: their win rates are closer once length is controlled."""
    instructions = read_instructions(world_suite / "prompts.parquet", world_suite / "reference.parquet")

    def by_length(rows):
        return [1 + 1 / (1 + math.exp(-0.03 * (len(second) - len(first)))) for _, first, second in rows]

    annotator = LocalAnnotator(by_length)
    length_control.write_control(instructions, annotator, tmp_path)
    found = {}
    for change in (verbose, concise):
        outputs = list(samples_of(instructions, 0.6, change)["response"])
        rows = [(each.text, each.reference, output) for each, output in zip(instructions, outputs, strict=True)]
        table = judge.judgement_table(instructions, outputs, judged(annotator, rows))
        ordered = in_order(table, [each.prompt_id for each in instructions])
        found[change] = win_rates(ordered, fitted(tmp_path)).metrics
    raw, controlled = (
        found[verbose][rate] - found[concise][rate] for rate in ("win_rate", "length_controlled_winrate")
    )
    assert raw > 40 and abs(controlled) < raw / 2, (raw, controlled)
