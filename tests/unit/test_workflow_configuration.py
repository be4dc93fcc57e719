"""The files of a configuration: studies' fragments, config.yaml over them, overlays; or one standalone file."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from scripts.lib.errors import InputError
from scripts.workflow import configuration, rooms
from scripts.workflow.code import Code, modules_of_room

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two rooms with fragments, both on."""
    monkeypatch.setattr(configuration, "STUDIES", ("one", "other"))
    write(tmp_path / "config.yaml", {"studies": ["one", "other"], "training": {"beta": 0.1}})
    write(tmp_path / "studies/one/didactic.yaml", {"pairs": {"a": {"kind": "labelled", "prompt_set": "p"}}, "one": {}})
    write(tmp_path / "studies/other/didactic.yaml", {"training": {"variants": {"slow": {}}}, "other": {}})
    return tmp_path


def write(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(value))


def names(found: list[Path], repository: Path) -> list[str]:
    return [path.relative_to(repository).as_posix() for path in found]


def test_config_yaml_is_laid_over_the_fragments_of_the_studies_that_are_on(repository) -> None:
    both = ["studies/one/didactic.yaml", "studies/other/didactic.yaml", "config.yaml"]
    assert names(configuration.defaults(repository, {}), repository) == both
    assert names(configuration.defaults(repository, {"studies": ["other"]}), repository) == both[1:]
    assert names(configuration.defaults(repository, {"studies": []}), repository) == both[2:]


def test_a_configuration_can_stand_alone(repository) -> None:
    assert configuration.defaults(repository, {"standalone": True, "studies": ["one"]}) == []
    assert configuration.defaults(repository, {"standalone": False}) != []


def test_two_rooms_cannot_give_one_name_to_two_things(repository) -> None:
    same = {"pairs": {"a": {"kind": "labelled", "prompt_set": "p"}}, "other": {}}
    write(repository / "studies/other/didactic.yaml", same)
    assert len(configuration.defaults(repository, {})) == 3  # the same entry is no contradiction
    same["pairs"]["a"]["prompt_set"] = "q"
    write(repository / "studies/other/didactic.yaml", same)
    with pytest.raises(InputError, match=r"pairs\.a is also an entry of .*studies/one/didactic\.yaml"):
        configuration.defaults(repository, {})


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"training": {"beta": 0.5}}, r"sets training\.beta, which all studies share"),
        ({"one": {"policy": "x"}}, "sets one, which all studies share"),
        ({"studies": ["one"]}, "sets studies, which all studies share"),
        ({"standalone": True}, "sets standalone"),
    ],
)
def test_a_fragment_changes_nothing_that_is_shared(repository, says, told) -> None:
    write(repository / "studies/other/didactic.yaml", says)
    with pytest.raises(InputError, match=told):
        configuration.defaults(repository, {})


def a_rule(file: Path, output: str):
    return SimpleNamespace(name="mine", snakefile=str(file), output=[output])


def test_a_room_s_rules_set_no_name_for_others(tmp_path) -> None:
    file = tmp_path / "studies/one/rules.smk"
    before = {"SPEC": "theirs", "code": object()}
    rooms.check(file, before, dict(before), [])
    for changed in (before | {"SPEC": "mine"}, before | {"NEW": 1}):
        with pytest.raises(InputError, match="for the rules of all studies"):
            rooms.check(file, before, changed, [])


def test_a_room_s_rules_write_to_its_own_folders_and_files(tmp_path) -> None:
    file = tmp_path / "studies/one/rules.smk"
    for own in ("results/tables/one/x.csv", "results/one.html"):
        rooms.check(file, {}, {}, [a_rule(file, own), a_rule(tmp_path / "rules/pairs.smk", "a/b")])
    with pytest.raises(InputError, match=r"results/tables/other/x\.csv, which is in no folder of the study"):
        rooms.check(file, {}, {}, [a_rule(file, "results/tables/other/x.csv")])


def test_a_study_s_fingerprint_follows_its_modules_and_what_they_reach(tmp_path) -> None:
    """A changed line of an imported module counts, in the room or in scripts; a comment and other rooms do not."""
    files = {
        "studies/one/table.py": "from studies.one import layout\nfrom scripts.lib.x import used\nused(layout.rows())\n",
        "studies/one/layout.py": "def rows(): return 1\n",
        "studies/one/unread.py": "def other(): return 1\n",
        "scripts/lib/x.py": "def used(x): return x\n\n\ndef unused(x): return -x\n",
    }

    def digest(changes: dict[str, str], folder: str) -> list[str]:
        for path, text in (files | changes).items():
            target = tmp_path / folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return Code(tmp_path / folder).of("studies.one.table")

    first = digest({}, "a")
    assert modules_of_room("studies.one.table", tmp_path / "a") == {"studies.one.table", "studies.one.layout"}
    for at, (path, old, new, counts) in enumerate(
        [
            ("studies/one/layout.py", "return 1", "return 2", True),
            ("scripts/lib/x.py", "return x", "return x + 1", True),
            ("scripts/lib/x.py", "return -x", "return x", False),
            ("studies/one/unread.py", "return 1", "return 2", False),
            ("studies/one/layout.py", "return 1", "return 1  # one", False),
        ]
    ):
        assert (digest({path: files[path].replace(old, new)}, f"b{at}") != first) == counts, (path, new)


def test_every_rule_file_is_read_when_the_rules_are_digested(tmp_path) -> None:
    write(tmp_path / "Snakefile", {})
    for name in ("rules/a.smk", "studies/one/rules.smk"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("rule x:\n    output: 'y'\n")
    first = Code(tmp_path).rules()
    (tmp_path / "studies/one/rules.smk").write_text("# a remark\nrule x:\n    output: 'y'\n")
    assert Code(tmp_path).rules() == first
    (tmp_path / "studies/one/rules.smk").write_text("rule x:\n    output: 'z'\n")
    assert Code(tmp_path).rules() != first


def test_the_register_names_rooms_that_are_there() -> None:
    assert set(configuration.STUDIES) == {path.parent.name for path in (ROOT / "studies").glob("*/study.py")}, (
        "a room is on the register of scripts/studies/register.py, and nothing else is"
    )
