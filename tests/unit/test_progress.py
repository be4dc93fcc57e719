"""The progress display: its counts, its time estimates, and its output."""

import json
import logging
import os
import random
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakemake_logger_plugin_prefatlas import LOG_TAIL, LogHandler, duration, failure, left_in_words, tail
from snakemake_logger_plugin_prefatlas.progress import (
    EXPECTED,
    SHORT,
    Job,
    Left,
    Progress,
    read_durations,
    write_durations,
)

PHASES = {"load": "sources", "score": "scores", "train": "training"}


def progress(timed=None, **total):
    found = Progress()
    found.plan(total | {"total": sum(total.values())}, PHASES, timed or {})
    return found


def test_counts_by_phase():
    found = progress(load=2, train=3, all=1)
    found.start(1, Job("load", ("web",), 0.0))
    found.start(2, Job("train", ("m", "0"), 1.0))
    assert found.finish(1, 4.0) == (Job("load", ("web",), 0.0), 4.0)
    assert found.finish(99, 4.0) is None
    assert found.counts == (1, 6)
    assert found.by_phase() == {
        "sources": (1, 2, []),
        "training": (0, 3, [Job("train", ("m", "0"), 1.0)]),
        "targets": (0, 1, []),
    }
    assert str(found.fail(2)) == "train m 0" and found.failed and not found.running


def test_time_left_is_the_mean_of_each_rule_over_the_jobs_side_by_side():
    found = progress(load=4)
    assert found.left(1.0) is None
    for jobid in (0, 1):
        found.start(jobid, Job("load", (), 0.0))
    assert found.left(5.0) is None
    for jobid in (0, 1):
        found.finish(jobid, 10.0)
    # Two ran at once for 10 s each; two more of 10 s are to come.
    assert found.left(10.0) == Left(10.0, False)
    found.start(2, Job("load", (), 10.0))
    assert found.left(14.0).seconds == pytest.approx((20 - 4) / (24 / 14))


def test_rules_that_nobody_has_timed_make_it_a_lower_bound():
    found = progress(load=1, train=5, all=1)
    found.start(0, Job("load", (), 0.0))
    found.finish(0, 2.0)
    assert found.left(2.0) == Left(pytest.approx(5 * EXPECTED["train"] * 3.0 / (EXPECTED["load"] + 1.0)), True)
    assert left_in_words(Left(200.0, True)) == "at least 3 min left"
    found.start(1, Job("train", (), 2.0))
    found.finish(1, 12.0)
    assert found.left(12.0) == Left(40.0, False)
    only_targets = progress(load=1, all=1)
    only_targets.start(0, Job("load", (), 0.0))
    only_targets.finish(0, 2.0)
    assert only_targets.left(2.0) == Left(0.0, False)


def test_little_that_was_never_timed_does_not_make_it_a_lower_bound():
    found = progress({"train": 20.0}, load=1, train=5)
    found.start(0, Job("train", (), 0.0))
    found.finish(0, 20.0)
    left = found.left(20.0)
    assert left.seconds == pytest.approx(80 + EXPECTED["load"] * 20.0 / EXPECTED["train"]) and not left.at_least


STUDY = {"load": 8, "score": 20, "train": 60, "harness": 60, "sample": 60, "judge": 60, "table": 6}
"""Jobs of a study whose phases come one after another, so that half-way most rules have not begun."""


def replay(timed, seed, machine=1.0, cores=2):
    """(seconds gone, seconds left as told, seconds left in truth) after every job of a run on some cores."""
    draw = random.Random(seed)
    found = Progress()
    found.plan(STUDY, dict.fromkeys(STUDY, "a phase"), timed)
    waiting = [rule for rule, count in STUDY.items() for _ in range(count)]
    running, now, told, jobid = [], 0.0, [], 0
    while waiting or running:
        while waiting and len(running) < cores:
            rule = waiting.pop(0)
            seconds = machine * EXPECTED.get(rule, SHORT) * draw.uniform(0.7, 1.3)
            running.append((now + seconds, jobid, rule))
            found.start(jobid, Job(rule, (), now))
            jobid += 1
        running.sort()
        now, ended, _ = running.pop(0)
        found.finish(ended, now)
        told.append((now, found.left(now)))
    return [(gone, left, now - gone) for gone, left in told]


TIMED = {rule: EXPECTED.get(rule, SHORT) for rule in STUDY}


@pytest.mark.parametrize("machine", [0.3, 1.0, 20.0])
@pytest.mark.parametrize("timed", [{}, TIMED], ids=["first run", "after a run"])
@pytest.mark.parametrize("seed", range(5))
def test_from_a_quarter_of_the_way_the_time_left_is_within_30_percent(seed, timed, machine):
    """On a machine of whatever speed, where jobs take what they take on the didactic world in proportion."""
    told = replay(timed, seed, machine)
    end = told[-1][0]
    late = [(left, truth) for gone, left, truth in told if gone >= end / 4 and truth > 0.05 * end]
    assert len(late) > 100
    assert all(abs(left.seconds - truth) <= 0.3 * truth for left, truth in late)
    assert not any(left.at_least for left, _ in late)


def test_while_most_of_it_was_never_timed_it_says_at_least():
    before_training = [left for _, left, _ in replay({}, 0)[: STUDY["load"] + STUDY["score"]]]
    assert all(left.at_least for left in before_training)


def test_durations_are_kept_for_the_next_run(tmp_path):
    path = tmp_path / "durations.json"
    assert read_durations(path) == {}
    found = progress({"score": 7.0, "load": 1.0}, load=2, train=1)
    for jobid in (0, 1):
        found.start(jobid, Job("load", (), 0.0))
        found.finish(jobid, 2.0 + jobid)
    write_durations(found.durations(), path)
    assert read_durations(path) == {"load": 2.5, "score": 14.0}  # of this run, or of earlier ones at its speed
    for broken in ("", "[1]", '{"load": "x"}', "{"):
        path.write_text(broken)
        assert read_durations(path) == {}
    write_durations({"load": 1.0}, tmp_path / "absent/durations.json")  # no folder: nothing is kept, and nothing fails


def test_a_part_of_a_run_tells_how_long_the_rest_takes(tmp_path):
    """Of a model a thousand times as slow as the world's: what is not measured yet is as slow as what is."""
    first = progress(logprobs=1)
    first.start(0, Job("logprobs", (), 0.0))
    first.finish(0, 1000 * EXPECTED["logprobs"])
    write_durations(first.durations(), tmp_path / "durations.json")
    then = progress(read_durations(tmp_path / "durations.json"), logprobs=6, train=6)
    then.start(0, Job("train", (), 0.0))
    then.finish(0, now := 1000 * EXPECTED["train"])
    truth = 5 * 1000 * EXPECTED["train"] + 6 * 1000 * EXPECTED["logprobs"]
    assert then.left(now).seconds == pytest.approx(truth, rel=0.3)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(PHASES)), st.floats(0, 50), st.floats(0, 50)), max_size=20),
    st.floats(0, 200),
)
def test_time_left_is_never_negative(jobs, now):
    found = progress(load=30, score=30, train=30)
    for jobid, (rule, started, seconds) in enumerate(sorted(jobs, key=lambda job: job[1])):
        found.start(jobid, Job(rule, (), started))
        if started + seconds <= now:
            found.finish(jobid, started + seconds)
    left = found.left(now)
    assert left is None or left.seconds >= 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (89, "89 s"), (95, "2 min"), (3600, "60 min"), (7500, "2 h 05 min")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_end_of_a_log(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"\xff\n" + b"line\n" * 100)
    assert len(tail(str(path))) == LOG_TAIL + 1 and "61 lines before" in tail(str(path))[0]
    path.write_text("")
    assert tail(str(path)) == ["(empty)"]
    assert "no log" in tail(str(tmp_path / "none"))[0]


class Terminal(StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


def handler(monkeypatch, is_terminal, **settings):
    stream = Terminal(is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("snakemake_logger_plugin_prefatlas.read_durations", lambda path: {})
    # handlers are closed when Python ends, long after the test
    monkeypatch.setattr("snakemake_logger_plugin_prefatlas.DURATIONS", Path("absent/durations.json"))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PREFATLAS_PHASES", json.dumps(PHASES))
    defaults = {"stdout": False, "dryrun": False, "nocolor": True}
    return LogHandler(SimpleNamespace(**(defaults | settings)), None), stream


def tell(to, event, message="text", level=logging.INFO, created=0.0, **data):
    record = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    record.__dict__.update(data, event=event, created=created)
    to.handle(record)


def tell_a_run(to):
    tell(to, "run_info", stats={"load": 1, "train": 2, "total": 3})
    tell(to, "job_info", jobid=0, rule_name="load", wildcards={"source": "web"}, created=100.0)
    tell(to, None, "Select jobs to execute...")
    tell(to, "job_finished", job_id=0, created=160.0)
    tell(to, "job_info", jobid=1, rule_name="train", wildcards={}, created=160.0)
    tell(to, None, "mind the gap", logging.WARNING)


def test_without_a_terminal_every_job_is_a_line(monkeypatch):
    found, stream = handler(monkeypatch, False)
    tell_a_run(found)
    assert stream.getvalue().splitlines() == [
        "3 jobs to do",
        "[1/3] sources     load web (60 s) · at least 4 min left",
        "mind the gap",
    ]


def test_on_a_terminal_a_block_is_redrawn_and_messages_stay_above_it(monkeypatch):
    found, stream = handler(monkeypatch, True)
    tell_a_run(found)
    found.close()
    text = stream.getvalue()
    last = text.split("\x1b[3F\x1b[J")[-1].splitlines()
    assert last[0] == "mind the gap"
    assert last[1].split() == ["sources", "█" * 24, "1/1"]
    assert last[2].split() == ["training", "░" * 24, "0/2", "train"]
    assert last[3].startswith("1 of 3 jobs · ") and " elapsed" in last[3]
    assert "Select jobs" not in text


@pytest.mark.parametrize(("columns", "lines"), [(20, 30), (200, 30), (80, 2)])
def test_the_block_fits_the_terminal(monkeypatch, columns, lines):
    found, _ = handler(monkeypatch, True)
    tell_a_run(found)
    block = found.block(200.0, os.terminal_size((columns, lines)))
    assert len(block) < lines and all(len(line) < columns for line in block)


def test_an_error_is_shown_whole(monkeypatch, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("step 1\nInputError: no such file\n")
    found, stream = handler(monkeypatch, False)
    tell_a_run(found)
    data = {"jobid": 1, "rule_name": "train", "rule_msg": None, "input": ["in.parquet"], "output": ["out.parquet"],
            "log": [str(log)], "shellcmd": "\n  python -m train \\\n    --x\n"}  # fmt: skip
    tell(found, "job_error", "Error", logging.ERROR, **data)
    text = stream.getvalue()
    for part in ("Error in rule train", "output: out.parquet", "python -m train", "InputError: no such file"):
        assert part in text
    assert [job.rule for job in found.progress.failed] == ["train"]
    assert failure({"rule_name": "x"}) == "Error in rule x"


def test_jobs_that_were_interrupted_are_no_errors(monkeypatch):
    found, stream = handler(monkeypatch, False)
    tell_a_run(found)
    tell(found, None, "Terminating processes on user request, this might take some time.")
    tell(found, "job_error", "Error", logging.ERROR, jobid=1, rule_name="train")
    tell(found, None, "WorkflowError: At least one job did not complete successfully.", logging.ERROR)
    tell(found, None, "Complete log(s): x.log")
    assert stream.getvalue().splitlines()[3:] == [
        "Terminating processes on user request, this might take some time.",
        "Complete log(s): x.log",
    ]


@pytest.mark.parametrize("begun", [True, False])
def test_of_a_group_that_fails_the_jobs_that_failed_are_shown(monkeypatch, tmp_path, begun):
    """Of three jobs one was done, one has a log and no output, and one has neither; or the entry ended before any."""
    found, stream = handler(monkeypatch, False)
    tell_a_run(found)
    jobs = [
        {"jobid": at, "rule_name": name, "output": [str(tmp_path / name)], "log": [str(tmp_path / f"{name}.log")]}
        for at, name in enumerate(["load", "train", "table"])
    ]
    entry = tmp_path / "entry.log"
    entry.write_text("DUE TO TIME LIMIT\n")
    if begun:
        (tmp_path / "load").touch()
        for name in ("load", "train"):
            (tmp_path / f"{name}.log").write_text(f"{name}: no such file\n")
    group = {"groupid": "sources", "aux_logs": [str(entry)], "job_error_info": jobs}
    tell(found, "group_error", "Error in group sources", logging.ERROR, **group)
    for job in jobs:
        tell(found, "job_error", "Error", logging.ERROR, indent=True, **job)
    assert [job.rule for job in found.progress.failed] == ["train"] and not found.progress.running
    text = stream.getvalue()
    told = "1 of 3 jobs were done, 1 had not begun" if begun else "0 of 3 jobs were done, 3 had not begun"
    assert f"Error in group sources: {told}" in text and str(entry) in text and "DUE TO TIME LIMIT" in text
    assert ("Error in rule train" in text) == ("train: no such file" in text) == begun
    assert "Error in rule load" not in text and "Error in rule table" not in text


SNAKEFILE = """
rule all:
    input: 'b'

rule good:
    output: 'a'
    shell: 'touch {output}'

rule bad:
    input: 'a'
    output: 'b'
    log: 'bad.log'
    shell: 'echo reason > {log}; exit 3'
"""


def snakemake(folder, *arguments):
    """By its own name, as typed: plug-ins are found where they are installed, or not at all."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    command = [Path(sys.executable).with_name("snakemake"), "--cores", "1", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_snakemake_finds_and_uses_it(tmp_path):
    ran = snakemake(tmp_path, "--logger", "prefatlas")
    assert ran.returncode == 1
    assert "3 jobs to do" in ran.stderr and "[1/3] targets     good" in ran.stderr
    assert "Error in rule bad" in ran.stderr and "reason" in ran.stderr and "exit 3" in ran.stderr


def test_a_dry_run_reads_as_snakemake_writes_it(tmp_path):
    def said(*arguments):
        ran = snakemake(tmp_path, "--dry-run", "--printshellcmds", *arguments)
        assert ran.returncode == 0, ran.stderr
        of_each_call = r"(?m)^  (Date|Workflow ID|Command): .*$|^\[\w{3} \w{3} .*\]$"
        return re.sub(of_each_call, "", ran.stdout), ran.stderr

    assert said() == said("--logger", "prefatlas")
    assert "touch a" in said()[0]
