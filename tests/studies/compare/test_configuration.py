"""The study's key: what it asks to be trained and measured, and what is refused with what remedy."""

import copy
import re

import pytest
import yaml

from scripts.lib.errors import InputError
from scripts.workflow.configuration import checked, rooms
from scripts.workflow.needs import Studies
from studies.compare import layout
from studies.compare.config import KEY, columns_of
from tests.workflow.house import ROOT


@pytest.fixture
def raw(configuration) -> dict:
    return yaml.safe_load(configuration)


@pytest.fixture
def refused(raw, tmp_path):
    """The message for the documented configuration with some of the study's keys changed; None takes one out."""

    def message(**changes) -> str:
        changed = copy.deepcopy(raw)
        changed["compare"] |= changes
        changed["compare"] = {key: value for key, value in changed["compare"].items() if value is not None}
        file = tmp_path / "mine.yaml"
        file.write_text(yaml.safe_dump(changed, sort_keys=False))
        with pytest.raises(InputError) as error:
            checked(changed, [file])
        return str(error.value)

    return message


def room(raw: dict, **changes):
    changed = raw | {"compare": raw["compare"] | changes}
    return rooms(checked(changed, []))["compare"]


def test_the_documented_configuration_is_at_most_fifteen_lines(configuration, raw) -> None:
    assert len(configuration.splitlines()) <= 15
    assert max(map(len, configuration.splitlines())) <= 120
    assert raw["standalone"] is True


def test_comparisons_with_a_winner_can_be_compared_as_they_are_documented(raw) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/sources.md").read_text(), re.DOTALL)
    [documented] = [yaml.safe_load(block) for block in blocks if "sources:" in block]
    raw["sources"]["theirs"] = documented["sources"]["arena"]
    raw["sources"]["mine"] = documented["sources"]["llmbar"]
    assert Studies(checked(raw, []), {"compare": room(raw)}).all.sources


@pytest.mark.parametrize(
    ("changes", "told", "remedy"),
    [
        ({"datasets": ["mine", "thiers"]}, "no pairs 'thiers'", "use one of mine, theirs"),
        ({"baseline": "thiers"}, "thiers is none of the datasets of the study", "use one of mine, theirs; or policy"),
        ({"baseline": None}, "compare.baseline is missing", "add it"),
        ({"datasets": ["theirs"]}, "nothing to compare", "add a dataset or a second variant, or set baseline: policy"),
        ({"datasets": []}, "at least 1 item", "set a value that fits"),
        ({"datasets": ["mine", "mine"]}, "names mine twice", "set a value that fits"),
        ({"suites": None}, "compare.suites is missing", "add it"),
        ({"suites": ["gsm9k"]}, "no evaluation.suites 'gsm9k'", "use one of gsm8k"),
        ({"seeds": []}, "at least 1 item", "set a value that fits"),
        ({"variants": ["ipo"]}, "no training.variants 'ipo'", "use one of dpo"),
        ({"policy": "llama"}, "no policies 'llama'", "use one of my-model"),
        ({"dataset": ["mine"]}, "unknown key compare.dataset", "known here: policy, datasets"),
    ],
)
def test_mistakes_are_refused_with_their_line_and_a_remedy(refused, changes, told, remedy) -> None:
    message = refused(**changes)
    assert told in message and remedy in message
    assert "mine.yaml:" in message


def test_a_dataset_cannot_be_called_as_the_start_is(raw) -> None:
    raw["pairs"]["policy"] = raw["pairs"]["mine"]
    with pytest.raises(
        InputError, match=r"policy is also what baseline calls the start(.|\n)*another name under pairs"
    ):
        room(raw, datasets=["mine", "policy"], baseline="policy")


@pytest.mark.parametrize("name", [*KEY, *columns_of("gsm8k")[1:]])
def test_no_two_columns_of_the_table_have_one_name(raw, name) -> None:
    raw["evaluation"]["suites"][name] = raw["evaluation"]["suites"]["gsm8k"]
    with pytest.raises(InputError, match=f"{name} is also another column"):
        room(raw, suites=["gsm8k", name])


def test_the_policy_and_every_run_are_measured_on_every_suite(raw) -> None:
    raw["evaluation"]["suites"]["other"] = raw["evaluation"]["suites"]["gsm8k"]
    raw["training"]["variants"] = {"dpo": {}, "ipo": {"objective": "ipo"}}
    study = room(raw, suites=["gsm8k", "other"], variants=["ipo", "dpo"], seeds=[0, 1])
    runs = [
        f"my-model.{dataset}.{variant}.s{seed}"
        for dataset in ("mine", "theirs")
        for variant in ("ipo", "dpo")
        for seed in (0, 1)
    ]
    assert study.measured == [(policy, suite) for policy in ("my-model", *runs) for suite in ("gsm8k", "other")]
    assert set(study.names) == {"mine", "theirs"}
    assert layout.baseline(study.spec).name == "theirs (ipo)"
    assert [group.name for group in layout.candidates(study.spec)] == ["mine (ipo)", "mine (dpo)", "theirs (dpo)"]
    assert study.lead == (
        "mine (ipo), mine (dpo), theirs (dpo) against theirs (ipo): ipo, dpo from the policy my-model, 2 seeds."
    )


@pytest.mark.parametrize(
    ("changes", "baseline", "candidates"),
    [
        ({}, "theirs", ["mine"]),
        ({"baseline": "mine"}, "mine", ["theirs"]),
        ({"baseline": "policy"}, "untrained my-model", ["mine", "theirs"]),
        ({"baseline": "policy", "datasets": ["mine"]}, "untrained my-model", ["mine"]),
        ({"seeds": [5]}, "theirs", ["mine"]),
    ],
)
def test_all_that_is_trained_is_compared_with_the_baseline(raw, changes, baseline, candidates) -> None:
    study = room(raw, **changes)
    assert layout.baseline(study.spec).name == baseline
    assert [group.name for group in layout.candidates(study.spec)] == candidates


def test_a_step_names_all_that_it_reads(raw) -> None:
    """What stands on a command line as a file is an input of the step."""
    study = room(raw)
    targets = Studies(study.atlas, {"compare": study}).targets("compare")
    assert set(targets) >= {study.table("comparison"), study.table("results"), *study.figure("forest")}
    for step in (*study.tables.values(), *study.figures.values(), study.section):
        assert set(step.reads) >= {word for word in step.arguments if word.endswith((".csv", ".svg", ".parquet"))}
    for table in study.tables.values():
        assert table.reads == [f"results/evaluations/{policy}/{suite}.json" for policy, suite in study.measured]
