"""Small policies trained from random weights, and their tokenizers."""

import itertools
import random
import subprocess
import sys

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.chat import Answer, encode
from scripts.lib.config.policies import Architecture, Optimisation, ScratchPolicy
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.models import POLICY_FILES, load_causal, load_tokenizer, read_policy
from scripts.lib.sampling import TransformersSampler
from scripts.lib.schemas import PROMPTS, RESPONSES
from scripts.lib.scratch import SPECIAL, fit, tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_table, write_table
from scripts.training import pretrain

TEXTS = ["sort b a", "a b", "what is naïve — 日本 ?", "def f(x):\n    return x\n", "b b b"]
PIECES = train_tokenizer("bpe", TEXTS, 300)


@pytest.fixture
def world(tmp_path):
    """Prompts that name one of three letters; the response repeats it."""
    draw = random.Random(0)
    contents = sorted({f"say {draw.choice('abc')} {draw.choice('xyz')} {draw.randrange(40)}" for _ in range(400)})
    prompts = [[{"role": "user", "content": content}] for content in contents]
    ids = [prompt_id(prompt) for prompt in prompts]
    answers = [content.split()[1] for content in contents]
    write_table(
        pd.DataFrame({"prompt_id": ids, "prompt": prompts, "source": "here", "split": "train"}),
        tmp_path / "prompts.parquet",
        PROMPTS,
    )
    write_table(
        pd.DataFrame(
            {
                "response_id": [response_id(*row) for row in zip(ids, answers, strict=True)],
                "prompt_id": ids,
                "family": "teacher",
                "response": answers,
            }
        ),
        tmp_path / "responses.parquet",
        RESPONSES,
    )
    return tmp_path


def spec_of(**changes) -> ScratchPolicy:
    small = {"tokenizer": "words", "vocabulary": 100, "hidden_size": 32, "layers": 2, "heads": 2, "max_length": 32}
    how = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-2, "demonstrations": "here"}
    return ScratchPolicy(**({"kind": "scratch"} | small | how | changes))


def pretrained(monkeypatch, world, out, **changes):
    flags = ["--name", "mine", "--spec", spec_of(**changes).model_dump_json(), "--out", world / out]
    flags += ["--prompts", world / "prompts.parquet", "--responses", world / "responses.parquet"]
    monkeypatch.setattr(sys, "argv", ["pretrain", *map(str, flags)])
    pretrain.main()
    return world / out


@pytest.mark.parametrize("tokenizer", [{"tokenizer": "words"}, {"tokenizer": "bpe", "vocabulary": 300}])
def test_it_learns_what_the_demonstrations_show(monkeypatch, world, tokenizer):
    folder = pretrained(monkeypatch, world, "policy", epochs=10, **tokenizer)
    assert sorted(path.name for path in folder.iterdir()) == sorted([*POLICY_FILES, "policy.json"])
    card = read_policy(folder / "policy.json")
    assert (card.name, card.kind, card.max_length) == ("mine", "scratch", 32)
    sampler = TransformersSampler(load_causal(card), load_tokenizer(card), card.max_length)
    prompts = read_table(world / "prompts.parquet", PROMPTS)["prompt"].tolist()[:60]
    spec = SamplingSpec(temperature=0, max_new_tokens=4, precision="float32")
    drawn = sampler.sample(prompts, [str(at) for at in range(60)], spec)
    right = [each.text == prompt[0]["content"].split()[1] for each, prompt in zip(drawn, prompts, strict=True)]
    assert sum(right) >= 57


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(monkeypatch, world):
    folders = [pretrained(monkeypatch, world, name, seed=seed) for name, seed in [("a", 0), ("b", 0), ("c", 1)]]
    torch.manual_seed(123)  # the previous random state must not matter
    folders.append(pretrained(monkeypatch, world, "d", seed=0))
    a, b, c, d = (folder.joinpath("model.safetensors").read_bytes() for folder in folders)
    assert a == b == d
    assert a != c
    for file in (*POLICY_FILES, "policy.json"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()


def test_a_smaller_share_is_part_of_a_larger_one(world):
    tables = read_table(world / "prompts.parquet", PROMPTS), read_table(world / "responses.parquet", RESPONSES)
    parts = [pretrain.demonstrations(*tables, share) for share in (0.0, 0.25, 0.5, 1.0)]
    assert [len(part) for part in parts] == [round(share * len(tables[0])) for share in (0.0, 0.25, 0.5, 1.0)]
    for smaller, larger in itertools.pairwise(parts):
        assert all(each in larger for each in smaller)


def test_words_learn_the_response_alone_and_bpe_learns_all(world):
    pairs = [Answer([{"role": "user", "content": "say a"}], "a")]
    words = train_tokenizer("words", ["say a"], 20)
    (sequence,) = pretrain.training_sequences(words, pairs, spec_of())
    assert sequence == encode(words, pairs[0].prompt, "a", 32)
    pieces = train_tokenizer("bpe", ["say a"], 300)
    (sequence,) = pretrain.training_sequences(pieces, pairs, spec_of(tokenizer="bpe"))
    whole = encode(pieces, pairs[0].prompt, "a", 32)
    assert sequence.prompt_ids == [pieces.bos_token_id]
    assert sequence.prompt_ids + sequence.response_ids == whole.prompt_ids + whole.response_ids


def test_demonstrations_that_do_not_fit_are_counted(world, caplog):
    caplog.set_level("INFO")
    tokenizer = train_tokenizer("words", ["say a"], 20)
    pairs = [Answer([{"role": "user", "content": content}], "a") for content in ("say " * 40, "say")]
    assert len(pretrain.training_sequences(tokenizer, pairs, spec_of())) == 1
    assert "1 demonstrations, 1 left out" in caplog.text


@pytest.mark.parametrize("changes", [{"share": 0.0}, {"max_length": 4}])
def test_nothing_to_learn_from_is_refused(monkeypatch, world, changes):
    with pytest.raises(InputError, match="nothing to learn from"):
        pretrained(monkeypatch, world, "none", **changes)


@given(st.lists(st.sampled_from(["a", "b", "sort", "what", "is"]), min_size=1, max_size=9))
def test_words_come_back_joined_by_spaces(words):
    tokenizer = train_tokenizer("words", TEXTS, 100)
    ids = tokenizer(" \n".join(words), add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == " ".join(words)


@given(st.text(max_size=40))
def test_bpe_gives_every_text_back(text):
    ids = PIECES(text, add_special_tokens=False)["input_ids"]
    if not any(token in text for token in SPECIAL):
        assert PIECES.decode(ids, skip_special_tokens=True) == text


def test_words_keep_the_most_frequent_and_the_rest_is_unknown():
    tokenizer = train_tokenizer("words", ["b b a a c <eos>"], len(SPECIAL) + 2)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == [*SPECIAL, "a", "b"]
    assert tokenizer("c", add_special_tokens=False)["input_ids"] == [tokenizer.unk_token_id]


@pytest.mark.parametrize(("kind", "vocabulary"), [("words", 7), ("bpe", 262)])
def test_a_vocabulary_too_small_is_refused(kind, vocabulary):
    with pytest.raises(InputError, match="vocabulary"):
        train_tokenizer(kind, TEXTS, vocabulary)


@pytest.mark.slow
def test_tokenizers_are_the_same_in_every_process():
    code = (
        "import sys; from scripts.lib.scratch import train_tokenizer\n"
        "for kind in ('words', 'bpe'):\n"
        f"    print(train_tokenizer(kind, {TEXTS!r} * 50, 300).backend_tokenizer.to_str())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": "77"}
    ).stdout
    here = [train_tokenizer(kind, TEXTS * 50, 300).backend_tokenizer.to_str() for kind in ("words", "bpe")]
    assert printed.splitlines() == here


@pytest.mark.parametrize(("hidden", "heads"), [(30, 4), (12, 4)])
def test_heads_that_do_not_fit_are_refused(hidden, heads):
    architecture = Architecture(tokenizer="words", vocabulary=20, hidden_size=hidden, layers=1, heads=heads)
    with pytest.raises(InputError, match="heads"):
        tiny_llama_config(architecture, PIECES, 16)


@given(st.integers(1, 90), st.integers(1, 20), st.sampled_from([0.5, 1.0, 2.5]))
def test_an_epoch_sees_every_item_once(items, batch_size, epochs):
    seen: list[list[int]] = []
    weight = torch.nn.Parameter(torch.zeros(1))
    model = torch.nn.Module()
    model.weight = weight

    def loss_of(batch):
        assert weight.grad is None  # gradients are not carried over from the step before
        seen.append(batch)
        return weight.sum()

    how = Optimisation(epochs=epochs, batch_size=batch_size, learning_rate=0.1)
    steps = list(fit(model, [at % 7 for at in range(items)], loss_of, how))
    assert len(steps) == len(seen) == max(1, round(epochs * items / batch_size))
    per_epoch = -(-items // batch_size)
    first = [item for batch in seen[:per_epoch] for item in batch]
    assert len(first) == len(set(first))
    if len(seen) >= per_epoch:
        assert sorted(first) == list(range(items))
