"""A model's folder runs nothing, neither Python code nor pickles nor templates, unless the configuration allows it."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file

from scripts.lib.classifiers import load_classifier
from scripts.lib.config.policies import GivenPolicy
from scripts.lib.config.scorers import RewardModelScorer
from scripts.lib.errors import InputError
from scripts.lib.models import POLICY_FILES, load_causal, load_tokenizer, read_policy, write_policy
from scripts.lib.rewards import scorer_of
from scripts.training.given import card_of
from tests.scoring_data import save_plain, tiny_classifier, user

CODE = """
from pathlib import Path
from transformers import AutoModel, LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel

Path({marker!r}).touch()

class Config(LlamaConfig):
    model_type = "theirs"

class Base(LlamaModel):
    config_class = Config

AutoModel.register(Config, Base)

class Causal(LlamaForCausalLM):
    config_class = Config

class Classifier(LlamaForSequenceClassification):
    config_class = Config
"""
AUTO_MAP = {
    "AutoConfig": "theirs.Config",
    "AutoModelForCausalLM": "theirs.Causal",
    "AutoModelForSequenceClassification": "theirs.Classifier",
}


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A file that exists once a model's code has run. Transformers' copies of the code stay in the test's folder."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    return tmp_path / "ran"


@pytest.fixture
def policy(tiny_policy, tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    for file in POLICY_FILES:
        (folder / file).write_bytes((tiny_policy / file).read_bytes())
    return folder


@pytest.fixture
def reward_model(tmp_path):
    return save_plain(tiny_classifier(), tmp_path / "reward")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_code(folder, marker, model_type="theirs"):
    (folder / "theirs.py").write_text(CODE.format(marker=str(marker)))
    edit(folder / "config.json", model_type=model_type, auto_map=AUTO_MAP)
    return folder


def given(folder, **changes):
    return card_of("theirs", GivenPolicy(kind="given", model=str(folder), max_length=64, **changes))


def scored(folder, **changes):
    spec = RewardModelScorer(kind="reward_model", model=str(folder), max_length=64, precision="float32", **changes)
    return scorer_of(spec).score([(user("say something"), "so good")])


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_bomb_goes_off(marker):
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()


# --- code


def test_a_policys_code_is_not_run(policy, marker):
    with pytest.raises(InputError, match=r"trust_remote_code: true in the policy's entry") as error:
        given(with_code(policy, marker))
    assert str(policy) in str(error.value) and not marker.exists()


def test_a_reward_models_code_is_not_run(reward_model, marker):
    with pytest.raises(InputError, match=r"trust_remote_code: true in the scorer's entry") as error:
        scored(with_code(reward_model, marker))
    assert str(reward_model) in str(error.value) and not marker.exists()


def test_code_beside_a_model_that_transformers_knows_is_left_alone(policy, reward_model, marker):
    card = given(with_code(policy, marker, model_type="llama"))
    edit(policy / "tokenizer_config.json", auto_map={"AutoTokenizer": ["theirs.Config", "theirs.Config"]})
    card = given(policy)
    load_causal(card), load_tokenizer(card)
    assert scored(with_code(reward_model, marker, model_type="llama"))
    assert "theirs.py" not in card.files and not marker.exists()


def test_a_policys_code_runs_where_the_configuration_says_so(policy, marker, tmp_path):
    card = given(with_code(policy, marker), trust_remote_code=True)
    assert card.trust_remote_code and "theirs.py" in card.files and marker.exists()
    write_policy(card, tmp_path / "card" / "policy.json")
    card = read_policy(tmp_path / "card" / "policy.json")
    model = load_causal(card, device="cpu")
    assert type(model).__name__ == "Causal" and load_tokenizer(card).chat_template
    with open(policy / "theirs.py", "a") as file:
        file.write("# changed since it was read\n")
    for load in (load_causal, load_tokenizer):
        with pytest.raises(InputError, match=r"theirs\.py: is not the file"):
            load(card)


def test_a_reward_models_code_runs_where_the_configuration_says_so(reward_model, marker):
    plain = scored(reward_model)
    assert scored(with_code(reward_model, marker), trust_remote_code=True) == plain
    assert marker.exists()


# --- pickles


def pickled(folder, marker, name="pytorch_model.bin"):
    weights = {key: value.clone() for key, value in load_file(folder / "model.safetensors").items()}
    (folder / name).unlink(missing_ok=True)
    torch.save({**weights, "bomb": Bomb(marker)}, folder / name)


@pytest.mark.parametrize("trust", [False, True])
def test_pickled_weights_are_refused_unread(policy, reward_model, marker, trust):
    for folder in (policy, reward_model):
        pickled(folder, marker)
        (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no \.safetensors weights[\s\S]*save_pretrained[\s\S]*pickled weights"):
        given(policy, trust_remote_code=trust)
    with pytest.raises(InputError, match=r"reward: no readable classifier[\s\S]*save them as safetensors"):
        scored(reward_model, trust_remote_code=trust)
    assert not marker.exists()


def test_pickles_beside_safetensors_are_not_read(policy, reward_model, marker):
    for folder in (policy, reward_model):
        pickled(folder, marker)
        pickled(folder, marker, "training_args.bin")
    load_causal(given(policy)), scored(reward_model)
    assert not marker.exists()


def test_a_pickle_under_a_safe_name_is_refused(policy, reward_model, marker):
    for folder in (policy, reward_model):
        pickled(folder, marker, "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: no whole safetensors file"):
        given(policy)
    with pytest.raises(InputError, match="no readable classifier"):
        scored(reward_model)
    assert not marker.exists()


def test_an_index_that_names_pickles_is_refused(policy, reward_model, marker):
    for folder in (policy, reward_model):
        names = list(load_file(folder / "model.safetensors"))
        pickled(folder, marker)
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        weight_map = dict.fromkeys(names, "pytorch_model.bin") | {names[0]: "model-00001-of-00002.safetensors"}
        index = {"metadata": {}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"pytorch_model\.bin: no whole safetensors file"):
        given(policy)
    with pytest.raises(InputError, match="no readable classifier"):
        scored(reward_model)
    assert not marker.exists()


# --- templates


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('touch ran').read() }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_chat_template_cannot_reach_out(policy, tmp_path, monkeypatch, template):
    monkeypatch.chdir(tmp_path)
    (policy / "chat_template.jinja").write_text(template)
    with pytest.raises(InputError, match="chat template"):
        given(policy)
    assert not (tmp_path / "ran").exists()


def test_a_classifier_is_loaded_without_trust_by_default(reward_model, marker):
    with pytest.raises(InputError):
        load_classifier(str(with_code(reward_model, marker)), None, "float32", 64)
    assert not marker.exists()
