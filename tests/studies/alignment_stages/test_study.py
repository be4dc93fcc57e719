"""The room: what it measures, what it refuses, and its tables on the didactic world in miniature."""

import copy
import json
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.claims import read_claims
from scripts.lib.errors import InputError
from scripts.lib.lineage import lineage_of
from scripts.report.page import suites
from scripts.workflow.configuration import checked, defaults, rooms
from scripts.workflow.needs import Studies
from scripts.workflow.planning import Planning
from studies.alignment_stages.published_numbers import Published
from tests.configurations import layers, merged
from tests.workflow.house import House

FILES = defaults(Path(), {"studies": ["alignment_stages"]})[::-1]

FOREIGN = {"pairs": "stages_foreign", "policies": ["weak"], "variant": "dpo"}


def configured(**changes):
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["alignment_stages"]}
    raw["alignment_stages"] |= changes.pop("alignment_stages", {})
    for section, entries in changes.items():
        for name, entry in entries.items():
            raw[section][name] |= entry
    return checked(raw, FILES)


def test_every_path_is_measured_and_every_start_by_the_boundary() -> None:
    room = rooms(configured())["alignment_stages"]
    policies, objectives, seeds = 3, 2, 2
    measured = {of: [run for run, suite in room.measured if suite == of] for of in ("lc_ae2", "true_reward", "stage")}
    foreign = 2 * 2 * seeds  # of two policies with one objective: after the foreign pairs, and after off-policy ones
    for suite, trained, more in (("lc_ae2", 8, foreign), ("true_reward", 8, foreign), ("stage", 3, 0)):
        expected = policies * (1 + trained * objectives * seeds) + more
        assert len(set(measured[suite])) == len(measured[suite]) == expected
    first = {run for run in measured["lc_ae2"] if len(lineage_of(run)) < 2}
    assert set(measured["stage"]) == {run for run in first if "foreign" not in run}
    assert room.tables["boundary"].reads == [f"results/evaluations/{run}/stage.json" for run in measured["stage"]]
    assert "weak, medium and strong, trained twice on stages_off_policy" in room.lead


def test_no_run_trains_twice_and_every_iteration_s_reference_is_its_start() -> None:
    atlas = configured()
    needs = Studies(atlas, rooms(atlas)).all
    names = [run.name for run in needs.runs]
    assert (
        len(names) == len(set(names)) == 3 * 2 * 2 * 8 + 2 * 2 * 2
    )  # policies, objectives, seeds; two policies' foreign
    for run in needs.runs:
        chain = lineage_of(run.name)
        assert {(each.variant, each.seed) for each in chain} == {(run.variant, run.seed)}
        assert all(f"results/logprobs/{run.start}/" in path for path in needs.files.references(run.pairs, run.start))
    starts = [run.start for run in needs.runs]
    for start in set(starts):
        (*_, last) = lineage_of(start) or (None,)
        is_compared = last and last.pairs == "stages_off_policy" and last.policy != "strong" and last.variant == "dpo"
        first = 2 * 2 * 3 + (0 if start == "strong" else 2)  # objectives, seeds, data; the foreign pairs with one
        blended = last and last.pairs == "stages_blend"
        assert starts.count(start) == (first if last is None else 1 if blended else 3 if is_compared else 2)


def test_no_policy_samples_a_prompt_set_twice() -> None:
    """What is sampled for pairs is what the boundary compares: once for each start."""
    atlas = configured()
    needs = Studies(atlas, rooms(atlas)).all
    assert sorted(needs.sampled) == sorted(needs.compared) and len(needs.sampled) == 3 + 3 * 2 * 2 * 3
    sampled = [job["out"] for job in Planning(needs).jobs() if job["kind"] == "sample"]
    of_pairs = [path for path in sampled if "stages_own" in path]
    assert len(of_pairs) == len(set(of_pairs)) == len(needs.sampled)


def test_draws_train_both_iterations_on_the_same_prompts() -> None:
    atlas = configured(alignment_stages={"draws": 2, "seeds": [0]})
    for run in Studies(atlas, rooms(atlas)).all.runs:
        parts = {each.pairs.partition("+")[2] for each in lineage_of(run.name)}
        assert len(parts) == 1 and parts <= {"1of2", "2of2"}


def test_the_page_says_how_the_boundary_is_measured() -> None:
    (row,) = suites(configured(), ["stage"])
    assert (row["metric"], row["asked by"], row["task"]) == (
        "boundary_score",
        "ranker pair_ranker",
        "stages_off_policy",
    )


def test_the_paper_s_own_configuration_is_that_of_its_appendix() -> None:
    files = layers(Path("studies/alignment_stages/paper.yaml"))
    atlas = checked({"data": "somewhere", **merged(*files)}, files)
    for variant in ("dpo", "slic"):
        of = atlas.training.variant(variant)
        assert (of.objective, of.learning_rate, of.beta) == (variant, 5e-7, 0.01)
        assert (of.batch_pairs, of.epochs, of.warmup_ratio) == (128, 1, 0.1)
    own = atlas.samples["stages_own"]
    assert (own.temperature, own.top_p, own.top_k, own.samples) == (0.7, 0.9, 50, 2)
    room = rooms(atlas)["alignment_stages"]
    published = Published(Path("studies/alignment_stages/published"))
    assert {base.model for base in room.spec.policies} == {model for model, *_ in published.deltas}
    needs = Studies(atlas, rooms(atlas)).all
    assert len(needs.runs) == 5 * 2 * 8 + 2 * 2
    assert atlas.pairs["stages_foreign"].of == "llama3"
    assert {suite for _, suite in room.measured} == {"lc_ae2", "stage"}
    assert {getattr(atlas.pairs[name], "ranker", "pair_rm") for name in needs.datasets} == {"pair_rm"}
    assert not set(needs.sampled) & set(needs.compared)  # other prompts, never the same twice


def test_a_suite_that_cannot_tell_is_refused() -> None:
    with pytest.raises(InputError, match="gsm8k is a suite of kind harness"):
        configured(alignment_stages={"boundary": "gsm8k"})
    with pytest.raises(InputError, match="stages_own, are those of weak alone"):
        configured(samples={"stages_own": {"policy": "weak"}})
    with pytest.raises(InputError, match="strong's samples, and stages_own are those of weak"):
        configured(samples={"stages_own": {"policy": "weak"}})
    with pytest.raises(InputError, match="answers open_assistant, the pairs are of stages"):
        configured(samples={"stages_own": {"prompt_set": "open_assistant"}})
    with pytest.raises(InputError, match="compares two samples a prompt, stages_own has one"):
        configured(samples={"stages_own": {"samples": 1}})
    with pytest.raises(InputError, match="stages_off_policy is sampled from every start"):
        configured(pairs={"stages_off_policy": {"prompt_set": None, "samples": "stages_own"}})

    with pytest.raises(InputError, match="lc_ae2 reports the win rate alone"):
        raw = copy.deepcopy(merged(*FILES)) | {"studies": ["alignment_stages"]}
        raw["evaluation"]["suites"]["lc_ae2"]["metric"] = "win_rate"
        checked(raw, FILES)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"win_rate": "gsm8k"}, "gsm8k is a suite of kind harness"),
        ({"true_reward": "gsm8k"}, "gsm8k is a suite of kind harness"),
        ({"on_policy": "stages_off_policy"}, "stages_blend does not blend stages_off_policy and stages_off_policy"),
        ({"blend": "stages_foreign"}, "stages_foreign does not blend stages_off_policy and stages_on_policy by stage"),
        ({"foreign": FOREIGN | {"pairs": "stages_on_policy"}}, "stages_on_policy is not of one policy's samples"),
        ({"foreign": FOREIGN | {"pairs": "stages_off_policy"}}, "stages_off_policy is not of one policy's samples"),
        ({"foreign": FOREIGN | {"policies": ["strong"]}}, "stages_foreign are pairs of strong's own samples"),
        ({"foreign": FOREIGN | {"variant": "sft"}}, "no training.variants 'sft'"),
        ({"policies": [{"policy": "weak"}, {"policy": "weak", "model": "x"}]}, "weak stands twice"),
    ],
)
def test_what_cannot_be_two_iterations_is_refused(changes, told) -> None:
    with pytest.raises(InputError, match=told):
        configured(alignment_stages=changes)


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> House:
    """One policy and one seed: eight runs of each objective, and two on the strong policy's samples."""
    house = House.build(tmp_path_factory.mktemp("stages") / "house")
    house.turn_on("alignment_stages")
    house.configure("samples", {"stages_own": {"max_new_tokens": 8}})
    house.configure("alignment_stages", {"policies": [{"policy": "weak", "model": "Phi-2-2.7B"}], "seeds": [0]})
    house.configure("alignment_stages", "foreign", FOREIGN)
    return house


def test_a_dry_run_trains_and_samples_everything_once(house: House) -> None:
    planned = house.planned("--", "alignment_stages")
    starts = 1 + 2 * 3
    assert planned["train"] == 2 * 8 + 2 and planned["judge"] == planned["reward"] == 1 + planned["train"]
    assert planned["boundary_score"] == planned["blend"] + 4 == starts  # a blend of each start of a blend
    assert planned["sample_prompt_set"] == starts + 1  # and the strong policy's
    assert planned["ranked"] == 1 + planned["sample_prompt_set"]  # off-policy pairs once
    assert planned["logprobs"] == 2 * starts + 2  # both kinds of pairs, and the foreign ones under two starts


@pytest.mark.slow
def test_tables_figures_and_section_in_miniature(house: House) -> None:
    house.snakemake("--", "alignment_stages", "boundary")
    assert house.planned("--", "alignment_stages", "boundary") == {}
    results = house.folder / "results"
    tables = results / "tables/alignment_stages"
    table = pd.read_csv(tables / "boundary.csv")
    assert len(table) == 1 + 2 * 3
    assert ((table["v_on"] + table["v_off"]) == 4 * table["n_prompts"]).all() and (table["n_prompts"] > 20).all()
    pd.testing.assert_frame_equal(table, pd.read_csv(results / "boundary.csv"))
    iterations = pd.read_csv(tables / "iterations.csv")
    assert len(iterations) == 2 * 9 and iterations["lc_win_rate"].notna().all()
    scores = dict(zip(table["policy"], table["score"], strict=True))
    of_dpo = iterations[iterations["objective"] == "dpo"].reset_index()
    assert of_dpo["boundary_score"][1] == of_dpo["boundary_score"][2] == pytest.approx(scores["weak"], abs=1e-4)
    after_off = scores["weak.stages_off_policy.dpo.s0"]
    assert of_dpo["boundary_score"][3] == of_dpo["boundary_score"][4] == pytest.approx(after_off, abs=1e-4)
    for start in ("weak", "weak.stages_blend.dpo.s0"):
        card = json.loads((results / f"pairs/stages_blend@{start}.card.json").read_text())
        assert card["share"] == pytest.approx(scores[start], abs=1e-4)
    distinct = pd.read_csv(tables / "distinct.csv")
    assert len(distinct) == 2 * 4 and distinct[["by_sequence", "by_token"]].stack().between(0, 100).all()
    assert distinct["by_sequence_published"].dropna().tolist() == [86.96, 84.32, 85.89, 86.96]
    of_table_2 = pd.read_csv(tables / "table2.csv")
    assert len(of_table_2) == 9 and of_table_2["lc_win_rate"].notna().all()
    quality = pd.read_csv(tables / "quality.csv")
    assert quality["data"].tolist() == ["foreign", "on", "on", "on"] and quality["lc_win_rate_published"][0] == 58.84
    assert quality["lc_win_rate"].between(0, 100).all()
    diversity = pd.read_csv(tables / "diversity.csv")
    assert diversity["data"].tolist() == ["off", "foreign", "on"] * 2 and (diversity["spread"] > 0).all()
    claims = read_claims(results / "claims/alignment_stages.csv")
    assert set(claims["verdict"]) == {"undecided"}  # one seed
    assert {"prediction", "distinct", "blend"} < set(claims["claim"])
    assert set(pd.read_csv(tables / "predictions.csv")["source"]) == {"measured", "published"}
    for figure in ("iterations", "boundary", "figure3"):
        assert (results / f"figures/alignment_stages/{figure}.png").exists()
    for path in sorted((results / "training").glob("*.dpo.s0.parquet")):
        assert pd.read_parquet(path)["loss"].iloc[0] == pytest.approx(0.6931471805599453, abs=1e-6), path.name
    assert "weak, slic (paper: Phi-2-2.7B)" in (results / "sections/alignment_stages.html").read_text()
