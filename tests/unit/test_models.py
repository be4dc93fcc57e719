"""Policies on disk: what is saved, loaded, checked and refused; the cards of given models."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Gemma3Config

from scripts.lib.capability import reason_against
from scripts.lib.config.policies import GivenPolicy
from scripts.lib.errors import InputError
from scripts.lib.models import POLICY_FILES, load_causal, load_tokenizer, read_policy, save_policy, write_policy
from scripts.training.given import card_of
from scripts.workflow.files import MODEL


@pytest.fixture
def given_folder(tiny_policy, tmp_path):
    """A local model as a user might have it, without any policy.json of ours."""
    folder = tmp_path / "their-model"
    folder.mkdir()
    for file in (*POLICY_FILES, "policy.json"):
        (folder / file).write_bytes((tiny_policy / file).read_bytes())
    return folder


def edit(path, **changes):
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: each for key, each in value.items() if each is not None}))


def spec_for(folder, **changes):
    return GivenPolicy(kind="given", model=str(folder), **({"max_length": 64} | changes))


def test_the_rules_name_the_files_that_are_saved():
    assert list(POLICY_FILES) == MODEL


def test_a_saved_policy_has_exactly_its_files_and_no_machine_in_them(tiny_policy):
    assert sorted(path.name for path in tiny_policy.iterdir()) == sorted([*POLICY_FILES, "policy.json"])
    for file in tiny_policy.iterdir():
        assert str(tiny_policy.parent).encode() not in file.read_bytes()


def test_a_card_beside_its_model_names_an_absolute_folder_when_read(tiny_policy, monkeypatch):
    monkeypatch.chdir(tiny_policy)
    card = read_policy("policy.json")
    assert card.model == str(tiny_policy)
    assert (card.name, card.kind, card.max_length, card.revision) == ("tiny", "scratch", 64, None)
    assert sorted(card.files) == sorted(POLICY_FILES)


def test_load_and_save_again_gives_the_same_bytes(tiny_policy, tmp_path):
    card = read_policy(tiny_policy / "policy.json")
    save_policy(tmp_path, load_causal(card), load_tokenizer(card), name="tiny", kind="scratch", max_length=64)
    for file in (*POLICY_FILES, "policy.json"):
        assert (tmp_path / file).read_bytes() == (tiny_policy / file).read_bytes(), file


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_weights_come_in_the_precision_asked_for(tiny_policy, precision, dtype):
    model = load_causal(read_policy(tiny_policy / "policy.json"), precision, "cpu")
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert not model.training


def test_how_to_sample_is_not_taken_from_the_models_folder(given_folder):
    edit(given_folder / "generation_config.json", temperature=0.1, do_sample=True, eos_token_id=[2, 7])
    config = load_causal(card_of("theirs", spec_for(given_folder))).generation_config
    assert config.eos_token_id == [2, 7]
    assert not config.do_sample
    assert config.temperature in (None, 1.0)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_changed_files_are_not_taken_for_the_ones_on_the_card(given_folder, tmp_path, file):
    write_policy(card_of("theirs", spec_for(given_folder)), tmp_path / "policy.json")
    card = read_policy(tmp_path / "policy.json")
    if file == "model.safetensors":
        weights = load_file(given_folder / file)
        save_file({name: weight + 1 for name, weight in weights.items()}, given_folder / file, {"format": "pt"})
    else:
        (given_folder / file).write_text((given_folder / file).read_text() + " ")
    with pytest.raises(InputError, match=f"{file}: is not the file"):
        load_causal(card) if file == "model.safetensors" else load_tokenizer(card)


def test_a_model_with_a_weight_missing_is_not_filled_with_noise(given_folder):
    weights = load_file(given_folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, given_folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 weights .* model.layers.1.mlp.up_proj.weight"):
        load_causal(card_of("theirs", spec_for(given_folder)))


def test_what_a_killed_save_left_is_cleared(tiny_policy, tmp_path):
    left = tmp_path / ".model.999999999.tmp"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    card = read_policy(tiny_policy / "policy.json")
    save_policy(tmp_path, load_causal(card), load_tokenizer(card), name="tiny", kind="scratch", max_length=64)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*POLICY_FILES, "policy.json"])


def test_a_failed_save_leaves_no_card(tiny_policy, tmp_path):
    card = read_policy(tiny_policy / "policy.json")
    model, tokenizer = load_causal(card), load_tokenizer(card)
    save_policy(tmp_path, model, tokenizer, name="tiny", kind="scratch", max_length=64)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer.json").mkdir()
    with pytest.raises(OSError):
        save_policy(tmp_path, model, tokenizer, name="tiny", kind="scratch", max_length=64)
    assert not (tmp_path / "policy.json").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("text", ["[]", '{"name": "x"}', "{"])
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "policy.json").write_text(text)
    with pytest.raises(InputError):
        read_policy(tmp_path / "policy.json")


def test_a_given_folder_becomes_a_card_with_its_hashes(given_folder, tiny_policy):
    card = card_of("theirs", spec_for(given_folder))
    assert (card.name, card.kind, card.model, card.revision) == ("theirs", "given", str(given_folder), None)
    assert card.files == read_policy(tiny_policy / "policy.json").files


def test_a_template_file_stands_in_for_the_tokenizers_own(given_folder, tmp_path):
    template = "{% for m in messages %}<user>{{ m.content }}{{ eos_token }}{% endfor %}"
    (tmp_path / "mine.jinja").write_text(template)
    card = card_of("theirs", spec_for(given_folder, chat_template=str(tmp_path / "mine.jinja")))
    assert card.chat_template == template
    assert load_tokenizer(card).chat_template == template


def test_a_tokenizer_without_padding_pads_with_its_end(given_folder):
    edit(given_folder / "tokenizer_config.json", pad_token=None)
    tokenizer = load_tokenizer(card_of("theirs", spec_for(given_folder)))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id


def without(*files):
    return lambda folder: [(folder / file).unlink() for file in files]


def pickled(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def truncated(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-100])


def without_a_shard(folder):
    index = {"metadata": {}, "weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_code(folder):
    auto_map = {"AutoConfig": "theirs.Config", "AutoModelForCausalLM": "theirs.Model"}
    edit(folder / "config.json", model_type="theirs", auto_map=auto_map)
    (folder / "theirs.py").write_text("raise SystemExit('ran the code of a model')")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (without("chat_template.jinja"), r"no chat template[\s\S]*as chat_template\.jinja"),
        (without("model.safetensors"), "no .safetensors weights"),
        (pickled, "no .safetensors weights"),
        (truncated, "no whole safetensors file"),
        (without_a_shard, "00002-of-00002.safetensors: no whole safetensors file"),
        (without("tokenizer.json", "tokenizer_config.json"), "no readable tokenizer"),
        (without("config.json"), "no readable"),
        (with_code, "no readable"),
        (lambda folder: edit(folder / "config.json", vocab_size=10), "its tokenizer has"),
        (lambda folder: edit(folder / "config.json", model_type="vit"), "no causal language model"),
        (lambda folder: (folder / "chat_template.jinja").write_text("{{ nothing.at.all }}"), "chat template"),
    ],
)
def test_a_model_that_cannot_serve_is_refused_at_once(given_folder, damage, problem):
    damage(given_folder)
    with pytest.raises(InputError, match=problem):
        card_of("theirs", spec_for(given_folder))


def test_a_max_length_beyond_the_models_positions_is_refused(given_folder):
    with pytest.raises(InputError, match="64 positions"):
        card_of("theirs", spec_for(given_folder, max_length=65))


@pytest.fixture
def composite(given_folder):
    """Gemma 3 as it is on the hub: the numbers of its text model are one level down, beside a vision model's."""
    tokenizer = load_tokenizer(card_of("theirs", spec_for(given_folder)))
    text = {"vocab_size": len(tokenizer) + 4, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=text,
        vision_config=vision | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        **{name: len(tokenizer) + at for at, name in enumerate(("boi_token_id", "eoi_token_id", "image_token_id"))},
    )
    (given_folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_config(config).save_pretrained(given_folder)
    return given_folder


def test_a_composite_model_is_one_by_its_text_model(composite, tmp_path):
    card = card_of("theirs", spec_for(composite))
    model, tokenizer = load_causal(card), load_tokenizer(card)
    assert reason_against(model, 64, tokenizer.pad_token_id) is None
    trained = save_policy(tmp_path / "own", model, tokenizer, name="own", kind="trained", max_length=64)
    again = load_causal(read_policy(tmp_path / "own" / "policy.json"))
    assert trained.max_length == 64 and again.state_dict().keys() == model.state_dict().keys()
    with pytest.raises(InputError, match="64 positions"):
        card_of("theirs", spec_for(composite, max_length=65))
    config = json.loads((composite / "config.json").read_text())
    config["text_config"]["vocab_size"] = 10
    (composite / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="its model 10"):
        card_of("theirs", spec_for(composite))


@pytest.mark.parametrize("model", ["no/such/folder/at/all", "nobody/no-such-model", "./nothing"])
def test_a_model_that_is_nowhere_is_refused(model, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"no such folder|neither a folder"):
        card_of("theirs", spec_for(model))


def test_a_missing_template_file_is_refused(given_folder, tmp_path):
    with pytest.raises(InputError, match="no readable chat template"):
        card_of("theirs", spec_for(given_folder, chat_template=str(tmp_path / "none.jinja")))


def test_a_hub_model_in_the_cache_is_pinned_to_its_commit(given_folder, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "cache"
    repository = cache / "models--someone--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    given_folder.rename(repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    card = card_of("theirs", spec_for("someone/small"))
    assert (card.model, card.revision, card.files) == ("someone/small", commit, {})
    assert load_causal(card).config.vocab_size == len(load_tokenizer(card))
