"""lm-eval's results for a policy agree with our own log-probs and our own sampler."""

import json
import sys
from collections import Counter
from itertools import pairwise

import lm_eval
import numpy as np
import pytest
import torch
import yaml
from jinja2 import Environment
from lm_eval.tasks import TaskManager

from scripts.evaluation import harness, prompts
from scripts.evaluation.harness import ask, check_metric, evaluation_of, harness_model, truncated_questions
from scripts.evaluation.tasks import WORLD_TASKS, load_tasks
from scripts.lib.chat import Encoded, encode_prompt
from scripts.lib.config.evaluation import HarnessSuite
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.errors import InputError
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.results import read_evaluation
from scripts.lib.sampling import TransformersSampler
from scripts.lib.world.suites import questions

LETTERS = ["a", "b", "c", "d", "e", "f", "g", "h"]
CHOICES = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
WORDS = {
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": 12},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}


def suite_of(task, metric, **more):
    return HarnessSuite(kind="harness", task=task, metric=metric, precision="float32", batch_size=4, **more)


def written(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def choice_rows(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        letters = [str(letter) for letter in rng.permutation(LETTERS)[: rng.integers(2, 7)]]
        choices = [" ".join(letters[: rng.integers(1, 3)]), "yes", "is not answer"]
        yield {"question": "copy " + " ".join(letters), "choices": choices, "answer": int(rng.integers(3))}


@pytest.fixture(scope="module")
def policy(tiny_policy):
    card = read_policy(tiny_policy / "policy.json")
    return load_causal(card), load_tokenizer(card)


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    """Knows tasks tiny_choices, tiny_words and the group tiny_group of two tasks of different sizes."""
    folder = tmp_path_factory.mktemp("tasks")
    splits = {"dataset_path": "json", "test_split": "test"}
    tasks = {
        "tiny_choices": CHOICES,
        "tiny_shots": {**CHOICES, "fewshot_split": "train"},
        "tiny_words": WORDS,
        "tiny_long": {**WORDS, "generation_kwargs": {**WORDS["generation_kwargs"], "max_gen_toks": 64}},
        "tiny_b": {**CHOICES, "dataset_name": "b"},
        "tiny_a": {**CHOICES, "dataset_name": "a"},
    }
    for name, task in tasks.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **splits, **task}))
    group = {"group": "tiny_group", "task": ["tiny_b", "tiny_a"], "aggregate_metric_list": [{"metric": "acc"}]}
    (folder / "tiny_group.yaml").write_text(yaml.safe_dump(group))
    return TaskManager(include_path=folder, include_defaults=False)


def asked(policy, manager, suite, path):
    lm = harness_model(*policy, suite.batch_size)
    tasks = load_tasks(manager, "s", suite, path)
    check_metric(tasks, "s", suite)
    results = ask(lm, tasks, "s", suite)
    return results, evaluation_of("p", "s", suite, results, truncated_questions(lm, results))


def test_choices_are_marked_as_our_own_logprobs_mark_them(policy, manager, tmp_path):
    rows = list(choice_rows(0, 30))
    results, record = asked(policy, manager, suite_of("tiny_choices", "acc,none"), written(tmp_path / "q.jsonl", rows))
    model, tokenizer = policy
    expected = []
    for row, sample in zip(rows, results["samples"]["tiny_choices"], strict=True):
        prompt = encode_prompt(tokenizer, [{"role": "user", "content": row["question"]}])
        pairs = [Encoded(prompt, tokenizer(each, add_special_tokens=False)["input_ids"]) for each in row["choices"]]
        with torch.inference_mode():
            sums = [values.sum().item() for values in token_logprobs(model, pairs, tokenizer.pad_token_id)]
        assert [response[0] for response in sample["filtered_resps"]] == pytest.approx(sums, abs=1e-4)
        expected.append(100.0 * (int(np.argmax(sums)) == row["answer"]))
    assert record.values == expected and 0 < record.value < 100
    assert record.value == pytest.approx(100 * results["results"]["tiny_choices"]["acc,none"], abs=1e-9)
    assert record.details["truncated"] == 0


def greedy(policy, prompts_):
    spec = SamplingSpec(temperature=0.0, max_new_tokens=12, precision="float32", batch_tokens=256)
    messages = [[{"role": "user", "content": each}] for each in prompts_]
    return [sample.text for sample in TransformersSampler(*policy, max_length=64).sample(messages, prompts_, spec)]


def renamed(policy, word, token):
    """In place: ``token`` takes the role of ``word`` in the model, and is what the template ends a turn with."""
    model, tokenizer = policy
    old, new = tokenizer.convert_tokens_to_ids([word, token])
    embedding = model.get_input_embeddings().weight.data
    embedding[new], embedding[old] = embedding[old].clone(), 0.0
    tokenizer.chat_template = tokenizer.chat_template.replace("{{ eos_token }}", token)


@pytest.mark.parametrize("end", [None, "<system>", "two words"], ids=["never", "one token", "two tokens"])
def test_generations_are_our_own_greedy_samples(tiny_policy, manager, tmp_path, end):
    card = read_policy(tiny_policy / "policy.json")
    policy = load_causal(card), load_tokenizer(card)
    prompts_ = [f"{word} {' '.join(LETTERS[: 2 + at % 6])}" for at, word in enumerate(["copy", "sort", "add"] * 5)]
    texts = greedy(policy, prompts_)
    if end:
        likes = Counter(bigram for text in texts for bigram in pairwise(text.split()))
        (first, second), _ = likes.most_common(1)[0]
        if end == "<system>":
            renamed(policy, second, end)
        else:
            end = f" {first} {second}"
            policy[1].chat_template = policy[1].chat_template.replace("{{ eos_token }}", end)
        texts = greedy(policy, prompts_)
    assert (len({len(text.split()) for text in texts}) > 1) == bool(end)
    rows = [
        {"question": each, "answer": text if at % 3 else "wrong"}
        for at, (each, text) in enumerate(zip(prompts_, texts, strict=True))
    ]
    path = written(tmp_path / "q.jsonl", rows)
    results, record = asked(policy, manager, suite_of("tiny_words", "exact_match,none"), path)
    generated = [sample["filtered_resps"][0] for sample in results["samples"]["tiny_words"]]
    assert [text.strip() for text in generated] == texts
    assert record.values == [100.0 * (text == row["answer"]) for text, row in zip(generated, rows, strict=True)]


def test_a_groups_questions_follow_in_sorted_order_and_count_alike(policy, manager, tmp_path):
    for name, count in (("a", 20), ("b", 7)):
        written(tmp_path / "q" / name / "test.jsonl", choice_rows(count, count))
    results, record = asked(policy, manager, suite_of("tiny_group", "acc,none"), tmp_path / "q")
    of_tasks = [[100.0 * row["acc"] for row in results["samples"][task]] for task in ("tiny_a", "tiny_b")]
    assert record.values == of_tasks[0] + of_tasks[1] and np.mean(of_tasks[0]) != np.mean(of_tasks[1])
    assert record.value == pytest.approx(100 * results["groups"]["tiny_group"]["acc,none"], abs=1e-9)
    with pytest.raises(InputError, match="one file for the 2 tasks"):
        load_tasks(manager, "s", suite_of("tiny_group", "acc,none"), tmp_path / "q" / "a" / "test.jsonl")


def test_simple_evaluate_says_the_same(policy, manager, tmp_path):
    for split in ("test", "train"):
        written(tmp_path / "q" / f"{split}.jsonl", choice_rows(len(split), 16))
    suite = suite_of("tiny_shots", "acc,none", shots=1, limit=12)
    results, _ = asked(policy, manager, suite, tmp_path / "q")
    theirs = lm_eval.simple_evaluate(
        model=harness_model(*policy, 4),
        tasks=list(load_tasks(manager, "s", suite, tmp_path / "q")["tasks"].values()),
        limit=12,
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        task_manager=manager,
    )
    ours, theirs = (each["samples"]["tiny_shots"] for each in (results, theirs))
    assert [row["arguments"] for row in ours] == [row["arguments"] for row in theirs]
    assert [row["filtered_resps"] for row in ours] == [row["filtered_resps"] for row in theirs]
    assert ours[0]["arguments"][0][0].count("<user>") == 2, "the shot is a turn of its own"


def test_a_task_compiles_its_templates_once_and_leaves_lm_eval_as_it_was(policy, manager, tmp_path, monkeypatch):
    compiled = Counter()
    compile_ = Environment.compile
    monkeypatch.setattr(
        Environment, "compile", lambda self, source, *rest: compiled.update([source]) or compile_(self, source, *rest)
    )
    path = written(tmp_path / "q.jsonl", choice_rows(0, 9))
    asked(policy, manager, suite_of("tiny_choices", "acc,none"), path)
    asking = {source: count for source, count in compiled.items() if source in CHOICES.values()}
    assert set(asking) == {CHOICES[key] for key in ("doc_to_text", "doc_to_choice", "doc_to_target")}
    assert max(asking.values()) <= 2, "at loading and when asked, not for each question"
    assert "from_string" not in vars(lm_eval.utils.env)


def test_questions_that_do_not_fit_are_counted(policy, manager, tmp_path):
    rows = [{"question": " ".join(["copy"] * words), "answer": "a"} for words in (3, 49, 50, 60)]
    path = written(tmp_path / "q.jsonl", rows)
    _, record = asked(policy, manager, suite_of("tiny_words", "exact_match,none"), path)
    assert record.details["truncated"] == 2, "64 tokens hold 12 new ones, BOS, two roles and 49 words"


@pytest.mark.parametrize(
    ("suite", "problem"),
    [
        (suite_of("tiny_choice", "acc,none"), "no task tiny_choice.*\n.*tiny_choices"),
        (suite_of("tiny_choices", "acc_norm,none"), "no metric 'acc_norm,none'.*\n.*acc,none"),
        (suite_of("tiny_shots", "acc,none", shots=2), "few-shot.*\n.*test, train"),
        (suite_of("tiny_choices", "acc,none", limit=1), "1 question.*\n.*two or more"),
        (suite_of("tiny_long", "exact_match,none"), "up to 64 tokens, and the policy takes 64"),
    ],
)
def test_a_mistaken_suite_names_the_remedy(policy, manager, tmp_path, suite, problem):
    path = written(tmp_path / "q.jsonl", choice_rows(0, 4))
    with pytest.raises(InputError, match=problem):
        asked(policy, manager, suite, path)


def test_a_metric_that_is_no_mean_over_questions_is_refused(policy, tmp_path):
    suite = suite_of("world_ifeval", "inst_level_strict_acc,none", data="world")
    manager = TaskManager(include_path=WORLD_TASKS, include_defaults=False)
    with pytest.raises(InputError, match="share between 0 and 1"):
        asked(policy, manager, suite, written(tmp_path / "q.jsonl", questions("world_ifeval", 4)))


def test_a_hub_dataset_that_is_not_cached_names_the_remedy(tmp_path):
    task = {"task": "absent", "dataset_path": "nobody/nothing", "test_split": "test", **CHOICES}
    (tmp_path / "absent.yaml").write_text(yaml.safe_dump(task))
    manager = TaskManager(include_path=tmp_path, include_defaults=False)
    with pytest.raises(InputError, match="nor to be had from the hub"):
        load_tasks(manager, "s", suite_of("absent", "acc,none"))


def test_the_worlds_suites_run_and_come_out_the_same_twice(tiny_policy, tmp_path, monkeypatch):
    metrics = {
        "world_gsm8k": "exact_match,strict-match",
        "world_mmlu": "acc,none",
        "world_truthfulqa": "acc,none",
        "world_ifeval": "prompt_level_strict_acc,none",
    }
    suites = {name: suite_of(name, metric, data="world").model_dump() for name, metric in metrics.items()}
    data = [f"{name}={written(tmp_path / f'{name}.jsonl', questions(name, 10))}" for name in metrics]
    for run in ("a", "b"):
        flags = ["--policy", tiny_policy / "policy.json", "--name", "tiny", "--suites", json.dumps(suites)]
        monkeypatch.setattr(
            sys, "argv", ["harness", *map(str, flags), "--data", *data, "--out-dir", str(tmp_path / run)]
        )
        harness.main()
    for name, metric in metrics.items():
        record = read_evaluation(tmp_path / "a" / f"{name}.json")
        assert (record.policy, record.suite, record.metric, record.n) == ("tiny", name, metric, 10)
        assert (tmp_path / "a" / f"{name}.json").read_bytes() == (tmp_path / "b" / f"{name}.json").read_bytes()


@pytest.mark.parametrize("task", ["world_gsm8k", "world_mmlu", "world_truthfulqa", "world_ifeval"])
def test_a_suites_prompts_are_what_its_task_asks(tmp_path, task):
    path = written(tmp_path / "q.jsonl", questions(task, 12))
    suite = suite_of(task, "acc,none", data="world", limit=9)
    manager = TaskManager(include_path=WORLD_TASKS, include_defaults=False)
    (loaded,) = load_tasks(manager, task, suite, path)["tasks"].values()
    texts = [loaded.doc_to_text(doc) for doc in loaded.eval_docs][:9]
    assert prompts.harness_texts(task, suite, path, asked=True) == texts
