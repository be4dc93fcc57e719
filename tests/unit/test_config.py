"""The configuration: impossible settings are refused with file, line and remedy, before any job starts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lib.config.objectives import objective_options
from scripts.lib.config.root import json_schema
from scripts.lib.config.training import TrainingSpec
from scripts.lib.errors import InputError
from scripts.workflow.configuration import checked, types
from tests.configurations import DEFAULT, OVERLAYS, layers, merged


@pytest.mark.parametrize("overlay", [None, *OVERLAYS], ids=lambda path: str(path) if path else "config.yaml")
def test_every_configuration_in_the_repository_is_valid(overlay: Path | None) -> None:
    files = layers(overlay)
    config = checked({"data": "somewhere", **merged(*files)}, files)
    assert all(getattr(config, study) is not None for study in config.studies)


def test_the_schema_for_editors_is_that_of_the_types() -> None:
    assert json.loads(Path("config.schema.json").read_text()) == json_schema(types()), "run `make schema`"


def line_of(text: str) -> str:
    """file:line of the line of the default configuration that begins with this text."""
    found = [
        f"{file}:{number}:"
        for file in DEFAULT
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.lstrip().startswith(text)
    ]
    (place,) = found[:1] if text in ("training:", "pairs:") else found
    return place


def refused(change) -> str:
    raw = merged(*DEFAULT)
    change(raw)
    with pytest.raises(InputError) as error:
        checked(raw, DEFAULT)
    assert "remedy: " in str(error.value)
    return str(error.value)


def put(*path_and_value):
    *path, key, value = path_and_value

    def change(raw: dict) -> None:
        for part in path:
            raw = raw[part]
        raw[key] = value

    return change


def both(one, other):
    return lambda raw: (one(raw), other(raw))


def supervised(**changes):
    """The change that adds a policy supervised on conversations, and their source."""
    entry = {"kind": "supervised", "start": "medium", "demonstrations": "talk", "max_length": 128}
    talk = {"kind": "conversations", "path": "talk.jsonl"}
    return both(put("sources", "talk", talk), put("policies", "taught", entry | changes))


ON_POLICY = ("samples", "on_policy")
BEST_LOW = ("pairs", "open_assistant_best_low")


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (put("training", "betta", 0.3), "training:", ["unknown key training.betta", "beta", "objective"]),
        (put("trainig", {}), None, ["unknown key trainig", "training"]),
        (put("training", "beta", -1), "beta:", ["greater than 0", "-1"]),
        (put("training", "beta", float("nan")), "beta:", ["training.beta"]),
        (put("training", "objective", "dpoo"), "training:", ["no objective 'dpoo'", "dpo"]),
        (put("training", "variants", "dpo", {"lr": 1}), "training:", ["lr"]),
        (put(*BEST_LOW, "chosen", "worst"), "open_assistant_best_low:", ["tier above"]),
        (put(*BEST_LOW, "chosen", "bestest"), "open_assistant_best_low:", ["bestest", "best"]),
        (put(*BEST_LOW, "scorer", "oracel"), "open_assistant_best_low:", ["no scorers 'oracel'", "oracle"]),
        (put("sources", "world_mistral", "kind", "wrld"), "world_mistral:", ["wrld", "world"]),
        (put("sources", "world_mistral", "promts", 3), "world_mistral:", ["unknown key", "promts"]),
        (put("prompt_sets", "open_assistant", "sources", ["x"]), "sources: [world_open_assistant]", ["no sources 'x'"]),
        (put("prompt_sets", "a/../b", {"sources": ["world_mistral"]}), "prompt_sets:", ["pattern"]),
        (put("what_matters", "seeds", []), "seeds:", ["at least 1"]),
        (put("what_matters", "benchmarks", ["gsm9k"]), "benchmarks:", ["gsm9k", "gsm8k"]),
        (put("evaluation", "suites", "mmlu", "task", "mmlu"), "mmlu:", ["does not go with data"]),
        (put(*ON_POLICY, "engine", {"tensor_parallel_size": 2}), "on_policy:", ["engine is for backend vllm"]),
        (put(*ON_POLICY, "backend", "vlm"), "on_policy:", ["'transformers' or 'vllm'", "'vlm'"]),
        (put("training", "watch", "uf", "watched_ultrafeedback"), "watch:", ["no prompt_sets 'uf'"]),
        (put("training", "watch", "ultrafeedback", "own"), "watch:", ["no samples 'own'"]),
        (put("training", "watch", "ultrafeedback", "on_policy"), "watch:", ["sampled from medium alone"]),
        (put("training", "watch", "ultrafeedback", "watched_open_assistant"), "watch:", ["answers open_assistant"]),
        (supervised(demonstrations="world_mistral"), "policies:", ["world_mistral is of kind world", "conversations"]),
        (supervised(start="taught"), "policies:", ["taught starts from itself"]),
        (supervised(start="nobody"), "policies:", ["no policies 'nobody'"]),
        (supervised(max_length=129), "policies:", ["learns from 129 tokens, and medium takes 128"]),
        (
            both(supervised(), put("prompt_sets", "demonstrations", "sources", ["talk"])),
            None,
            ["source talk holds whole conversations"],
        ),
        (
            both(
                put("policies", "own", {"kind": "given", "model": "a/b", "trust_remote_code": True}),
                supervised(start="own"),
            ),
            "policies:",
            ["own runs code of its own"],
        ),
        (both(put(*ON_POLICY, "backend", "vllm"), put(*ON_POLICY, "num_beams", 3)), "on_policy:", ["num_beams to 1"]),
    ],
)
def test_mistakes_are_refused_with_line_and_remedy(change, line: str | None, told: list[str]) -> None:
    message = refused(change)
    if line is not None:
        assert line_of(line) in message
    for text in told:
        assert text in message


@pytest.mark.parametrize("name", sorted(objective_options()))
def test_options_of_an_objective_are_known_by_name(name) -> None:
    options = objective_options()[name] - {"beta"}
    TrainingSpec(variants={"x": {"objective": name, "beta": 0.2, "options": dict.fromkeys(options, 0.5)}})
    for unknown in ("tau", "beta"):
        message = refused(put("training", "variants", "x", {"objective": name, "options": {unknown: 0.5}}))
        assert f"{name} has no option {unknown}; it takes" in message
        assert all(option in message for option in options)


@pytest.mark.parametrize(
    ("name", "option", "least"),
    [
        ("ipo", "eta", "greater than 0"),
        ("flex_dpo", "beta_rejected", "greater than 0"),
        ("slic", "eta", "greater than or equal to 0"),
        ("dpop", "lam", "greater than or equal to 0"),
    ],
)
def test_options_of_an_objective_have_bounds(name, option, least) -> None:
    message = refused(put("training", "variants", "x", {"objective": name, "options": {option: -0.5}}))
    assert f"option {option} of {name}: Input should be {least}, and it is -0.5" in message


def test_all_mistakes_are_told_at_once() -> None:
    def change(raw: dict) -> None:
        raw["training"]["beta"] = -1
        raw["pairs"]["open_assistant_best_low"]["chosen"] = "x"

    message = refused(change)
    assert "2 mistakes" in message and "beta" in message and "open_assistant_best_low" in message


def test_a_mistake_is_traced_to_the_file_that_lies_on_top(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("# mine\ntraining:\n  epochs: 2\n  beta: 0\n")
    with pytest.raises(InputError, match=r"over\.yaml:4: training\.beta"):
        checked(merged(over, *DEFAULT), [over, *DEFAULT])


def test_a_missing_data_folder_is_asked_for(tmp_path: Path) -> None:
    raw = merged(*DEFAULT)
    raw["sources"]["mine"] = {"kind": "responses", "path": "{data}/mine.jsonl"}
    with pytest.raises(InputError, match="--config data="):
        checked(raw, DEFAULT)
    config = checked({**raw, "data": "/folder/"}, DEFAULT)
    assert config.sources["mine"].path == "/folder/mine.jsonl"


def test_objectives_are_known_without_torch() -> None:
    code = (
        "import sys; import scripts.lib.config.root; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {"dpo", "sft"} <= set(objective_options())


def test_a_variant_departs_from_the_defaults_in_what_it_names() -> None:
    spec = TrainingSpec(beta=0.2, variants={"dpo": {}, "hot": {"learning_rate": 1e-3}})
    assert spec.variant("dpo").beta == spec.variant("hot").beta == 0.2
    assert spec.variant("hot").learning_rate == 1e-3 != spec.variant("dpo").learning_rate
    with pytest.raises(ValueError, match="variants"):
        TrainingSpec(variants={"x": {"variants": {}}})


HELD_OUT = {"kind": "preference", "pairs": "open_assistant_comparisons"}
TRUE_REWARD = {"kind": "reward", "scorer": "oracle", "samples_of": "lc_ae2"}


@pytest.mark.parametrize(
    ("suite", "sections", "message"),
    [
        (TRUE_REWARD, {}, None),
        (TRUE_REWARD | {"samples_of": "mmlu"}, {}, "mmlu is no suite of kind win_rate or reward"),
        (TRUE_REWARD | {"samples_of": "true_reward"}, {}, "true_reward has no samples of its own"),
        (
            TRUE_REWARD | {"scorer": "came"},
            {"scorers": {"came": {"kind": "annotation", "annotation": "rank"}}},
            "came with the data",
        ),
        (HELD_OUT, {}, None),
        (
            {"kind": "boundary", "pairs": "open_assistant_comparisons", "samples": "own", "scorer": "oracle"},
            {
                "samples": {"own": {"prompt_set": "open_assistant", "samples": 2}},
                "prompt_sets": {"open_assistant": {"sources": ["world_open_assistant"], "unseen_by": ["mine"]}},
            },
            "which are its own",
        ),
        (
            HELD_OUT,
            {"prompt_sets": {"open_assistant": {"sources": ["world_open_assistant"], "unseen_by": ["mine"]}}},
            "which are its own",
        ),
        (
            HELD_OUT | {"pairs": "own_pairs"},
            {
                "samples": {"own": {"prompt_set": "open_assistant", "samples": 2}},
                "pairs": {"own_pairs": {"kind": "ranked", "samples": "own", "scorer": "oracle"}},
            },
            "for every start of a run",
        ),
    ],
)
def test_suites_without_a_judge_fit_the_rest(suite, sections, message) -> None:
    def change(raw: dict) -> None:
        raw["evaluation"]["suites"]["mine"] = suite
        for section, entries in sections.items():
            raw[section] |= entries

    if message:
        assert message in refused(change)
    else:
        raw = merged(*DEFAULT)
        change(raw)
        assert checked(raw, DEFAULT).evaluation.suites["mine"].kind == suite["kind"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("pairs", "gap_lg_hq", "chosen_above"), "nothing", "no pairs 'nothing'"),
        (
            ("pairs", "gap_lg_hq", "sources"),
            ["world_mistral", "world_open_assistant"],
            "world_open_assistant is no source",
        ),
        (("pairs", "gap_sg_hq", "chosen_above"), "gap_lg_hq", "gap_sg_hq is made from itself"),
        (("pairs", "gap_sg_hq_inverse", "rejected_of"), "open_assistant_best_low", "use datasets over one prompt set"),
        (("samples", "on_policy", "prompt_set"), "open_assistant", "the base is of ultrafeedback"),
        (("samples", "on_policy", "policy"), "huge", "no policies 'huge'"),
        (("training", "variants", "online_dpo"), {}, "is named for online DPO and is not online"),
        (("training", "variants", "dpo"), {"online": {}}, "variant dpo is online"),
        (("what_matters", "headline"), "nope", "no evaluation.suites 'nope'"),
        (("what_matters", "table4", "low", "mixtures"), ["on_policy_high_10"], "is no mixture over"),
        (("prompt_sets", "ultrafeedback", "generators"), ["on_policy"], "give the sample set another name"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_their_line(path, value, message) -> None:
    raw = merged(*DEFAULT)
    part = raw
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        checked(raw, DEFAULT)
    assert ".yaml:" in str(caught.value) and "remedy" in str(caught.value)
