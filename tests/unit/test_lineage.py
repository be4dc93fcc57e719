"""Lineages: names that parse uniquely, what depends on a start, and how many trainings paths share."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib import lineage
from scripts.lib.config.root import AtlasConfig
from scripts.lib.lineage import Run
from scripts.workflow import lineages
from scripts.workflow.files import Files
from scripts.workflow.needs import Needs

NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True)
STEP = st.tuples(NAME, NAME, st.integers(0, 2**32 - 1))
RANKED = {"kind": "ranked", "ranker": "judge"}


def run_of(policy: str, steps: list[tuple[str, str, int]]) -> str:
    for pairs, variant, seed in steps:
        policy = Run(policy, pairs, variant, seed).name
    return policy


def atlas(policies: tuple[str, ...] = ("weak", "medium"), **more) -> AtlasConfig:
    """Two policies, off-policy pairs of a prompt set and on-policy pairs for each run's start."""
    model = {"tokenizer": "words", "vocabulary": 9, "hidden_size": 8, "layers": 1, "heads": 1}
    learnt = {"epochs": 1, "batch_size": 1, "learning_rate": 1.0}
    config = {
        "studies": ["x"],
        "sources": {"uf": {"kind": "world", "prompts": 9, "generators": {"a": 0.1, "b": 0.9}}},
        "prompt_sets": {"uf": {"sources": ["uf"], "generators": ["a", "b"]}},
        "scorers": {"oracle": {"kind": "oracle"}},
        "rankers": {"judge": {"kind": "scratch", "pairs": ["off_1"], **model, **learnt}},
        "pairs": {
            "off_1": {**RANKED, "prompt_set": "uf"},
            "off_2": {**RANKED, "prompt_set": "uf", "seed": 1},
            "on_1": {**RANKED, "samples": "own"},
            "on_2": {**RANKED, "samples": "own", "seed": 1},
            "best_worst": {
                "kind": "tiers",
                "prompt_set": "uf",
                "scorer": "oracle",
                "chosen": "best",
                "rejected": "worst",
            },
            "mixed": {"kind": "mixture", "base": "best_worst", "samples": "own", "ratio": 0.5},
        },
        "policies": {name: {"kind": "scratch", "demonstrations": "uf", **model, **learnt} for name in policies},
        "samples": {"own": {"prompt_set": "uf", "samples": 2}, "fixed": {"prompt_set": "uf", "policy": policies[0]}},
        "training": {"max_length": 512, "variants": {"dpo": {}, "slic": {"objective": "dpo"}}},
        "evaluation": {"suites": {}},
    }
    return AtlasConfig.model_validate(config | more)


@given(NAME, st.lists(STEP, min_size=1, max_size=4))
def test_a_name_is_parsed_from_the_right_in_one_way(policy, steps) -> None:
    name = run_of(policy, steps)
    runs = lineage.lineage_of(name)
    assert [(run.pairs, run.variant, run.seed) for run in runs] == steps
    assert runs[0].start == policy and all(run.policy == policy for run in runs)
    assert [run.start for run in runs[1:]] == [run.name for run in runs[:-1]]
    assert runs[-1].name == name and lineage.is_run(name) and not lineage.is_run(policy)


def paths(variants: tuple[str, ...] = ("dpo", "slic")) -> list[str]:
    """The second iteration's runs of two policies, some objectives and the four paths."""
    return [
        run_of(policy, [(first, variant, 0), (second, variant, 0)])
        for policy, variant in product(("weak", "medium"), variants)
        for first, second in product(("off_1", "on_1"), ("off_2", "on_2"))
    ]


def test_two_policies_two_objectives_and_four_paths_are_24_trainings() -> None:
    """16 second iterations, and 8 first ones, each shared by two paths: not 32."""
    needs = Needs(atlas(), [(run, "suite") for run in paths()])
    assert len(needs.policies) == 16 and len(needs.runs) == 24
    starts = [run.start for run in needs.runs]
    assert all(
        start in ("weak", "medium") or start in [run.name for run in needs.runs[:at]] for at, start in enumerate(starts)
    )


def test_what_depends_on_a_start_carries_its_name_and_is_sampled_once() -> None:
    needs = Needs(atlas(), [(run, "suite") for run in paths(("dpo",))])
    assert len(needs.sampled) == 6  # of two policies, and of four runs from which second iterations start
    first = "weak.off_1.dpo.s0"
    assert f"uf.own@{first}" in needs.sampled and "uf.own@weak" in needs.sampled
    assert f"results/samples/{first}/uf.own@{first}.parquet" in needs.samples
    assert f"results/logprobs/{first}/uf.own@{first}.parquet" in needs.references
    assert f"results/logprobs/{first}/uf.a.parquet" in needs.references
    assert {"off_1", "off_2", "on_1@weak", f"on_2@{first}", "on_2@weak.on_1.dpo.s0"} <= set(needs.pairs)
    assert "on_2@weak" not in needs.pairs and f"off_2@{first}" not in needs.pairs
    assert needs.scores == []  # a ranker decides


def test_a_mixture_needs_the_scores_of_its_own_start_s_samples() -> None:
    config = atlas()
    run = Run("medium", "mixed", "dpo", 0)
    needs = Needs(config, [(run.name, "suite")])
    assert needs.pairs == ["mixed@medium"] and needs.sampled == ["uf.own@medium"]
    assert needs.scores == [f"results/scores/oracle/{name}.parquet" for name in ("uf.a", "uf.b", "uf.own@medium")]
    assert Files(config).responses_behind(["mixed"], "medium") == [
        "results/prompt_sets/uf/responses.parquet",
        "results/samples/medium/uf.own@medium.responses.parquet",
    ]


def test_ranked_samples_rest_on_samples_alone() -> None:
    assert lineage.families_behind(atlas(), "on_1", "weak") == ["uf.own@weak"]
    assert lineage.families_behind(atlas(), "off_1") == ["uf.a", "uf.b"]
    files = Files(atlas())
    assert files.responses("uf.own@weak.off_1.dpo.s0").startswith("results/samples/weak.off_1.dpo.s0/")
    assert files.responses("uf.a") == "results/prompt_sets/uf/responses.parquet"


class Room:
    def __init__(self, *policies: str) -> None:
        self.measured = [(policy, "suite") for policy in policies]


def test_a_draw_is_a_dataset_of_its_own_in_a_run_s_name() -> None:
    assert lineage.in_draw("off_1", 1, 1) == "off_1"
    names = [lineage.in_draw("off_1", draw, 3) for draw in (1, 2, 3)]
    assert names == ["off_1+1of3", "off_1+2of3", "off_1+3of3"]
    run = Run("weak", names[1], "dpo", 0)
    assert Run.parse(run.name) == run


@pytest.mark.parametrize("times", range(1, 12))
def test_a_lineage_that_no_file_name_holds_is_refused(times: int) -> None:
    """By its length, whatever its parts are; the files of an accepted one can be created."""
    name = run_of("weak", [("on_1", "dpo", 4_000_000_000)] * times)
    found = list(lineages.problems(atlas(), {"x": Room(name)}))
    longest = f".uf.own@{lineage.lineage_of(name)[-1].start}.responses.parquet.1234567.tmp"
    assert bool(found) == (max(len(name), len(longest) - lineages.ROOM) + lineages.ROOM > lineages.LONGEST), longest
    if found:
        assert found[0][0] == ("x",) and "shorten the names" in found[0][2]
    else:
        assert len(longest) <= lineages.LONGEST and len(f".{name}.parquet.1234567.tmp") <= lineages.LONGEST


def test_runs_start_from_policies_that_can_be_trained() -> None:
    config = atlas()
    remote = config.model_copy(
        update={"policies": config.policies | {"theirs": config.policies["weak"].model_copy(update={"max_length": 9})}}
    )
    found = list(lineages.problems(remote, {"x": Room("theirs.off_1.dpo.s0.off_2.dpo.s0")}))
    assert len(found) == 2 and all("more than the 9 of policy theirs" in problem for _, problem, _ in found)
