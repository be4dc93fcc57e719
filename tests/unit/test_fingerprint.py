"""Promise P3: a step's fingerprint changes with the code that it can reach, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from scripts.lib import fingerprint as module
from scripts.lib.config.objectives import objective_options

STEP = '''
"""A step."""
from scripts.lib.maths import double
from scripts.lib import shapes
import scripts.lib.registry


def main():
    """Run."""
    return double(shapes.SIDE)
'''
MATHS = '''
"""Maths."""
FACTOR = 2


def double(x):
    """Twice x."""
    return helper(x) * FACTOR


def helper(x):
    return x  # as it is


def unused(x):
    return -x
'''
FILES = {
    "scripts/__init__.py": "",
    "scripts/lib/__init__.py": "",
    "scripts/step.py": STEP,
    "scripts/lib/maths.py": MATHS,
    "scripts/lib/shapes.py": "SIDE = 3\n",
    "scripts/lib/registry.py": (
        "ALL = {}\n\n\ndef register(f):\n    ALL[f.__name__] = f\n    return f\n\n\n"
        "@register\ndef one():\n    return 1\n"
    ),
    "scripts/other.py": "def main():\n    return 0\n",
}


@pytest.fixture
def house(tmp_path: Path):
    def build(**changes: tuple[str, str]) -> str:
        module._fingerprint.cache_clear()
        module._module.cache_clear()
        for name, text in FILES.items():
            old, new = changes.get(Path(name).stem, ("", ""))
            assert old in text
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new) if old else text)
        return module.fingerprint("scripts.step", tmp_path)

    return build


@pytest.mark.parametrize(
    "change",
    [
        {"step": ('"""Run."""', '"""Run it."""')},
        {"step": ("return double(shapes.SIDE)", "return double(  # twice\n        shapes.SIDE\n    )")},
        {"maths": ("# as it is", "# unchanged")},
        {"maths": ("return -x", "return +x")},
        {"maths": ('"""Maths."""', "")},
        {"other": ("return 0", "return 1")},
    ],
    ids=["docstring", "formatting", "comment", "unreached function", "module docstring", "another step"],
)
def test_what_changes_nothing(house, change) -> None:
    assert house(**change) == house()


@pytest.mark.parametrize(
    "change",
    [
        {"step": ("double(shapes.SIDE)", "double(shapes.SIDE) + 1")},
        {"maths": ("FACTOR = 2", "FACTOR = 3")},
        {"maths": ("return x  # as it is", "return x + 0")},
        {"shapes": ("SIDE = 3", "SIDE = 4")},
        {"registry": ("return 1", "return 2")},
        {"registry": ("ALL[f.__name__] = f", "ALL[f.__name__.upper()] = f")},
    ],
    ids=["own line", "constant", "indirect", "module attribute", "registered function", "the register itself"],
)
def test_what_changes_it(house, change) -> None:
    assert house(**change) != house()


def test_another_objective_changes_no_run_that_does_not_use_it(tmp_path: Path) -> None:
    others = frozenset({"sft"})
    before = module.fingerprint("scripts.training.train", unused=others)
    copy = copied(
        tmp_path / "copy", "scripts/lib/objectives.py", "", "\n\n@objective\ndef another(logps):\n    return logps\n"
    )
    assert module.fingerprint("scripts.training.train", copy, unused=others | {"another"}) == before
    assert module.fingerprint("scripts.training.train", copy, unused=others) != before


def test_what_an_objective_calls_counts_for_its_runs_alone(tmp_path: Path) -> None:
    copy = copied(tmp_path / "copy", "scripts/lib/objectives.py", "return logp - (", "return 2 * logp - (")
    for name in objective_options():
        others = frozenset(objective_options()) - {name}
        before, after = (module.fingerprint("scripts.training.train", root, others) for root in (Path("."), copy))
        assert (after != before) == (name == "orpo")


def copied(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the scripts in which one file is changed; with nothing to replace, the text is appended."""
    for path in Path("scripts").rglob("*.py"):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    changed = folder / file
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new) if old else text + new)
    return folder


def test_every_real_step_has_a_fingerprint_of_its_own() -> None:
    steps = sorted(
        ".".join(path.with_suffix("").parts)
        for path in Path("scripts").rglob("*.py")
        if "cli.run(main)" in path.read_text() and path.parts[1] != "lib"
    )
    prints = {step: module.fingerprint(step) for step in steps}
    assert len(prints) > 5
    assert len(set(prints.values())) == len(prints)


def test_the_tier_rule_reaches_tiers_and_not_scoring(tmp_path: Path) -> None:
    steps = ("scripts.pairs.tiers", "scripts.pairs.pair", "scripts.scores.score", "scripts.logprobs.compute")
    reachable = {step: module.fingerprint(step) for step in steps}
    old, new = 'descending=["score"]', 'descending=["score", "response_id"]'
    copy = copied(tmp_path / "copy", "scripts/pairs/tiers.py", old, new)
    changed = {step: module.fingerprint(step, copy) for step in reachable}
    assert [step for step in reachable if changed[step] != reachable[step]] == ["scripts.pairs.tiers"]


@pytest.mark.parametrize("step", ["scripts.samples.sample", "scripts.scores.score"])
def test_a_backend_counts_for_the_steps_that_use_it(tmp_path, step):
    """For the real code: a change in vLLM's code affects neither the other backend's steps nor training."""
    shutil.copytree(Path(__file__).parents[2] / "scripts", tmp_path / "scripts")
    others = ["scripts.training.reward_model", "scripts.training.train", "scripts.evaluation.harness"]

    def fingerprints() -> tuple[list[str], str]:
        module._module.cache_clear()
        module._fingerprint.cache_clear()
        untouched = [module.fingerprint(other, tmp_path) for other in others]
        for with_backends in (step, "scripts.training.train_online"):
            untouched.append(module.fingerprint(with_backends, tmp_path, frozenset({"vllm"})))
        return untouched, module.fingerprint(step, tmp_path, frozenset({"transformers"}))

    before = fingerprints()
    path = tmp_path / "scripts/lib/vllm_backend.py"
    path.write_text(path.read_text().replace("use_tqdm=False", "use_tqdm=True"))
    after = fingerprints()
    assert before[0] == after[0] and before[1] != after[1]
