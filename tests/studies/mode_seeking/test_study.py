"""The room: what it refuses, its tables from runs, and the whole of it on tiny sizes."""

import copy
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.claims import read_claims
from scripts.lib.errors import InputError
from scripts.workflow.configuration import checked, defaults, rooms
from scripts.workflow.needs import Studies
from scripts.workflow.planning import Planning
from scripts.workflow.world import World
from studies.mode_seeking.bandit import layout
from studies.mode_seeking.figures import axes
from studies.mode_seeking.section import bandit as shown
from studies.mode_seeking.tables import bandit
from studies.mode_seeking.tables.found import at_best_rate, read_runs
from tests.configurations import layers, merged
from tests.workflow.house import House

REWARDS = [
    {
        "name": "skewed",
        "pairs": "skewed_preferences",
        "true_suite": "skewed",
        "proxy_suite": "skewed_proxy",
    }
]
FILES = defaults(Path(), {"studies": ["mode_seeking"]})[::-1]


def configured(language: dict | None = None, variants: dict | None = None, files=FILES, **changes):
    """The default configuration with changes to the bandit, to the grid on language models, and to variants."""
    raw = copy.deepcopy(merged(*files)) | {"studies": ["mode_seeking"]}
    raw["mode_seeking"]["bandit"] |= changes
    raw["mode_seeking"]["language"] |= language or {}
    raw["training"]["variants"] |= variants or {}
    return checked(raw, files)


def test_without_language_models_the_study_needs_nothing_of_the_world() -> None:
    raw = copy.deepcopy(merged(*FILES)) | {"studies": ["mode_seeking"]}
    del raw["mode_seeking"]["language"]
    atlas = checked(raw, FILES)
    studies = Studies(atlas, rooms(atlas))
    needs, room = studies.all, studies.rooms["mode_seeking"]
    assert room.measured == [] and room.evaluations() == []
    assert not any([needs.policies, needs.runs, needs.suites, needs.datasets, needs.sources, needs.learned_scorers])
    assert Planning(needs).jobs() == [] and World(needs).suites == []
    targets = studies.targets("mode_seeking")
    assert room.table("bandit") in targets and not any("sharing" in each for each in targets)
    assert studies.common_figures("mode_seeking") == []
    assert set(room.tables["bandit"].reads) == {layout.runs_file(method) for method in layout.METHODS}
    assert "far (70) and near (20)" in room.lead


def test_language_models_train_on_the_prompts_of_one_dataset_for_each_reward() -> None:
    atlas = configured()
    studies = Studies(atlas, rooms(atlas))
    needs, room = studies.all, studies.rooms["mode_seeking"]
    spec = room.spec.language
    assert len(needs.runs) == len(spec.seeds) * 3 * 10
    assert set(needs.datasets) == set(room.names) == {f"{each.name}_preferences" for each in spec.rewards}
    assert set(needs.learned_scorers) == {f"{each.name}_model" for each in spec.rewards}
    assert needs.prompt_sets == ["lengths"] and needs.sampled == []
    assert {name: room.negative[name] for name in ("sft_data", "dpo_data", "ppo_own_mode", "best_of_n_own_mode")} == {
        "sft_data": False,
        "dpo_data": True,
        "ppo_own_mode": True,
        "best_of_n_own_mode": False,
    }
    steps = {  # all take as many gradient steps
        variant.epochs * (variant.online.reuse if variant.online else 1)
        for variant in (atlas.training.variant(run.variant) for run in needs.runs)
    }
    assert steps == {1}
    assert room.table("language") in studies.targets("mode_seeking")
    assert "--language" in room.claims.arguments and len(room.claims.reads) == 9 + len(room.measured)


@pytest.mark.parametrize(
    ("language", "variants", "told"),
    [
        ({"methods": {"kto": ["own"]}}, {}, "no variant kto_own_skewed"),
        ({}, {"dpo_own_mode": {"epochs": 1}}, "does not learn from samples that mode_model scored"),
        (
            {},
            {"sft_data": {"online": {"samples": 2, "scorer": "mode"}}},
            "is online, and named for the preference data",
        ),
        (
            {},
            {"dpo_own_mode": {"online": {"samples": 2, "scorer": "mode_model", "refresh_every": 2}}},
            "draws every 2 batches, and is named for samples of every step",
        ),
        (
            {"rewards": [{"name": "mode", "pairs": "mode_preferences", "true_suite": "mode", "proxy_suite": "gsm8k"}]},
            {},
            "gsm8k is no suite of kind reward",
        ),
    ],
)
def test_variants_that_do_not_learn_from_what_their_name_says_are_refused(language, variants, told) -> None:
    with pytest.raises(InputError, match=told):
        configured(language, variants)


def test_the_paper_s_scale_is_the_same_grid_on_real_prompts_and_a_real_reward_model() -> None:
    files = layers(Path("studies/mode_seeking/paper.yaml"))
    atlas = configured(files=files)
    needs = Studies(atlas, rooms(atlas)).all
    assert needs.sources == ["ultrafeedback_preferences"] and needs.learned_scorers == []
    assert {atlas.scorers[atlas.training.variant(run.variant).online.scorer].model for run in needs.runs[-2:]} == {
        "Skywork/Skywork-Reward-Llama-3.1-8B-v0.2"
    }
    assert {run.policy for run in needs.runs} == {"zephyr_sft"} and len(needs.runs) == 3 * 10
    assert {suite for _, suite in needs.measured} == {"helpful", "helpful_proxy"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"heads": 3}, "32 is no multiple of 3 heads"),
        ({"reuse": [1, 1000]}, "1000 is more than the 100 steps"),
        ({"offline_reuse": 7}, "does not divide the 100 steps"),
        ({"evaluated_every": 7}, "does not divide the 100 steps"),
        ({"differ": [1, 10]}, "responses have 9 tokens"),
        ({"reuse": [2, 5]}, "claims compare with samples of every step"),
        ({"reuse": [1, 3]}, "3 times 10 steps between measurements do not divide"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, told) -> None:
    with pytest.raises(InputError, match=told):
        configured(**changes)


def runs(**changes) -> list[dict]:
    """Two seeds and learning rates of one row of the table; the second rate ends better and starts worse."""
    rows = []
    for rate, seed, (step, reward) in [
        (0.1, 0, (0, 0.2)), (0.1, 0, (9, 0.5)), (0.1, 1, (0, 0.2)), (0.1, 1, (9, 0.5)),
        (0.2, 0, (0, 0.1)), (0.2, 0, (9, 0.9)), (0.2, 1, (0, 0.1)), (0.2, 1, (9, 0.7)),
    ]:  # fmt: skip
        values = ["dpo", "far", True, 1, True, rate, seed, step, 10 * step, reward]
        rows.append(dict(zip(layout.RUNS, values, strict=True)) | changes)
    return rows


def test_rows_are_means_at_the_learning_rate_that_ends_best() -> None:
    frame = pd.DataFrame([*runs(), *runs(on_policy=False, reward=0.3), *runs(shifted=False, reward=0.4)])
    assert set(at_best_rate(frame)["learning_rate"]) == {0.1, 0.2}  # where all are equal, the smaller
    rows = bandit.rows(frame)
    assert [(row["samples_from"], row["negative_gradient"]) for row in rows] == [
        ("reference", "yes"),
        ("policy", "yes"),
    ]
    offline, own = rows
    assert (own["reward"], own["learning_rate"], own["n_seeds"]) == (pytest.approx(0.8), 0.2, 2)
    assert own["reward_se"] == pytest.approx(0.1) and own["samples"] == 90
    assert own["reward_unshifted"] == pytest.approx(0.4) and offline["reward_unshifted"] is None
    curves = bandit.curves(frame)
    assert [(row["step"], row["reward"]) for row in curves[2:]] == [(0, pytest.approx(0.1)), (9, pytest.approx(0.8))]


def test_the_rows_of_an_optimum_stand_together_in_the_order_of_the_methods() -> None:
    mixed = [runs(optimum=optimum, method=method) for method in ("ppo", "best_of_n") for optimum in ("far", "near")]
    rows = bandit.rows(pd.DataFrame([row for each in zip(*mixed, strict=True) for row in each]))
    found = [(row["optimum"], row["method"]) for row in rows]
    assert found == [("far", "best-of-n"), ("far", "PPO"), ("near", "best-of-n"), ("near", "PPO")]


def test_the_section_shows_a_row_for_each_method_and_a_column_for_each_source() -> None:
    frame = pd.DataFrame(bandit.rows(pd.DataFrame([*runs(), *runs(on_policy=False, reward=0.3)])))
    table = shown(frame.drop(columns=bandit.UNSHIFTED))
    assert table.columns == ["reference’s", "own, every step"]
    (row,) = table.rows
    assert row.labels == ["DPO", "yes"] and row.group == "optimum far"
    assert [cell.value for cell in row.cells] == [pytest.approx(0.3), pytest.approx(0.8)]


def test_a_method_is_named_in_the_figure_where_it_ends_far_from_its_kind() -> None:
    assert axes.apart([0.3, 0.9, 0.9], [0.4, 0.1, 0.8]) is None
    assert axes.apart([0.3, 0.9, 0.9], [0.7, 0.5, 0.7]) == 0
    assert axes.apart([0.3, 0.9, 0.9], [0.6, 0.5, 0.4]) == 2


def test_files_that_are_no_runs_are_refused(tmp_path) -> None:
    (tmp_path / "dpo.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"dpo\.csv.*is no table of runs"):
        read_runs([tmp_path / "dpo.csv"])
    with pytest.raises(InputError, match="not readable"):
        read_runs([tmp_path / "none.csv"])


@pytest.mark.slow
def test_tables_figures_section_and_page_in_miniature(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    house.turn_on("mode_seeking")
    tiny = {"seeds": [0, 1], "steps": 4, "reuse": [1, 2], "offline_reuse": 2, "evaluated_every": 2, "evaluated_on": 4}
    house.configure("mode_seeking", "bandit", tiny | {"prompts": 2, "samples": 3, "width": 8})
    house.configure("mode_seeking", "language", {"seeds": [0], "rewards": REWARDS})
    house.configure("sources", "world_lengths", {"prompts": 40})
    house.configure("evaluation", "suites", "skewed", {"size": 12})
    house.configure("scorers", "skewed_model", {"hidden_size": 16, "layers": 1, "heads": 2, "epochs": 1})
    house.snakemake()
    assert house.planned() == {}
    table = pd.read_csv(house.folder / "results/tables/mode_seeking/bandit.csv")
    assert len(table) == 2 * 8 * 3 and table[["reward", "reward_se"]].notna().all(axis=None)
    assert (table["reward_unshifted"].isna() == (table["reuse"] == 2) & (table["samples_from"] == "policy")).all()
    language = pd.read_csv(house.folder / "results/tables/mode_seeking/language.csv")
    assert len(language) == 1 + 10 and language[["true", "proxy"]].notna().all(axis=None)
    claims = read_claims(house.folder / "results/claims/mode_seeking.csv")
    assert {"reuse_gain", "chosen.alike", "language_complementary"} <= set(claims["claim"])
    assert "Own samples" in (house.folder / "results/sections/mode_seeking.html").read_text()
    assert "mode_seeking.bandit" in (house.folder / "results/report.html").read_text()
    house.configure("mode_seeking", "bandit", "dpo_beta", 0.1)
    assert house.planned()["mode_seeking_bandit"] == 8
