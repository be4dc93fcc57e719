"""The plan: counts by hand, what exists already, and hours from given throughputs."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.lib.config.hardware import HardwareSpec
from scripts.lib.errors import InputError
from scripts.lib.schemas import CONVERSATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import write_table
from scripts.studies import plan as step
from scripts.studies.plan import Job, Texts, plan, table_of, texts_of, texts_of_conversations


def texts(rows: int, *tokens: float) -> Texts:
    return Texts(rows, np.array(tokens))


TEXTS = {
    "ps.a": texts(100, 20.0),
    "ps.b": texts(50, 40.0),
    "ps/prompts": texts(100, 10.0, 50.0),
    "mmlu/prompts": texts(300, 10.0),
    "gsm8k/prompts": texts(200, 5.0),
    "talks/conversations": texts(1000, 100.0, 40.0),
}
MACHINE = HardwareSpec(devices=2, score=1000, sample=100, logprobs=500, train=200, ask=50, start_seconds=10)


def jobs(folder: Path) -> list[Job]:
    def job(kind: str, of: str, name: str, **more) -> Job:
        return Job(kind=kind, of=of, out=str(folder / name), **more)

    return [
        job("score", "ps.a", "score_a", separate=3),
        job("score", "ps.b", "score_b", separate=3),
        job("sample", "ps/prompts", "samples", times=8, separate=0.3),
        job("logprobs", "ps.a", "logprobs_a", separate=0),
        job("logprobs", "ps/prompts", "overlap", times=2),
        job("supervise", "talks/conversations", "taught"),
        *(job("train", "ps/prompts", f"run{seed}", times=2) for seed in range(3)),
        job("ask", "mmlu/prompts", "mmlu", length=6, share=0.5),
        job("ask", "gsm8k/prompts", "gsm8k", share=0.5),
    ]


def test_counts_and_hours_by_hand(tmp_path: Path) -> None:
    (tmp_path / "score_a").touch()
    (tmp_path / "run0").touch()
    rows = {row["work"]: row for row in plan(jobs(tmp_path), TEXTS, {"box": MACHINE})}
    scored = rows["scored responses"]
    assert [scored[name] for name in ("needed", "separate", "cached", "jobs_left")] == [150, 450, 100, 1]
    assert (scored["tokens_needed"], scored["tokens_left"]) == (100 * 20 + 50 * 40, 50 * 40)
    assert scored["box_device_hours"] == pytest.approx((10 + 50 * 40 / 1000) / 3600)
    assert scored["box_hours"] == scored["box_device_hours"]  # one job cannot use two devices
    sampled = rows["sampled responses"]
    assert (sampled["needed"], sampled["separate"], sampled["tokens_left"]) == (800, 240, 800 * 30)
    passes = rows["forward passes (responses)"]  # every run its own references, and the study's own once
    assert (passes["needed"], passes["separate"]) == (100 + 2 * 100, 3 * 2 * 100 + 2 * 100)
    taught = rows["training conversations"]
    assert (taught["needed"], taught["separate"], taught["tokens_left"]) == (1000, 1000, 1000 * 70)
    assert taught["box_device_hours"] == pytest.approx((10 + 1000 * 70 / 200) / 3600)  # at the speed of training
    trained = rows["training pairs"]
    assert (trained["needed"], trained["cached"], trained["tokens_left"]) == (600, 200, 2 * 2 * 200 * 30)
    assert trained["box_device_hours"] == pytest.approx(2 * (10 + 2 * 200 * 30 / 200) / 3600)
    assert trained["box_hours"] == pytest.approx(trained["box_device_hours"] / 2)
    asked = rows["questions of lm-eval"]
    assert (asked["needed"], asked["separate"], asked["cached"], asked["jobs_left"]) == (500, 500, 0, 1)
    assert asked["box_device_hours"] == pytest.approx((10 + (300 * 6 * 10 + 200 * 5) / 50) / 3600)
    assert rows["all"]["jobs_left"] == 1 + 1 + 2 + 1 + 2 + 1
    assert rows["all"]["box_hours"] == pytest.approx(sum(rows[name]["box_hours"] for name in rows if name != "all"))


def test_a_job_may_be_on_some_of_the_rows(tmp_path: Path) -> None:
    some = [
        Job(kind="sample", of="ps/prompts", out=str(tmp_path / f"{most}"), times=8, most=most) for most in (7, 10**6)
    ]
    counted = [plan([job], TEXTS, {"box": MACHINE})[1]["needed"] for job in some]
    assert counted == [8 * 7, 8 * 100]


def test_what_is_cut_costs_no_time(tmp_path: Path) -> None:
    for kind, of, each in [("train", "ps/prompts", 2 * (10 + 30) / 2), ("supervise", "talks/conversations", 30)]:
        job = Job(kind=kind, of=of, out=str(tmp_path / kind), longest=30)
        total = plan([job], TEXTS, {"box": MACHINE})[-1]
        assert total["tokens_left"] == TEXTS[of].rows * each


def test_nothing_left_takes_no_time(tmp_path: Path) -> None:
    for job in jobs(tmp_path):
        Path(job.out).touch()
    total = plan(jobs(tmp_path), TEXTS, {"box": MACHINE})[-1]
    assert (total["tokens_left"], total["jobs_left"], total["box_hours"]) == (0, 0, 0)


def test_a_job_over_unknown_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"works through ps\.c"):
        plan([Job(kind="score", of="ps.c", out="x")], TEXTS, {})


def test_texts_are_counted_in_bytes_of_prompt_and_response() -> None:
    turns = [[{"role": "user", "content": "abcd"}], [{"role": "user", "content": "ü"}]]
    prompts = pd.DataFrame({"prompt_id": ["p", "q"], "prompt": turns})
    responses = pd.DataFrame(
        {"prompt_id": ["p", "p", "q"], "family": ["s.a", "s.b", "s.a"], "response": ["abcd", "", "abcdef"]}
    )
    found = texts_of("s", prompts, responses)
    counted = {name: (each.rows, each.sizes.tolist()) for name, each in found.items()}
    assert counted == {"s.a": (2, [2.0, 2.0]), "s.b": (1, [1.0]), "s/prompts": (2, [2.0, 1.0, 2.0])}
    (suite,) = texts_of("suite", prompts, None).values()
    assert (suite.rows, suite.tokens()) == (2, (4 + 2) / 2 / 4)


def test_conversations_are_counted_in_bytes_of_all_turns(tmp_path: Path) -> None:
    path = tmp_path / "talks/conversations.parquet"
    turns = [{"role": role, "content": text} for role, text in [("user", "abcd"), ("assistant", "é"), ("user", "ab")]]
    talks = pd.DataFrame({"conversation_id": ["a", "b"], "conversation": [turns[:2], [*turns, turns[1]]]})
    write_table(talks, path, CONVERSATIONS)
    found = texts_of_conversations(path)["talks/conversations"]
    assert (found.rows, found.sizes.tolist()) == (2, [6 / 4, 10 / 4])
    write_table(talks[:0], path, CONVERSATIONS)
    none = texts_of_conversations(path)["talks/conversations"]
    assert (none.rows, none.tokens(), none.tokens(7)) == (0, 0.0, 0.0)


def test_the_step_writes_and_prints_the_plan(tmp_path: Path, monkeypatch, capsys) -> None:
    folder = tmp_path / "ps"
    prompts = pd.DataFrame({"prompt_id": ["p"], "prompt": [[{"role": "user", "content": "abcd"}]]})
    write_table(prompts.assign(source="s", split="train"), folder / "prompts.parquet", PROMPTS)
    responses = pd.DataFrame({"response_id": ["r"], "prompt_id": ["p"], "family": ["ps"], "response": ["abcd"]})
    write_table(responses, folder / "responses.parquet", RESPONSES)
    asked = json.dumps([{"kind": "score", "out": "none", "of": "ps"}])
    hardware = json.dumps({"box": MACHINE.model_dump()})
    cut = {"pairs": str(tmp_path / "none.parquet"), "policy": "p", "max_length": 1, "truncation": "cut"}
    cuts = json.dumps([cut | {"families": ["ps"], "sampled": [], "cards": [[]]}])
    arguments = ["--jobs", asked, "--hardware", hardware, "--texts", folder, "--cuts", cuts]
    arguments += ["--out", tmp_path / "plan.csv"]
    monkeypatch.setattr(sys, "argv", ["x", *map(str, arguments)])
    step.main()
    table = pd.read_csv(tmp_path / "plan.csv")
    assert list(table["work"]) == [*step.QUANTITIES.values(), "all"] and table["needed"][0] == 1
    printed = capsys.readouterr().out
    assert pd.read_csv(tmp_path / "plan_truncation.csv")["longer"].tolist() == [1]
    assert (
        "scored responses" in printed
        and "by bytes, before pairing" in printed
        and "box hours" in printed
        and "nan" not in printed.lower()
    )


def test_whole_numbers_are_printed_as_such(tmp_path: Path) -> None:
    text = table_of(plan(jobs(tmp_path), TEXTS, {"box": MACHINE}))
    assert "800 " in text and "800.0" not in text
