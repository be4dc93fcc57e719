"""Threads follow the model: one for small ones, all cores for large ones, or what the configuration says."""

from pathlib import Path

import pytest

from scripts.lib.config.root import AtlasConfig
from scripts.workflow.files import spec
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


def test_threads_are_no_trigger() -> None:
    few, many = (config_of(policies={"weak": LEARNT | {"threads": count}}) for count in (1, 4))
    assert spec(few.policies, "weak") == spec(many.policies, "weak")
