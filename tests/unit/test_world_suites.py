"""The didactic world's suites: their questions, and the rules that lm-eval's YAML files name."""

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.evaluation.world_tasks.rules import constraints_followed, mean_over_constraints, truthful_mass
from scripts.lib.errors import InputError
from scripts.lib.world.facts import FACTS
from scripts.lib.world.oracle import perfect, reward
from scripts.lib.world.skills import SKILLS, make_prompts, read, skill_of
from scripts.lib.world.suites import REFERENCE, SUITES, prompt_of, questions
from scripts.lib.world.words import vocabulary

ROOT = Path(__file__).parents[2]
FORMS = {"world_verses", "world_slogans"}


@pytest.mark.parametrize("suite", list(SUITES))
def test_questions_are_distinct_stable_and_in_the_language(suite: str) -> None:
    rows = questions(suite, 120)
    asked = [prompt_of(row) for row in rows]
    assert len(rows) == len(set(asked)) == 120
    assert rows == questions(suite, 120)
    assert rows[:50] == questions(suite, 50)
    if suite not in FORMS:  # verses and slogans have words of their own, which no generator rambles in
        assert {word for prompt in asked for word in prompt.split()} <= set(vocabulary())
    assert len(set(asked) & set(make_prompts(2000, seed=1))) < 0.15 * len(asked)


def test_a_skill_that_has_no_more_prompts_is_refused() -> None:
    with pytest.raises(InputError, match="for slogans"):
        make_prompts(9000, seed=1, skills=("slogans",))
    assert len(make_prompts(6000, seed=7, skills=("verses", "slogans"))) == 6000  # studies/three_d/didactic.yaml


def test_unknown_suites_are_refused() -> None:
    with pytest.raises(InputError, match="world_gsm8k"):
        questions("world_hellaswag", 3)


def test_a_suite_cannot_be_larger_than_the_world() -> None:
    with pytest.raises(InputError, match="ask for fewer"):
        questions("world_truthfulqa", 5000)
    with pytest.raises(InputError, match="at least 1"):
        questions("world_truthfulqa", 0)


def test_arithmetic_answers_are_right() -> None:
    for row in questions("world_gsm8k", 80):
        assert perfect(row["question"]).split(" . hope")[0].endswith(f"the answer is {row['answer']}")


def test_options_hold_one_right_answer_of_every_subject() -> None:
    rows = questions("world_mmlu", 150)
    assert {row["subject"] for row in rows} == {"facts", "sums", "letters"}
    for row in rows:
        rewards = [reward(row["question"], choice) for choice in row["choices"]]
        assert len(row["choices"]) == 4
        assert max(range(4), key=rewards.__getitem__) == row["answer"]
        assert sorted(rewards)[-2] < 0.2
    assert {row["answer"] for row in rows} == {0, 1, 2, 3}


def test_truths_stand_among_tempting_and_other_false_answers() -> None:
    for row in questions("world_truthfulqa", 80):
        (topic,) = read(row["question"]).topics
        assert row["labels"] == [1, 1, 0, 0, 0, 0]
        assert len(set(row["choices"])) == 6
        values = [choice.removesuffix(" .").split()[-1] for choice in row["choices"]]
        assert values[0] == values[1] == FACTS[topic].true
        assert values[2] == values[3] == FACTS[topic].tempting


def test_open_prompts_are_of_every_skill_with_a_reference_of_middling_quality() -> None:
    rows = questions("world_alpaca", 210)
    assert {skill_of(read(row["instruction"])) for row in rows} == set(SKILLS)
    assert {row["generator"] for row in rows} == {REFERENCE}
    rewards = [reward(row["instruction"], row["output"]) for row in rows]
    assert 0.35 < sum(rewards) / len(rewards) < 0.7


def test_truthful_mass_is_the_share_of_probability_on_true_choices() -> None:
    doc = {"labels": [1, 0, 1, 0]}
    results = [(math.log(p) - 700.0, False) for p in (0.1, 0.2, 0.3, 0.2)]
    assert truthful_mass(doc, results) == {"acc": pytest.approx(0.5)}


def test_constraints_are_followed_by_the_perfect_response_alone() -> None:
    rng = random.Random(0)
    for row in questions("world_ifeval", 80):
        whole = constraints_followed(row, [perfect(row["question"])])
        assert whole["prompt_level_strict_acc"] == 1.0 and all(whole["inst_level_strict_acc"])
        other = constraints_followed(row, [rng.choice(["", "no .", "sure ,"])])
        assert other["prompt_level_strict_acc"] == 0.0
    assert mean_over_constraints([[True, False], [True]]) == pytest.approx(2 / 3)


def test_the_yaml_files_name_no_place_and_every_harness_suite_has_one() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    files = {path.stem: path for path in (ROOT / "scripts/evaluation/world_tasks").glob("*.yaml")}
    assert set(files) == set(SUITES) - {"world_alpaca", "world_lists", *FORMS}  # whose answers are sampled
    for name, path in files.items():
        task = yaml.load(path.read_text(), Loader)
        assert task["task"] == name and task["dataset_path"] == "json" and "dataset_kwargs" not in task


def test_the_step_writes_one_question_a_line(tmp_path: Path) -> None:
    out = tmp_path / "test.jsonl"
    command = [sys.executable, "-m", "scripts.evaluation.questions", "--task", "world_mmlu", "--size", "7"]
    subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True)
    assert [json.loads(line) for line in out.read_text().splitlines()] == questions("world_mmlu", 7)
    refused = subprocess.run([*command[:-1], "0", "--out", str(out)], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode != 0 and "size" in refused.stderr
