"""Any configuration is either refused with file, line and remedy, or can be run."""

import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.lib import lineage
from scripts.lib.config import files, root
from scripts.lib.errors import InputError
from scripts.workflow.configuration import checked, rooms
from tests.configurations import DEFAULT, OVERLAYS, layers, merged
from tests.workflow.house import House

CONFIGURATIONS = [layers(), *(layers(overlay) for overlay in OVERLAYS)]
WHOLE = {str(files[0]): {"data": "somewhere", **merged(*files)} for files in CONFIGURATIONS}
FILES = {str(files[0]): files for files in CONFIGURATIONS}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
PART = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""What may be between the dots of a file name under results/."""

NAMES = [
    "",
    ".",
    "..",
    "../x",
    "/etc/passwd",
    "a/b",
    "a b",
    "a\n",
    "a\0",
    "{source}",
    "*",
    "$(x)",
    "-x",
    "a.b",
    "x" * 500,
]
NAMES += ["\ud800", "é", "ａ", "con:", "a\\b", "~", "a;b", "a'b", 'a"b']
VALUES = [None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 10**400, 1.5, -0.0, 1e-320, 1e308]
VALUES += [float("nan"), float("inf"), -float("inf"), b"bytes", date(2020, 1, 1), {1}, (1, 2)]
VALUES += [
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    {1: 2},
    {None: None},
    {True: "x"},
    {"kind": "given"},
    {"kind": []},
    "{data}",
    "no",
]
HOSTILE = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from([*NAMES, "{data}", "no"]),
    st.sampled_from(NAMES).map(lambda name: [name, name]),
    st.sampled_from(NAMES).map(lambda name: {name: {}}),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
)


def places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """The path to every value in a configuration, except the configuration itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*at, key)
        yield from places(item, (*at, key))


PLACES = {name: list(places(whole)) for name, whole in WHOLE.items()}


def holds(part: Any, key: Any) -> bool:
    return key in part if isinstance(part, dict) else isinstance(part, list) and key in range(len(part))


@st.composite
def damaged(draw) -> tuple[dict, list[Path]]:
    """A configuration of the repository with one to three parts removed, renamed, replaced or moved."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    raw = copy.deepcopy(WHOLE[name])
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(PLACES[name]))
        part = raw
        for step in path:
            part = part[step] if holds(part, step) else None
        if not holds(part, key):
            continue
        change = draw(st.sampled_from(["remove", "rename", "replace", "replace", "transplant", "repeat"]))
        if change == "remove":
            del part[key]
        elif change == "rename" and isinstance(part, dict):
            part[draw(st.one_of(st.sampled_from(NAMES), st.sampled_from([1, None, True, 1.5]), st.text()))] = part.pop(
                key
            )
        elif change == "repeat" and isinstance(part, list):
            part.append(part[key])
        elif change == "transplant":
            part[key] = copy.deepcopy(WHOLE[name])
            for step in draw(st.sampled_from(PLACES[name])):
                part[key] = part[key][step]
        else:
            part[key] = copy.deepcopy(draw(HOSTILE))
    return raw, FILES[name]


def check_that_it_can_run(atlas: root.AtlasConfig) -> None:
    """What is accepted is also valid as read by the steps, and no name in it leads out of results/."""
    text = atlas.model_dump_json()
    assert type(atlas).model_validate_json(text) == atlas
    text.encode()
    sections = [
        atlas.sources,
        atlas.prompt_sets,
        atlas.scorers,
        atlas.rankers,
        atlas.pairs,
        atlas.policies,
        atlas.samples,
    ]
    sections += [atlas.training.variants, atlas.evaluation.suites, atlas.hardware]
    assert all(NAME.fullmatch(name) for section in sections for name in section)
    for prompt_set in atlas.prompt_sets:
        for family in lineage.families_of(atlas, prompt_set):
            assert all(PART.fullmatch(part) for part in family.split("."))
    for dataset in atlas.pairs:
        assert lineage.prompt_set_behind(atlas, dataset) in atlas.prompt_sets
    for room in rooms(atlas).values():
        for policy, suite in room.measured:
            assert suite in atlas.evaluation.suites
            for run in lineage.lineage_of(policy):
                assert lineage.Run.parse(run.name) == run
                assert run.policy in atlas.policies and lineage.without_draw(run.pairs) in atlas.pairs
                assert atlas.training.variant(run.variant)


def refused_or_runnable(raw: dict, layers: list[Path]) -> None:
    try:
        atlas = checked(raw, layers)
    except InputError as error:
        message = str(error)
        message.encode()
        mistakes = message.count("\n  remedy: ")
        named = len(re.findall(r"\.yaml:\d+: |--config on the command line: ", message))
        assert mistakes and named >= mistakes - message.startswith("configuration: "), message
        assert len(message) < 1000 * (mistakes + 1)
    else:
        check_that_it_can_run(atlas)


QUICK = settings(max_examples=150, suppress_health_check=list(HealthCheck), derandomize=True)


@QUICK
@given(damaged())
def test_a_damaged_configuration_is_refused_or_can_run(case) -> None:
    refused_or_runnable(*case)


@pytest.mark.slow
@settings(QUICK, max_examples=3000, derandomize=False)
@given(damaged())
def test_many_damaged_configurations_are_refused_or_can_run(case) -> None:
    refused_or_runnable(*case)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WHOLE))
def test_every_key_of_every_configuration_with_every_value(name: str) -> None:
    """Each place with a few of the values in turn, so that every value is tried in hundreds of places."""
    for at, (*path, key) in enumerate(PLACES[name]):
        for value in [*VALUES, *NAMES][at % 14 :: 14]:
            raw = copy.deepcopy(WHOLE[name])
            part = raw
            for step in path:
                part = part[step]
            part[key] = value
            refused_or_runnable(raw, FILES[name])


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("pairs", "gap_sg_hq", "mean_chosen"), float("nan"), "finite"),
        (("what_matters", "seeds"), [-1], "greater than or equal to 0"),
        (("what_matters", "seeds"), [0, 0], "names 0 twice"),
        (("what_matters", "benchmarks"), ["gsm8k", "lc_ae2", "gsm8k"], "names gsm8k twice"),
        (("training", "epochs"), True, "true or false"),
        (("policies", "zephyr"), {"kind": "given", "model": ""}, "at least 1 character"),
        (("prompt_sets", "ultrafeedback", "generators"), ["x" * 300], "more than 128"),
    ],
)
def test_what_a_later_step_would_have_tripped_over(path, value, told) -> None:
    raw = copy.deepcopy(WHOLE["config.yaml"])
    part = raw
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(InputError, match=told) as error:
        checked(raw, DEFAULT)
    assert ".yaml:" in str(error.value)


def test_an_integer_without_measure_is_refused() -> None:
    """With more digits than Python converts to text."""
    raw = copy.deepcopy(WHOLE["config.yaml"])
    raw["training"]["beta"] = int("9" * 4000) ** 2
    with pytest.raises(InputError, match=r"config\.yaml:\d+: training\.beta: an integer of more than 64 bits"):
        checked(raw, DEFAULT)


def test_a_configuration_within_itself_or_without_end_is_refused() -> None:
    circle: dict = {}
    circle["on"] = circle
    laughs: list = ["ha"]
    for _ in range(30):
        laughs = [laughs] * 9
    for hostile in (circle, laughs, [circle, laughs]):
        for section in ("training", "sources", "elsewhere"):
            with pytest.raises(InputError, match="without YAML anchors"):
                checked({**WHOLE["config.yaml"], section: hostile}, DEFAULT)


LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training:\n\tbeta: 0.2\n", r"over\.yaml:2: no plain YAML"),
        ("training:\n  beta: 0.2\n  epochs: 1\n  beta: 0.3\n", r"over\.yaml:4: no plain YAML: beta stands twice"),
        ("training: {beta: 0.2}\npairs: {}\ntraining: {}\n", r"over\.yaml:3: .*training stands twice"),
        (b"training:\n  beta: 0.2 # \xe9\n", r"over\.yaml:2: not UTF-8"),
        (b"\xff\xfet\x00", r"over\.yaml:1: not UTF-8"),
        ("", r"over\.yaml: is empty"),
        ("# nothing\n", r"over\.yaml: is empty"),
        ("- training\n", r"a list at its top"),
        ("training\n", r"a str at its top"),
        ("training: !!python/object/apply:os.system [touch ran]\n", r"over\.yaml:1: no plain YAML"),
        ("training: !!python/name:os.system\n", r"over\.yaml:1: no plain YAML"),
        ("training: !mine x\n", r"over\.yaml:1: no plain YAML"),
        ("__use_yte__: true\nx: ?open('ran', 'w')\n", "lets the file run code"),
        ("training: *nowhere\n", r"over\.yaml:1: no plain YAML"),
        ("training: {beta: 0.2\n", r"over\.yaml:\d: no plain YAML"),
        ("training: 0.2\n---\ntraining: 0.3\n", r"over\.yaml:\d: no plain YAML"),
        ("training: 2020-13-45\n", "no plain YAML"),
        ("training: \x07\n", "no plain YAML"),
        ("{[1]: 2}: 3\n", "no plain YAML"),
        (f"training: {'[' * 5_000}\n", "nested too deeply|no plain YAML"),
        (LAUGHS, r"more than 200000 values"),
        ("training: &a {x: *a}\n", r"nested more than 40 deep"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, monkeypatch, text: str | bytes, told: str) -> None:
    monkeypatch.chdir(tmp_path)
    over = tmp_path / "over.yaml"
    over.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=told) as error:
        files.check(over)
    assert "\n  remedy: " in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["over.yaml"]


def test_json_is_held_to_the_same(tmp_path: Path) -> None:
    over = tmp_path / "over.json"
    over.write_text('{\n\t"training": {"beta": 0.2}\n}')
    files.check(over)
    for text, told in (
        ('{"a": 1, "a": 2}', "a stands twice"),
        ("{\n1: 2}", r"over\.json:2: broken JSON"),
        ("[1]", "a list"),
    ):
        over.write_text(text)
        with pytest.raises(InputError, match=told):
            files.check(over)
    with pytest.raises(InputError, match="not readable"):
        files.check(tmp_path / "none.yaml")


@settings(QUICK, max_examples=50)
@given(st.data())
def test_a_file_with_bytes_changed_is_refused_or_read_as_snakemake_reads_it(tmp_path_factory, data) -> None:
    whole = bytearray(data.draw(st.sampled_from([path.read_bytes() for path in [*DEFAULT, *OVERLAYS]])))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.one_of(
                st.binary(max_size=3), st.sampled_from([b"\t", b"\n", b"&a ", b"*a", b"- ", b": ", b"{", b'"', b"#"])
            )
        )
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_bytes(whole)
    try:
        files.check(path)
    except InputError as error:
        assert "\n  remedy: " in str(error)
    else:
        read = yaml.load(whole.decode(), Loader=yaml.FullLoader)
        refused_or_runnable({"data": "somewhere", **read}, [path])


def test_snakemake_says_so_before_any_job(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("training:\n  beta: 0.2\n  beta: 0.3\n")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--configfile", str(over), "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and f"{over}:3: no plain YAML: beta stands twice" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_free_text_reaches_the_shell_in_quotes(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    house.configure("evaluation", "suites", "mmlu", "task", "world_mmlu; touch ran")
    done = house.snakemake("--dry-run", "--printshellcmds", "--", "results/suites/mmlu/questions.jsonl")
    assert "--task 'world_mmlu; touch ran'" in done.stdout + done.stderr
