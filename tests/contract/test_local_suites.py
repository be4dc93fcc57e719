"""The five suites reported in the paper, evaluated on a tiny model with the benchmarks' own files, offline."""

import csv
import io
import json
import math
import socket
import sys
import zipfile
from pathlib import Path

import lm_eval
import nltk
import pytest
import torch
from langdetect import DetectorFactory, detect
from lm_eval.tasks import TaskManager
from transformers import LlamaForCausalLM, LlamaForSequenceClassification

from scripts.evaluation import harness, judge, prompts
from scripts.evaluation.benchmark_files import MMLU_SPLITS, split_rows
from scripts.evaluation.prompts import harness_texts
from scripts.evaluation.suite_files import read_instructions
from scripts.evaluation.tasks import load_tasks
from scripts.lib.chat import Encoded, encode_prompt
from scripts.lib.classifiers import Classifier
from scripts.lib.config.evaluation import HarnessSuite, ReferenceColumns, ScorerJudge, WinRateSuite
from scripts.lib.config.policies import Architecture
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.scorers import RewardModelScorer
from scripts.lib.errors import InputError
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.results import read_evaluation
from scripts.lib.rewards import scorer_of
from scripts.lib.schemas import SAMPLES
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_table
from scripts.samples import sample
from tests.scoring_data import save_plain

MAX_LENGTH = 4096
SHAPE = Architecture(tokenizer="bpe", vocabulary=2048, hidden_size=32, layers=2, heads=2)
IFEVAL, MMLU = (Path(lm_eval.__file__).parent / "tasks" / name for name in ("ifeval", "mmlu/default"))
SUITES = {
    "mmlu": {"task": "mmlu", "data": "mmlu/mmlu.zip", "shots": 5, "metric": "acc,none", "limit": 1},
    "truthfulqa": {"task": "truthfulqa_mc2", "data": "truthfulqa", "metric": "acc,none", "limit": 12},
    "ifeval": {"task": "ifeval", "data": "ifeval", "metric": "prompt_level_loose_acc,none", "limit": 3},
    "gsm8k": {"task": "gsm8k", "data": "gsm8k", "shots": 5, "metric": "exact_match,flexible-extract", "limit": 3},
    "gsm8k_cot": {"task": "gsm8k_cot", "data": "gsm8k", "shots": 8, "metric": "exact_match,strict-match", "limit": 2},
}


def suites_on(folder):
    return {
        name: HarnessSuite(
            kind="harness", precision="float32", batch_size=4, **suite | {"data": str(folder / suite["data"])}
        )
        for name, suite in SUITES.items()
    }


@pytest.fixture(scope="module")
def policy(real_data, tmp_path_factory):
    """Folder of a Llama with random weights that reads any text, with room for some thousand words."""
    folder = tmp_path_factory.mktemp("real") / "policy"
    texts = [row["question"] + row["answer"] for row in split_rows(real_data / "gsm8k", "main", "test")]
    tokenizer = train_tokenizer("bpe", texts, SHAPE.vocabulary)
    config = tiny_llama_config(SHAPE, tokenizer, max_length=MAX_LENGTH)
    config.initializer_range = 0.3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    save_policy(folder, model, tokenizer, name="tiny", kind="scratch", max_length=MAX_LENGTH)
    return folder


@pytest.fixture(scope="module")
def records(real_data, policy, tmp_path_factory):
    """The evaluations that the harness writes, in one process, without any network lookup."""

    def unreachable(*_args, **_kwargs):
        raise OSError("no network here")

    out = tmp_path_factory.mktemp("evaluations")
    suites = json.dumps({name: suite.model_dump() for name, suite in suites_on(real_data).items()})
    flags = ["--policy", policy / "policy.json", "--name", "tiny", "--suites", suites, "--out-dir", out]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", unreachable)
        patch.setattr(sys, "argv", ["harness", *map(str, flags)])
        harness.main()
    return {name: read_evaluation(out / f"{name}.json") for name in SUITES}


@pytest.mark.slow
def test_all_suites_are_asked(records):
    """As many questions as the limit says: for MMLU, one for each of the 57 subjects."""
    assert {name: record.n for name, record in records.items()} == {
        name: (57 if name == "mmlu" else 1) * suite["limit"] for name, suite in SUITES.items()
    }
    assert all(0 <= value <= 100 for record in records.values() for value in record.values)
    assert 0 < records["mmlu"].value < 100 and len(records["mmlu"].details["task_versions"]) == 57
    assert len(set(records["truthfulqa"].values)) > 5
    assert {name: record.details["truncated"] for name, record in records.items() if name != "mmlu"} == dict.fromkeys(
        set(SUITES) - {"mmlu"}, 0
    )


class Model:
    """The policy, queried without lm-eval."""

    def __init__(self, folder):
        card = read_policy(folder / "policy.json")
        self.model, self.tokenizer = load_causal(card), load_tokenizer(card)

    def logprobs(self, messages, answers):
        """The summed log-probability of each answer; None if one does not fit."""
        prompt = encode_prompt(self.tokenizer, messages)
        asked = [Encoded(prompt, self.tokenizer(each, add_special_tokens=False)["input_ids"]) for each in answers]
        if max(len(each.prompt_ids) + len(each.response_ids) for each in asked) > MAX_LENGTH + 1:
            return None
        with torch.inference_mode():
            return [token_logprobs(self.model, [each], 0)[0].sum().item() for each in asked]


def worded(row):
    question, *choices, _ = row
    options = "".join(f"{letter}. {choice}\n" for letter, choice in zip("ABCD", choices, strict=True))
    return f"{question.strip()}\n{options}Answer:"


@pytest.mark.slow
def test_mmlu_is_marked_as_the_zips_own_lines_and_our_logprobs_mark_it(real_data, policy, records):
    """The best of four letters after five examples as turns, subject by subject."""
    model, values, cut = Model(policy), iter(records["mmlu"].values), 0
    with zipfile.ZipFile(real_data / "mmlu" / "mmlu.zip") as archive:
        tests = sorted(name for name in archive.namelist() if name.endswith("_test.csv"))
        for name in tests:
            subject = name.split("/")[-1].removesuffix("_test.csv")
            test, dev = (
                list(csv.reader(io.StringIO(archive.read(f"data/{split}/{subject}_{split}.csv").decode())))
                for split in ("test", "dev")
            )
            topic = subject.replace("_", " ")
            system = f"The following are multiple choice questions (with answers) about {topic}.\n\n"
            turns = [{"role": "system", "content": system}]
            for row in dev[:5]:
                turns += [{"role": "user", "content": worded(row)}, {"role": "assistant", "content": row[5]}]
            found = model.logprobs([*turns, {"role": "user", "content": worded(test[0])}], "ABCD")
            value = next(values)
            if found is None:
                cut += 1
            else:
                assert value == 100 * ("ABCD"[found.index(max(found))] == test[0][5]), subject
    assert len(tests) == 57 and records["mmlu"].details["truncated"] == cut < 5


@pytest.mark.slow
def test_truthfulqas_mc2_is_the_share_of_the_true_answers(real_data, policy, records):
    """The share of the probability of all answers that is on true ones, as Lin et al. (2022) define it."""
    suite, model = suites_on(real_data)["truthfulqa"], Model(policy)
    rows = json.loads((real_data / "truthfulqa" / "mc_task.json").read_text())[: suite.limit]
    texts = harness_texts("truthfulqa", suite, None, asked=True)
    for row, text, value in zip(rows, texts, records["truthfulqa"].values, strict=True):
        assert text.endswith(f"Q: {row['question']}\nA:")
        sums = model.logprobs([{"role": "user", "content": text}], list(row["mc2_targets"]))
        shares = [math.exp(each) for each in sums]
        true = sum(share for share, label in zip(shares, row["mc2_targets"].values(), strict=True) if label)
        assert value == pytest.approx(100 * true / sum(shares), rel=1e-3, abs=1e-9)


def test_truthfulqas_answers_give_its_targets(real_data):
    """817 questions of TruthfulQA.csv compared with mc_task.json; the two list them in different orders."""
    folder = real_data / "truthfulqa"
    listed = {row["question"]: row for row in json.loads((folder / "mc_task.json").read_text())}
    derived = split_rows(folder / "TruthfulQA.csv", "multiple_choice", "validation")
    assert len(derived) == len(listed) == 817
    for row in derived:
        for kind in ("mc1_targets", "mc2_targets"):
            labels = dict(zip(row[kind]["choices"], row[kind]["labels"], strict=True))
            assert labels == listed[row["question"].strip()][kind]


def test_mmlu_has_all_its_questions(real_data):
    """57 subjects, each with five examples; 1,531 validation and 14,042 test questions, as in cais/mmlu."""
    path = real_data / "mmlu" / "mmlu.zip"
    with zipfile.ZipFile(path) as archive:
        names = [name.split("/")[-1] for name in archive.namelist()]
    subjects = sorted(name.removesuffix("_test.csv") for name in names if name.endswith("_test.csv"))
    rows = {split: [split_rows(path, subject, split) for subject in subjects] for split in MMLU_SPLITS}
    assert len(subjects) == 57 and {len(each) for each in rows["dev"]} == {5}
    assert {split: sum(map(len, each)) for split, each in rows.items()} == {
        "dev": 285,
        "validation": 1531,
        "test": 14042,
    }


@pytest.mark.slow
def test_alpaca_eval_judges_the_policy_against_a_models_outputs(real_data, policy, tmp_path, monkeypatch):
    """Ten of the 805 instructions; the judge is a reward model with random weights, whose scores say what to expect."""
    tokenizer = load_tokenizer(read_policy(policy / "policy.json"))
    config = tiny_llama_config(SHAPE, tokenizer, max_length=MAX_LENGTH)
    config.update({"num_labels": 1, "initializer_range": 0.3})
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForSequenceClassification(config)
    save_plain(Classifier("reward", model, tokenizer), tmp_path / "reward")
    scorer = RewardModelScorer(
        kind="reward_model",
        model=str(tmp_path / "reward"),
        precision="float32",
        max_length=MAX_LENGTH,
        batch_tokens=8192,
    )
    suite = WinRateSuite(
        kind="win_rate",
        data=str(real_data / "alpaca_eval" / "alpaca_eval_responses.parquet"),
        columns=ReferenceColumns(instruction="prompt", output="response", generator="model"),
        baseline="gpt4_1106_preview",
        limit=10,
        judge=ScorerJudge(kind="scorer", scorer="reward"),
        sampling=SamplingSpec(temperature=0.7, max_new_tokens=24, precision="float32", batch_tokens=8192),
        metric="win_rate",
    )
    asked, reference = tmp_path / "prompts.parquet", tmp_path / "reference.parquet"
    step(
        prompts,
        monkeypatch,
        "--suite",
        "lc",
        "--spec",
        suite.model_dump_json(),
        "--out",
        asked,
        "--reference",
        reference,
    )
    samples, written = tmp_path / "samples.parquet", tmp_path / "lc.json"
    sampling = suite.sampling.model_dump_json()
    flags = ["--policy", policy / "policy.json", "--family", "tiny.lc", "--prompts", asked, "--spec", sampling]
    step(sample, monkeypatch, *flags, "--checkpoints", tmp_path / "checkpoints", "--out", samples)
    step(
        judge,
        monkeypatch,
        *("--name", "tiny", "--suite", "lc", "--spec", suite.model_dump_json(), "--samples", samples),
        *("--prompts", asked, "--reference", reference, "--scorer", scorer.model_dump_json()),
        *("--judgements", tmp_path / "judgements.parquet", "--out", written),
    )
    instructions = read_instructions(asked, reference)
    outputs = dict(read_table(samples, SAMPLES)[["prompt_id", "response"]].itertuples(index=False, name=None))
    assert {each.generator for each in instructions} == {"gpt4_1106_preview"} and len(instructions) == 10
    texts = [(each.text, text) for each in instructions for text in (each.reference, outputs[each.prompt_id])]
    scores = scorer_of(scorer).score([([{"role": "user", "content": asked_}], text) for asked_, text in texts])
    expected = [100 / (1 + math.exp(first - second)) for first, second in zip(scores[::2], scores[1::2], strict=True)]
    record = read_evaluation(written)
    assert record.values == pytest.approx(expected, abs=1e-3) and len(set(record.values)) > 5
    assert record.value == pytest.approx(record.metrics["win_rate"])


def step(module, monkeypatch, *flags):
    monkeypatch.setattr(sys, "argv", ["step", *map(str, flags)])
    module.main()


def follows(key, *instructions):
    return {"key": key, "prompt": "p", "instruction_id_list": list(instructions), "kwargs": [{} for _ in instructions]}


COUNTING = [
    follows(1, "punctuation:no_comma"),
    follows(2, "startend:quotation", "punctuation:no_comma"),
    follows(3, "length_constraints:number_sentences"),
    follows(4, "punctuation:no_comma", "change_case:capital_word_frequency"),
]


@pytest.fixture
def without_punkt(tmp_path, monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nowhere")])


def test_ifeval_guesses_a_language_alike_each_time(tmp_path, without_punkt, monkeypatch):
    monkeypatch.setattr(DetectorFactory, "seed", None)
    unclear = "yes no hello bonjour"
    assert len({detect(unclear) for _ in range(200)}) > 1
    path = tmp_path / "input_data.jsonl"
    path.write_text(json.dumps(COUNTING[0]) + "\n")
    suite = HarnessSuite(kind="harness", task="ifeval", metric="prompt_level_loose_acc,none", data=str(path))
    load_tasks(TaskManager(include_path=IFEVAL, include_defaults=False), "ifeval", suite)
    assert len({detect(unclear) for _ in range(200)}) == 1


@pytest.mark.parametrize(("limit", "counting"), [(None, "2 of its 4"), (3, "1 of its 3"), (2, None)])
def test_ifeval_asks_for_punkt_only_where_questions_count(tmp_path, without_punkt, limit, counting):
    path = tmp_path / "input_data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in COUNTING))
    metric = "prompt_level_loose_acc,none"
    suite = HarnessSuite(kind="harness", task="ifeval", metric=metric, data=str(path), limit=limit)
    manager = TaskManager(include_path=IFEVAL, include_defaults=False)
    if counting:
        with pytest.raises(InputError, match=rf"{counting} questions count sentences.*\n.*NLTK_DATA"):
            load_tasks(manager, "ifeval", suite)
        assert len(harness_texts("ifeval", suite, None, asked=False)) == (limit or len(COUNTING))
    else:
        assert len(load_tasks(manager, "ifeval", suite)["tasks"]["ifeval"].eval_docs) == 4


def test_a_zip_serves_all_of_mmlus_tasks_or_names_what_it_lacks(tmp_path):
    path, row = tmp_path / "mmlu.zip", "2 + 2?,1,2,3,4,D\n"
    manager = TaskManager(include_path=MMLU, include_defaults=False)
    suite = HarnessSuite(kind="harness", task="mmlu", metric="acc,none", data=str(path), shots=5)
    subjects = sorted(each.removeprefix("mmlu_") for each in manager.all_subtasks)
    assert len(subjects) == 57
    for lacking in (None, "anatomy"):
        with zipfile.ZipFile(path, "w") as archive:
            for subject in subjects:
                archive.writestr(f"data/test/{subject}_test.csv", row * 3)
                if subject != lacking:
                    archive.writestr(f"data/dev/{subject}_dev.csv", row * 5)
        if lacking:
            with pytest.raises(InputError, match=r"mmlu.zip: .*without dev/anatomy_dev.csv"):
                load_tasks(manager, "mmlu", suite)
        else:
            tasks = load_tasks(manager, "mmlu", suite)["tasks"]
            assert sorted(tasks) == [f"mmlu_{subject}" for subject in subjects]
            for subject, task in zip(subjects, (tasks[name] for name in sorted(tasks)), strict=True):
                assert [doc["answer"] for doc in task.eval_docs] == [3, 3, 3] and task.eval_docs[0][
                    "subject"
                ] == subject
                assert len(task.fewshot_docs()) == 5
