"""Sequence classifiers: outputs in batches and packed rows, loading, and what is refused."""

import json

import pytest
import torch
import transformers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from scripts.lib import packing
from scripts.lib.classifiers import (
    CLASSIFIER_FILES,
    Classifier,
    load_classifier,
    load_own,
    outputs,
    save_classifier,
    without_padding,
)
from scripts.lib.errors import InputError
from scripts.lib.packing import pack
from scripts.lib.tables import read_json
from scripts.workflow.files import CLASSIFIER
from tests.scoring_data import alone, save_plain, tiny_classifier

SEQUENCES = [[1, 7, 8, 9, 2], [1, 10, 2], [1, 11, 12, 13, 14, 15, 16, 2]]


@pytest.fixture(scope="module")
def classifier():
    return tiny_classifier()


@pytest.fixture
def folder(tmp_path, classifier):
    return save_plain(classifier, tmp_path / "model")


# --- outputs


@settings(max_examples=25)
@given(
    sequences=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=20), min_size=1, max_size=6),
    pad=st.sampled_from([0, None, -1]),
)
@example(sequences=[[1, 7, 0], [8, 9, 1], [1, 10, 11, 12, 2], [1, 2, 3, 4, 5, 6, 13]], pad=None)
def test_every_sequence_is_read_at_its_last_token(sequences, pad):
    """Whether the config has a padding token (that is not a word), none, or one outside the vocabulary."""
    model = tiny_classifier(pad_token_id=0).model
    model.config.pad_token_id = pad
    with torch.no_grad():
        values = outputs(model, sequences).tolist()
    assert values == pytest.approx([alone(model, each) for each in sequences], abs=1e-5)
    assert model.config.pad_token_id == pad


@settings(max_examples=40)
@given(
    prompts=st.lists(st.lists(st.integers(0, 30), max_size=8), min_size=1, max_size=4),
    responses=st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 30), min_size=1, max_size=12)), max_size=9),
    pad=st.sampled_from([0, None, -1]),
    budget=st.integers(1, 80),
)
@example(prompts=[[1, 7]], responses=[(0, [8, 9]), (0, [8]), (0, [8, 9]), (0, [8, 0, 0])], pad=0, budget=80)
def test_responses_to_a_prompt_are_read_as_each_alone(prompts, responses, pad, budget):
    """Whatever they share, wherever rows end, and whether or not they end in what the model treats as padding."""
    classifier = tiny_classifier(pad_token_id=0)
    classifier.model.config.pad_token_id = pad
    asked = [of % len(prompts) for of, _ in responses]
    sequences = [prompts[of] + response for of, (_, response) in zip(asked, responses, strict=True)]
    values = classifier.classify(sequences, budget, prompts=asked)
    read = [without_padding(each, pad) for each in sequences]
    assert values == pytest.approx([alone(classifier.model, each) for each in read], abs=1e-5)


def test_a_prompt_is_read_once_for_its_responses(monkeypatch):
    """If the model allows it: one whose attention cannot be exchanged is padded."""
    classifier = tiny_classifier()
    prompt, rows = [1, *range(3, 20)], []
    sequences, asked = [[*prompt, at, 2] for at in range(8)], ["one"] * 8
    first = classifier.classify(sequences, 64)
    monkeypatch.setattr(packing, "pack", lambda groups, *more: rows.append(pack(groups, *more)) or rows[-1])
    assert classifier.classify(sequences, 64, prompts=asked) == pytest.approx(first, abs=1e-5)
    assert rows[-1].ids.shape == (1, len(prompt) + 8 * 3)
    rows.clear()
    monkeypatch.setattr(classifier.model, "_supports_attention_backend", False)
    classifier.classify(sequences, 64, prompts=asked)
    assert not rows


SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {"num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0, "num_labels": 1}
CAUSAL = ("Llama", "Qwen2", "Qwen3", "Mistral", "GPT2")
OTHERS = ("Gemma2", "Bloom", "Bert", "DebertaV2")


@pytest.mark.parametrize("kind", CAUSAL + OTHERS)
def test_what_a_prompt_is_read_once_by(kind, monkeypatch):
    """Causal models whose attention is a plain softmax; in either case, scores are those of padded batches."""
    config = getattr(transformers, f"{kind}Config")(**SMALL)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
        for each in model.parameters():
            each.data.normal_(0, 0.2)
    packs = []
    monkeypatch.setattr(packing, "pack", lambda *given: packs.append(pack(*given)) or packs[-1])
    classifier = Classifier(kind, model, None)
    sequences = [[1, *range(3, 12), at, 2, *range(20, 20 + at)] for at in range(5)]
    values = classifier.classify(sequences, 64, prompts=["one"] * 5)
    assert values == pytest.approx(classifier.classify(sequences, 64), rel=1e-4, abs=1e-4)
    assert any(len(row.lengths) == 5 for row in packs) == (kind in CAUSAL)


def test_padding_is_the_configs_not_the_tokenizers(classifier):
    """With another token the classifier would read padding; the trap is real, and avoided."""
    short, long = [1, 7, 8], [1, 9, 10, 11, 12]
    right = alone(classifier.model, short)
    assert outputs(classifier.model, [short, long])[0].item() == pytest.approx(right, abs=1e-6)
    padded = torch.tensor([[*short, 3, 3], long])
    mask = torch.tensor([[1, 1, 1, 0, 0], [1] * 5])
    assert classifier.model(input_ids=padded, attention_mask=mask).logits[0].item() != pytest.approx(right, abs=1e-3)


def test_padding_with_the_end_of_text_is_read_as_transformers_reads_it():
    """Many reward models pad with eos: alone or in a batch, they read the token before it."""
    classifier = tiny_classifier()
    eos = classifier.tokenizer.eos_token_id
    classifier.model.config.pad_token_id = eos
    short, long = [1, 7, 8, eos], [1, 9, 10, 11, 12, 13, eos]
    values = outputs(classifier.model, [short, long]).tolist()
    assert values == pytest.approx([classifier.model(torch.tensor([each])).logits.item() for each in (short, long)])
    assert values == pytest.approx([alone(classifier.model, each[:-1]) for each in (short, long)], abs=1e-6)


# --- loading


def load(folder, precision="float32") -> Classifier:
    return load_classifier(str(folder), None, precision, 64)


def test_precision_is_that_of_the_weights(folder, classifier):
    fine, coarse = load(folder), load(folder, "bfloat16")
    assert (fine.model.dtype, coarse.model.dtype) == (torch.float32, torch.bfloat16)
    assert fine.classify(SEQUENCES, 64) == classifier.classify(SEQUENCES, 64)
    for prompts in (None, [1, 1, 1]):
        values = coarse.classify(SEQUENCES, 64, prompts=prompts)
        assert values == pytest.approx(fine.classify(SEQUENCES, 64), rel=0.1, abs=0.1)


def edit_json(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("config.json", {"id2label": {"0": "a", "1": "b", "2": "c"}}, "has 3 outputs, a reward model has one"),
        ("config.json", {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}, "no readable classifier"),
        ("config.json", {"vocab_size": 5}, "its tokenizer has .* tokens, its model 5"),
        ("config.json", {"max_position_embeddings": 32}, "max_length 64 is more than the model's 32 positions"),
    ],
)
def test_model_that_does_not_fit_is_refused(folder, file, changes, message):
    edit_json(folder / file, **changes)
    with pytest.raises(InputError, match=message):
        load(folder)


def test_own_code_is_never_run(folder, tmp_path):
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    edit_json(folder / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own"})
    with pytest.raises(InputError, match="without code of its own"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_language_model_without_a_head_is_refused(folder, classifier):
    """transformers would give it a random head and only warn."""
    config = classifier.model.config.to_dict() | {"num_labels": 1}
    LlamaForCausalLM(type(classifier.model.config)(**config)).save_pretrained(folder)
    with pytest.raises(InputError, match=r"lack score\.weight: they would be made up"):
        load(folder)


def test_weights_that_are_no_safetensors_are_refused(folder, classifier):
    (folder / "model.safetensors").unlink()
    torch.save(classifier.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        load(folder)


def test_tokenizer_without_chat_template_is_refused(folder):
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=r"no chat template[\s\S]*chat_template\.jinja"):
        load(folder)


def test_nowhere_is_refused(tmp_path):
    with pytest.raises(InputError, match="no readable classifier"):
        load(tmp_path / "nowhere")


def test_the_rules_name_the_files_that_are_saved():
    assert list(CLASSIFIER_FILES) == CLASSIFIER


def test_own_classifier_comes_back_as_saved_and_is_refused_when_changed(tmp_path, classifier):
    card = tmp_path / "own" / "scorer.json"
    save_classifier(card, classifier.model, classifier.tokenizer, {"name": "own"})
    assert sorted(path.name for path in card.parent.iterdir()) == sorted(["scorer.json", *CLASSIFIER_FILES])
    assert list(read_json(card)["files"]) == list(CLASSIFIER_FILES)
    assert load_own(card, 48).classify(SEQUENCES, 64) == classifier.classify(SEQUENCES, 64)

    with open(card.parent / "tokenizer.json", "a") as file:
        file.write(" ")
    with pytest.raises(InputError, match=r"tokenizer\.json: is not the file that scorer\.json lists"):
        load_own(card, 48)
    (card.parent / "model.safetensors").unlink()
    (card.parent / "tokenizer.json").write_text((card.parent / "tokenizer.json").read_text()[:-1])
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        load_own(card, 48)


def test_a_killed_save_leaves_no_card(tmp_path, monkeypatch):
    card, classifier = tmp_path / "own" / "scorer.json", tiny_classifier()
    save_classifier(card, classifier.model, classifier.tokenizer, {"name": "old"})

    def killed(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier.tokenizer, "save_pretrained", killed)
    with pytest.raises(KeyboardInterrupt):
        save_classifier(card, classifier.model, classifier.tokenizer, {"name": "new"})
    assert not card.exists()


def test_classifier_names_itself_in_the_log(classifier, caplog):
    with caplog.at_level("INFO"):
        Classifier("judge_x", classifier.model, classifier.tokenizer).classify([[1, 7]], 64)
    assert "judge_x" in caplog.text
