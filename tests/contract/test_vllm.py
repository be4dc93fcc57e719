"""The real vLLM engine, on the CPU, compared with the transformers backend: `make test-vllm`."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoConfig,
    BertConfig,
    BertForSequenceClassification,
    Gemma2Config,
    Gemma2ForSequenceClassification,
    LlamaForCausalLM,
)

from scripts.lib import vllm_backend
from scripts.lib.chat import encode, encode_prompt
from scripts.lib.classifiers import refuse_missing
from scripts.lib.config.policies import Architecture
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.scorers import RewardModelScorer
from scripts.lib.errors import InputError
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy, save_policy
from scripts.lib.rewards import scorer_of
from scripts.lib.sampling import sampler_of
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_json, write_json
from tests.conftest import WORDS
from tests.scoring_data import save_plain, tiny_classifier

ROOT = Path(__file__).resolve().parents[2]


def conversation(at: int) -> list[dict[str, str]]:
    """A prompt of one user turn, or of three turns, or with a system turn, of many lengths."""
    draw = random.Random(at)
    turn = {"role": "user", "content": " ".join(draw.choices(WORDS.split(), k=1 + at % 9))}
    answer, system = {"role": "assistant", "content": "yes b a"}, {"role": "system", "content": "answer the list"}
    before = [[], [turn, answer], [system]]
    return [*before[at % 3], turn]


PROMPTS = [conversation(at) for at in range(40)]
IDS = [f"p{at}" for at in range(40)]
COMMON = {"precision": "float32", "max_new_tokens": 12}
DRAWN = {**COMMON, "temperature": 0.8, "top_p": 0.95, "top_k": 40, "samples": 3, "seed": 5}


@pytest.fixture(scope="module")
def ask(request, tmp_path_factory):
    """A function that sends a job to tests/vllm_child.py, run by the Python given by --vllm-python."""
    python = request.config.getoption("--vllm-python")
    if python is None:
        pytest.skip("needs vLLM: `make test-vllm`, or give a Python that has it by --vllm-python")
    folder = tmp_path_factory.mktemp("vllm")

    def answer(**job):
        write_json(job, folder / "job.json")
        command = [python, "-m", "tests.vllm_child", folder / "job.json", folder / "out.json"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-5000:]
        return read_json(folder / "out.json")

    return answer


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """A policy with random weights and a head size that vLLM supports (32)."""
    folder = tmp_path_factory.mktemp("policy")
    tokenizer = train_tokenizer("words", [WORDS], 64)
    shape = Architecture(tokenizer="words", vocabulary=64, hidden_size=64, layers=2, heads=2)
    config = tiny_llama_config(shape, tokenizer, max_length=64)
    config.initializer_range = 0.2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_policy(folder, LlamaForCausalLM(config), tokenizer, name="tiny", kind="scratch", max_length=48)
    return read_policy(folder / "policy.json"), folder / "policy.json"


@pytest.fixture(scope="module")
def sequences(policy):
    tokenizer = load_tokenizer(policy[0])
    return [encode(tokenizer, prompt, "c d e f g h no", 48) for prompt in PROMPTS]


@pytest.fixture(scope="module")
def found(ask, policy, sequences, tmp_path_factory):
    return ask(
        what="sampling",
        policy=str(policy[1]),
        greedy={**COMMON, "backend": "vllm", "temperature": 0.0},
        drawn={**DRAWN, "backend": "vllm"},
        prompts=PROMPTS,
        ids=IDS,
        checkpoints=str(tmp_path_factory.mktemp("checkpoints")),
        sequences=[each.prompt_ids + each.response_ids for each in sequences],
    )


@pytest.mark.slow
def test_greedy_texts_are_those_of_transformers(found, policy):
    spec = SamplingSpec(**COMMON, temperature=0.0)
    ours = sampler_of(policy[0], spec).sample(PROMPTS, IDS, spec)
    assert [tuple(each) for each in found["greedy"]] == ours
    assert len({each.text for each in ours}) > 20


@pytest.mark.slow
def test_logprobs_are_those_of_transformers(found, policy, sequences):
    with torch.no_grad():
        ours = token_logprobs(load_causal(policy[0]), sequences, 0)
    for sequence, values, theirs in zip(sequences, ours, found["logprobs"], strict=True):
        torch.testing.assert_close(torch.tensor(theirs[len(sequence.prompt_ids) - 1 :]), values, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_samples_depend_on_their_seeds_alone(found, policy):
    """They depend neither on the order of the prompts nor on the calls, and are as varied as those of transformers."""
    drawn, otherwise = (
        {(of, at): (seed, text) for of, at, seed, text in found[name]} for name in ("drawn", "drawn_otherwise")
    )
    assert drawn == otherwise
    assert found["resumed"] == found["drawn"]
    spec = SamplingSpec(**DRAWN)
    ours = sampler_of(policy[0], spec).sample(PROMPTS, IDS, spec)
    assert [tuple(each[:3]) for each in found["drawn"]] == [each[:3] for each in ours]
    texts = [len({each[3] for each in samples}) for samples in (found["drawn"], ours)]
    assert texts[0] > 100 and abs(texts[0] - texts[1]) < 12


@pytest.mark.slow
def test_the_engine_is_given_just_our_tokens(found, policy):
    """The template is applied once: one BOS token, where the template puts it."""
    tokenizer = load_tokenizer(policy[0])
    assert found["seen"] == [encode_prompt(tokenizer, prompt) for prompt in PROMPTS]
    assert all(ids.count(tokenizer.bos_token_id) == 1 for ids in found["seen"])


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory):
    """A reward model with random weights; its pad token is the token that ends a conversation."""
    classifier = tiny_classifier(WORDS, hidden_size=64, intermediate_size=64, initializer_range=0.15, head_dim=32)
    classifier.model.config.pad_token_id = classifier.tokenizer.eos_token_id
    return save_plain(classifier, tmp_path_factory.mktemp("reward"))


@pytest.mark.slow
def test_scores_are_those_of_transformers(ask, reward_model):
    items = [(prompt, "c d e " * (at % 4) + "no") for at, prompt in enumerate(PROMPTS)]
    sequences = [[1, 7, 8, 2], [1, 7, 8], [1, 7, 2, 2, 8, 2, 2], [1, 9]]
    scorer = {"kind": "reward_model", "model": str(reward_model), "precision": "float32", "max_length": 40}
    found = ask(what="scoring", scorer=scorer | {"backend": "vllm"}, items=items, sequences=sequences)
    ours = scorer_of(RewardModelScorer(**scorer))
    assert found["scores"] == pytest.approx(ours.score(items), rel=0, abs=1e-4)
    assert found["otherwise"] == pytest.approx(found["scores"], rel=0, abs=1e-5)
    assert found["of_ids"] == pytest.approx(ours.classifier.classify(sequences, 64), rel=0, abs=1e-4)
    assert len({round(each, 2) for each in found["scores"]}) > 20


def test_a_language_model_is_no_reward_model(policy, reward_model):
    """vLLM would initialise its head at random, and with it the scores."""
    config = AutoConfig.from_pretrained(reward_model)
    assert vllm_backend.head_of(config) == {"score.weight"}
    assert vllm_backend.head_of(config) <= vllm_backend.weights_of(str(reward_model), None)
    with pytest.raises(InputError, match=r"lack score\.weight[\s\S]*give a reward model"):
        refuse_missing("m", vllm_backend.head_of(config) - vllm_backend.weights_of(policy[0].model, None))


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [(Gemma2ForSequenceClassification, Gemma2Config), (BertForSequenceClassification, BertConfig)],
)
def test_the_weights_of_any_classifier_hold_its_head(architecture, settings, tmp_path):
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = architecture(settings(vocab_size=20, num_labels=1, **sizes))
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "many", max_shard_size="2KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    for folder in ("one", "many"):
        assert vllm_backend.head_of(model.config) <= vllm_backend.weights_of(str(tmp_path / folder), None)
    assert vllm_backend.head_of(model.config)


def test_without_vllm_its_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(vllm_backend, "find_spec", lambda _: None)
    monkeypatch.setattr(vllm_backend, "OWN_PYTHON", tmp_path / "python")
    with pytest.raises(InputError, match=r"no vllm\n.*make vllm"):
        vllm_backend.enter()


@pytest.mark.slow
def test_a_step_goes_on_in_the_environment_that_has_vllm(tmp_path):
    """The same command with another Python, here a script that prints its arguments."""
    other = tmp_path / "python"
    other.write_text('#!/bin/sh\necho "$@"\n')
    other.chmod(0o755)
    (tmp_path / "step.py").write_text(
        "import sys; from pathlib import Path; from scripts.lib import vllm_backend as v\n"
        f"v.find_spec = lambda _: None; v.OWN_PYTHON = Path({str(other)!r}); v.enter()\n"
    )
    command = [sys.executable, str(tmp_path / "step.py"), "--flag", "a b"]
    environment = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout == f"{tmp_path / 'step.py'} --flag a b\n", done.stderr
