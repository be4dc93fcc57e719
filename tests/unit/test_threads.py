"""Threads follow the model: one for small ones, all cores for large ones, or what the configuration says."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from scripts.lib.config.root import AtlasConfig
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.rewards import Annotation, Oracle, RewardModel
from scripts.lib.schemas import SCORES
from scripts.lib.tables import THREADS, read_table, write_table
from scripts.lib.threads import cpu_threads
from scripts.samples.gather import joined
from scripts.workflow.files import Files, spec
from scripts.workflow.threads import SMALL, Threads
from tests.unit.test_lineage import atlas

LEARNT = atlas().policies["weak"].model_dump()


def config_of(**sections) -> AtlasConfig:
    return AtlasConfig.model_validate(atlas().model_dump() | {"pairs": {}, "rankers": {}, "samples": {}} | sections)


def folder_of(path: Path, size: int) -> str:
    """A model's folder with so many bytes of weights in two files, most of them holes."""
    path.mkdir()
    for name, part in (("a.safetensors", size // 2), ("b.safetensors", size - size // 2)):
        with open(path / name, "wb") as file:
            file.truncate(part)
    return str(path)


@pytest.mark.parametrize(("size", "threads"), [(SMALL, 1), (SMALL + 1, 6)])
def test_a_local_model_is_weighed(tmp_path: Path, size: int, threads: int) -> None:
    given = {"kind": "given", "model": folder_of(tmp_path / "model", size)}
    config = config_of(policies={"weak": LEARNT, "given": given}, scorers={"oracle": {"kind": "oracle"}})
    assert Threads(config, 6).of_policy("given") == Threads(config, 6).of_policy("given.off_1.dpo.s0") == threads
    assert Threads(config, 6).of_policy("weak") == Threads(config, 6).of_scorer("oracle") == 1
    assert Threads(config, None).of_policy("given") == 1  # the cluster's profile says how many


def test_a_hub_id_counts_as_large_and_the_configuration_has_the_last_word() -> None:
    hub = {"kind": "given", "model": "owner/name"}
    scorers = {"oracle": {"kind": "oracle"}, "reward": {"kind": "reward_model", "model": "owner/reward", "threads": 3}}
    config = config_of(policies={"weak": LEARNT | {"threads": 2}, "hub": hub}, scorers=scorers)
    threads = Threads(config, 8)
    assert [threads.of_policy(name) for name in ("hub", "weak", "weak.off_1.dpo.s0")] == [8, 2, 2]
    assert [threads.of_scorer(name) for name in ("reward", "oracle", None)] == [3, 1, 1]
    rankers = {"pair_rm": {"kind": "pair_rm", "model": "llm-blender/PairRM-hf"}}
    assert [Threads(config_of(rankers=rankers), 8).of_ranker(name) for name in ("pair_rm", None)] == [8, 1]


def test_a_supervised_policy_is_as_large_as_the_model_behind_it() -> None:
    policies = {"weak": LEARNT, "hub": {"kind": "given", "model": "owner/name", "batch_tokens": 99, "max_length": 4096}}
    for name, start in {"small": "weak", "large": "hub", "again": "large"}.items():
        policies[name] = {"kind": "supervised", "start": start, "demonstrations": "talk"}
    config = config_of(policies=policies)
    assert [Threads(config, 8).of_policy(name) for name in ("small", "large", "again.off_1.dpo.s0")] == [1, 8, 8]
    assert Files(config).root_of("again.off_1.dpo.s0").batch_tokens == 99


def test_threads_are_no_trigger() -> None:
    few, many = (config_of(policies={"weak": LEARNT | {"threads": count}}) for count in (1, 4))
    assert spec(few.policies, "weak") == spec(many.policies, "weak")


@pytest.fixture(params=[1, 2])
def computing(request: pytest.FixtureRequest) -> Iterator[int]:
    """A number of threads that this process computes with."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU there is nothing to tell")
def test_what_is_made_tells_the_threads_that_it_was_made_with(
    computing: int, tiny_policy: Path, tmp_path: Path
) -> None:
    assert cpu_threads() == computing
    card = read_policy(tiny_policy / "policy.json")
    save_policy(tmp_path, load_causal(card), load_tokenizer(card), name="tiny", kind="scratch", max_length=64)
    assert read_policy(tmp_path / "policy.json").threads == computing
    assert RewardModel(None, 64, 64).threads == computing
    assert Oracle().threads is Annotation({}).threads is None


def test_a_gpu_has_no_threads_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert cpu_threads() is None


@pytest.mark.parametrize("threads", [None, 1, 12])
def test_a_footer_tells_the_threads_and_the_table_stays_whole(tmp_path: Path, threads: int | None) -> None:
    scores = pd.DataFrame({"response_id": ["r1", "r2"], "score": [0.5, -1.0]})
    write_table(scores, tmp_path / "scores.parquet", SCORES, threads)
    pd.testing.assert_frame_equal(read_table(tmp_path / "scores.parquet", SCORES), scores)
    told = pq.read_metadata(tmp_path / "scores.parquet").metadata.get(THREADS.encode())
    assert told == (None if threads is None else str(threads).encode())


@pytest.mark.parametrize(("threads", "told"), [([2, 2], 2), ([1, 2], [1, 2]), ([None, None], None), ([4], 4)])
def test_shards_with_other_threads_are_told_one_by_one(threads: list, told: object) -> None:
    cards = [{"samples": 3, "refused_prompts": {"tools": 1}, "threads": each} for each in threads]
    count = len(threads)
    assert joined(cards) == {"samples": 3 * count, "refused_prompts": {"tools": count}, "threads": told}
