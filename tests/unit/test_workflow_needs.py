"""What the studies need, as the workflow derives it from the default configuration and from lineages."""

from collections import Counter
from pathlib import Path

import pytest

from scripts.lib import lineage
from scripts.studies.register import STUDIES
from scripts.workflow.configuration import checked, defaults, rooms
from scripts.workflow.needs import Needs, Studies
from scripts.workflow.planning import Planning
from scripts.workflow.world import World
from tests.configurations import DEFAULT, OVERLAYS, layers, merged
from tests.unit.test_lineage import atlas, paths


@pytest.fixture(scope="module")
def studies() -> Studies:
    config = checked(merged(*DEFAULT), DEFAULT)
    return Studies(config, rooms(config))


def test_the_default_study_needs_each_thing_once(studies: Studies) -> None:
    needs = studies.all
    assert len(needs.runs) == 56 and len(needs.policies) == 57  # and the policy that they start from
    for each in (needs.runs, needs.pairs, needs.references, needs.scores, needs.samples, needs.tiers, needs.sources):
        assert len(each) == len(set(each)) > 0
    assert len(needs.scores) == 1 + 5 + 1 and len(needs.references) == 7  # one family, five, and the policy's own
    assert all(path.startswith("results/logprobs/medium/") for path in needs.references)
    assert needs.on_the_world


def test_every_run_finds_what_it_trains_on(studies: Studies) -> None:
    needs = studies.all
    for run in needs.runs:
        assert needs.pairs_of(run) in needs.pairs
        assert set(needs.scores_of(run)) <= set(needs.scores)
        assert set(needs.files.references(run.pairs, run.start)) <= set(needs.references)
    assert len(needs.of_each_run) == len(needs.runs)


def test_a_study_s_targets_are_its_own(studies: Studies) -> None:
    for study, room in studies.rooms.items():
        targets = studies.targets(study)
        assert len(targets) == len(set(targets))
        assert all(study in path for path in targets)
        assert {room.table(name) for name in room.tables} <= set(targets)
        assert f"results/sections/{study}.html" in targets
        assert set(studies.names(study)) == set(studies.of(study).pairs)
    assert studies.targets("a study that is off") == []


def test_the_plan_counts_every_output_that_a_model_works_for(studies: Studies) -> None:
    needs = studies.all
    jobs = Planning(needs).jobs()
    outputs = [job["out"] for job in jobs]
    assert len(outputs) == len(set(outputs))
    kinds = Counter(job["kind"] for job in jobs)
    assert kinds == {"score": 7, "sample": 1 + 2 + 57, "logprobs": 7, "train": 56, "ask": 4 * 57}
    asked = Counter()
    for job in jobs:
        if job["kind"] == "ask":
            asked[job["out"].split("/")[2]] += job["share"]
    assert all(share == pytest.approx(1) for share in asked.values()) and len(asked) == 57  # one job each


def test_the_default_preflight_adds_one_forward_pass_to_the_study(studies: Studies) -> None:
    """Its scores, samples and log-probs are those of the runs; by itself it would make them, too."""
    runs = {job["out"]: job for job in Planning(studies.all).jobs()}
    both = {job["out"]: job for job in Planning(studies.all, studies.work).jobs()}
    (added,) = [job for out, job in both.items() if out not in runs]
    overlap = "results/preflight/ultrafeedback_comparisons/overlap.parquet"
    assert added == {"kind": "logprobs", "out": overlap, "of": "ultrafeedback/prompts", "times": 2, "separate": 1}
    shared = [out for out, job in runs.items() if both[out] == job | {"separate": job.get("separate", 1) + 1}]
    assert len(shared) == len(studies.work) - 1 == 6 + 6 + 1  # of five generators and the policy: scores, log-probs
    assert all(both[out] == job for out, job in runs.items() if out not in shared)


def test_the_default_runs_watch_samples_of_their_start(studies: Studies) -> None:
    needs = studies.all
    assert needs.watched == [f"{name}.watched_{name}@medium" for name in ("open_assistant", "ultrafeedback")]
    (job,) = [each for each in Planning(needs).jobs() if "watched_ultrafeedback" in each["out"]]
    assert job["most"] == needs.atlas.samples["watched_ultrafeedback"].limit and job["separate"] == 0
    assert World(needs).sample_sets == ["ability"]  # what is watched shows nothing of a base policy's ability
    assert needs.files.watched("ultrafeedback_best_low", "medium") == [
        "results/samples/medium/ultrafeedback.watched_ultrafeedback@medium.responses.parquet"
    ]


def test_draws_multiply_the_runs_and_nothing_before_them() -> None:
    raw = merged(*DEFAULT)
    raw["what_matters"]["draws"] = 3
    config = checked(raw, DEFAULT)
    drawn, whole = (Studies(each, rooms(each)) for each in (config, checked(merged(*DEFAULT), DEFAULT)))
    assert len(drawn.all.runs) == 3 * len(whole.all.runs)
    for each in ("pairs", "datasets", "references", "scores", "samples", "tiers", "prompt_sets"):
        assert getattr(drawn.all, each) == getattr(whole.all, each)
    assert len(drawn.all.drawn_pairs) == 3 * len(whole.all.pairs)
    assert all(lineage.draws_in(name) == 3 for name in drawn.all.drawn_pairs)
    assert set(drawn.names("what_matters")) == set(drawn.all.pairs)
    work = [sum(job["times"] for job in Planning(each.all).jobs() if job["kind"] == "train") for each in (drawn, whole)]
    assert work[0] == pytest.approx(work[1])  # three draws of a third of the pairs


def test_the_plan_tells_every_run_what_its_length_cuts(studies: Studies) -> None:
    config = checked(merged(*DEFAULT) | {"what_matters": merged(*DEFAULT)["what_matters"] | {"draws": 2}}, DEFAULT)
    for needs in (studies.all, Studies(config, rooms(config)).all):
        cuts = Planning(needs).cuts()
        cards = [card for cut in cuts for draw in cut["cards"] for card in draw]
        assert sorted(cards) == sorted(f"results/training/{run.name}.card.json" for run in needs.runs)
        assert {cut["pairs"] for cut in cuts} == {f"results/pairs/{name}.parquet" for name in needs.pairs}
        assert {family for cut in cuts for family in cut["families"]} == {
            family for prompt_set in needs.prompt_sets for family in needs.files.families(prompt_set)
        }
        assert {path for cut in cuts for path in cut["sampled"]} == {
            needs.files.responses(family) for family in needs.sampled
        }
        draws = {len(cut["cards"]) for cut in cuts}
        assert draws == {max(lineage.draws_in(name) for name in needs.drawn_pairs)}
    assert Planning(studies.all).labelled() == []


def test_the_plan_counts_what_policies_are_supervised_on() -> None:
    overlay = Path("studies/alignment_stages/paper.yaml")
    config = checked(merged(*layers(overlay)), layers(overlay))
    planning = Planning(Studies(config, rooms(config)).all)
    jobs = {job["out"]: job for job in planning.jobs() if job["kind"] == "supervise"}
    assert set(jobs) == {f"results/training/{name}.parquet" for name in ("phi2", "pythia", "qwen")}
    assert all(job["of"] == "ultrachat/conversations" and job["times"] == 1 for job in jobs.values())
    assert planning.counted_conversations() == ["results/data/ultrachat/conversations.parquet"]


def test_the_plan_counts_what_a_policy_of_a_study_s_own_work_learnt_from() -> None:
    """One that was taught twice, and that no run starts from: a preflight's."""
    raw = merged(*DEFAULT)
    taught = {"kind": "supervised", "start": "medium", "demonstrations": "talks", "epochs": 2, "max_length": 128}
    raw["policies"] |= {"taught": taught, "again": taught | {"start": "taught"}}
    raw["sources"]["talks"] = {"kind": "conversations", "path": "talks.jsonl"}
    raw["preflight"] |= {"policy": "again", "samples": None}
    config = checked(raw, DEFAULT)
    studies = Studies(config, rooms(config))
    jobs = [job for job in Planning(studies.all, studies.work).jobs() if job["kind"] == "supervise"]
    assert [job["out"] for job in jobs] == [f"results/training/{name}.parquet" for name in ("taught", "again")]
    assert all(job["times"] == 2 for job in jobs) and not Planning(studies.all).counted_conversations()


def test_held_out_pairs_need_log_probs_of_every_policy_and_its_start() -> None:
    suite = {"kind": "preference", "pairs": "off_1"}
    config = atlas(evaluation={"suites": {"held_out": suite}})
    run = paths(("dpo",))[0]
    planning = Planning(Needs(config, [(run, "held_out"), ("weak", "held_out")]))
    held_out = {job["out"] for job in planning.jobs() if job["kind"] == "logprobs"}
    starts = {run, lineage.Run.parse(run).start, "weak"}
    assert {f"results/logprobs/{start}/uf.{name}.parquet" for start in starts for name in "ab"} <= held_out
    assert "results/prompt_sets/uf" in planning.counted_sets() and not planning.counted_suites()


def test_the_plan_knows_lineages() -> None:
    """Samples of every start, references under every start, and each training once."""
    suite = {"kind": "harness", "task": "world_gsm8k", "data": "world", "metric": "exact_match"}
    config = atlas(evaluation={"suites": {"gsm8k": suite}})
    needs = Needs(config, [(run, "gsm8k") for run in paths(("dpo",))])
    jobs = Planning(needs).jobs()
    # Six starts, of which each has log-probs of two generators' responses and of its own.
    assert Counter(job["kind"] for job in jobs) == {"sample": 6, "logprobs": 6 * 3, "train": 12, "ask": 8}
    for job in jobs:
        if job["kind"] == "sample":
            family = job["out"].split("/")[-1].removesuffix(".parquet")
            assert job["of"] == "uf/prompts" and job["times"] == 2
            assert job["separate"] == sum(
                run.start == lineage.start_in(family) and "on_" in run.pairs for run in needs.runs
            )


def test_all_rooms_together_train_no_run_twice() -> None:
    """Neither under one name nor under two, from datasets of other names with the same entries."""
    files = layers(Path("studies/atlas.yaml"))
    config = checked(merged(*files), files)
    assert config.studies == [name for name in STUDIES if Path(f"studies/{name}/didactic.yaml").exists()]
    together = Studies(config, rooms(config))
    runs = together.all.runs
    assert set(runs) == {run for study in config.studies for run in together.of(study).runs}

    def what(run: lineage.Run) -> str:
        """Start, pairs, variant and seed, with entries of the configuration in place of their names."""
        start = what(lineage.Run.parse(run.start)) if lineage.is_run(run.start) else run.start
        dataset, plus, draw = run.pairs.partition("+")
        entries = (config.pairs[dataset], config.training.variant(run.variant))
        return " ".join([start, *(each.model_dump_json() for each in entries), plus + draw, str(run.seed)])

    twice = {key: count for key, count in Counter(map(what, runs)).items() if count > 1}
    assert len(runs) > 100 and not twice


@pytest.mark.parametrize("overlay", [each for each in OVERLAYS if each.stem.endswith("draws")], ids=str)
def test_each_of_several_draws_is_as_large_as_the_default_data(overlay: Path) -> None:
    files = layers(overlay)
    config = checked(merged(*files), files)
    shipped = defaults(Path(), {"studies": config.studies})[::-1]
    default = checked(merged(*shipped) | {"studies": config.studies}, shipped)
    found = set()
    for run in Studies(config, rooms(config)).all.runs:
        draws, name = lineage.draws_in(run.pairs), lineage.prompt_set_behind(config, lineage.without_draw(run.pairs))
        kept, kept_by_default = config.prompt_sets[name], default.prompt_sets[name]
        assert kept.limit == (kept_by_default.limit and draws * kept_by_default.limit)
        for source in kept.sources:
            assert config.sources[source].prompts == draws * default.sources[source].prompts
        found |= {(draws, name)}
    assert len(found) > 1 and min(found)[0] > 1
