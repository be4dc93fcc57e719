"""Inputs and summaries of `make bench`; the measurements themselves are not tested here."""

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.lib.chat import Encoded
from scripts.lib.errors import InputError
from tests.benchmarks import gpu, warm
from tests.benchmarks.data import real_texts
from tests.benchmarks.training import summary
from tests.workflow.house import ROOT


def measured(speed: float, memory: float = 1.0) -> dict:
    keys = ("pairs_per_s", "pairs_per_cpu_s", "tokens_per_s", "pairs_per_s_with_references", "pairs_per_s_with_first")
    return dict.fromkeys(keys, speed) | {"peak_gb": memory}


def test_ratios_are_within_turns_against_the_best_of_theirs() -> None:
    turns = [
        {
            "first": 0,
            "ours": measured(6, 1),
            "trl_default": measured(1, 4),
            "trl_tuned_1": measured(2),
            "trl_tuned_2": measured(3),
        },
        {
            "first": 8,
            "ours": measured(3, 1),
            "trl_default": measured(1, 5),
            "trl_tuned_1": measured(2),
            "trl_tuned_2": measured(1),
        },
        {"first": 16, "ours": measured(8, 1), "trl_default": measured(2, 2)},
    ]
    found = summary(turns)
    assert found["ratio_trl_default"] == {"median": 4.0, "low": 3.0, "high": 6.0, "turns": 3}
    assert found["ratio_trl_tuned"] == {"median": 1.75, "low": 1.5, "high": 2.0, "turns": 2}
    assert found["memory_ratio_trl_default"] == {"median": 0.25, "low": 0.2, "high": 0.5, "turns": 3}
    assert found["variants"]["trl_tuned_2"]["pairs_per_s"]["median"] == 2.0
    assert "ratio_plain_loop" not in found


def test_real_text_is_text_or_messages(tmp_path) -> None:
    plain = {"prompt": "p", "chosen": "c", "rejected": "r"}
    turns = [{"role": "user", "content": "p"}, {"role": "assistant", "content": "c"}]
    rows = [plain, plain | {"chosen": turns}]
    (tmp_path / "test.jsonl").write_text(json.dumps(plain | {"prompt": "of the test split"}))
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(real_texts(tmp_path)) == [("p", "c", "r")] * 2


def test_a_folder_without_pairs_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="holds no"):
        list(real_texts(tmp_path))


def test_flops_are_those_that_a_counter_finds() -> None:
    model = gpu.new_model("tiny", "cpu", torch.float32)
    pair = (Encoded([5, 6, 7], [8, 9, 2]), Encoded([5, 6, 7], [9, 2]))
    with FlopCounterMode(display=False) as counter:
        for each in pair:
            model(torch.tensor([each.prompt_ids + each.response_ids])).logits.sum().backward()
    least, usual = gpu.needed_flops("tiny", [pair])
    assert usual == pytest.approx(counter.get_total_flops(), rel=0.01)  # attention is negligible for short sequences
    vocabulary, hidden = gpu.SHAPES["tiny"]["vocab_size"], gpu.SHAPES["tiny"]["hidden_size"]
    of_head = 6 * vocabulary * hidden
    body = (usual - 11 * of_head) / 11
    assert least == pytest.approx(5 * of_head + 8 * body, rel=0.01)


def test_warm_and_cold_are_compared_within_turns(tmp_path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training/run.tsv").write_text("s\th:m:s\tmax_rss\n2.5\t0:00:02\t300.0\n")
    (tmp_path / "load.tsv").write_text("s\th:m:s\n1.25\t0:00:01\n")
    assert warm.job_seconds(tmp_path) == {"load": 1.25, "training/run": 2.5}
    turns = [
        {
            how: {"seconds": seconds, "jobs": {"a": seconds, "b": 1.0}}
            for how, seconds in (("warm", mine), ("cold", other))
        }
        for mine, other in ((2.0, 4.0), (3.0, 12.0), (1.0, 3.0))
    ]
    found = warm.summary(turns)
    assert found["run_ratio"] == {"median": 1 / 3, "low": 0.25, "high": 0.5, "turns": 3}
    assert found["jobs_ratio"]["high"] == 0.6 and found["jobs_seconds_cold"]["median"] == 5.0


def test_a_cold_run_is_one_edit_away() -> None:
    file, old, _ = warm.NEVER
    assert (ROOT / file).read_text().count(old) == 1
