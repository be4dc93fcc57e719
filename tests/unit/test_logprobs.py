"""Log-probabilities: agreement with the definition, packed and padded, and the step that stores them."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Gemma2Config, Gemma2ForCausalLM

from scripts.lib.chat import Encoded, encode
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.packing import rows_by_prompt
from scripts.lib.schemas import LOGPROBS, PROMPTS, RESPONSES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.logprobs import compute

TOKENS = st.lists(st.integers(3, 30), min_size=1, max_size=12)
SEQUENCES = st.lists(st.builds(Encoded, TOKENS, st.lists(st.integers(2, 30), max_size=12)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def model(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"))


def plainly(model, sequence: Encoded) -> torch.Tensor:
    """The same by definition: one sequence, every position, log-softmax in float64."""
    ids = torch.tensor([sequence.prompt_ids + sequence.response_ids])
    logps = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].double().log_softmax(-1)
    return torch.stack(
        [logps[len(sequence.prompt_ids) - 1 + at, token] for at, token in enumerate(sequence.response_ids)] or []
    )


@settings(max_examples=40)
@given(sequences=SEQUENCES)
def test_a_mixed_batch_gives_what_each_sequence_gives_alone(model, sequences):
    with torch.no_grad():
        together = token_logprobs(model, sequences, pad_id=0)
        for sequence, values in zip(sequences, together, strict=True):
            assert values.dtype == torch.float32
            assert values.shape == (len(sequence.response_ids),)
            if len(values):
                torch.testing.assert_close(values.double(), plainly(model, sequence), rtol=1e-5, atol=1e-6)
                torch.testing.assert_close(values, token_logprobs(model, [sequence], 0)[0], rtol=1e-5, atol=1e-6)


def test_what_padding_is_does_not_matter(model):
    sequences = [Encoded([3], [4]), Encoded([3, 4, 5], [6, 7, 8])]
    for one, other in zip(token_logprobs(model, sequences, 0), token_logprobs(model, sequences, 9), strict=True):
        assert torch.equal(one, other)


@settings(max_examples=20)
@given(length=st.integers(0, 30))
def test_a_smaller_max_length_gives_a_prefix(tiny_policy, model, length):
    tokenizer = load_tokenizer(read_policy(tiny_policy / "policy.json"))
    prompt = [{"role": "user", "content": "sort c b a"}]
    short, whole = (encode(tokenizer, prompt, "a b c d e f g", limit) for limit in (length, 64))
    with torch.no_grad():
        cut, full = token_logprobs(model, [short], 0)[0], token_logprobs(model, [whole], 0)[0]
    torch.testing.assert_close(cut, full[: len(cut)], rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_the_plain_computation(model):
    sequences = [Encoded([3, 4], [5, 6, 2]), Encoded([7, 8, 9, 10], [11])]
    weights = list(model.parameters())
    ours = torch.autograd.grad(torch.cat(token_logprobs(model, sequences, 0)).sum(), weights)
    plain = torch.autograd.grad(sum(plainly(model, each).sum() for each in sequences), weights)
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_models_own_cap_on_its_logits_is_kept():
    config = Gemma2Config(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        final_logit_softcapping=0.5,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    gemma = Gemma2ForCausalLM(config).eval()
    sequence = Encoded([3, 4, 5], [6, 7, 8, 2])
    with torch.no_grad():
        values = token_logprobs(gemma, [sequence, Encoded([3], [5])], 0)[0]
        torch.testing.assert_close(values.double(), plainly(gemma, sequence), rtol=1e-5, atol=1e-6)


def test_bfloat16_logits_are_normalised_in_float32(tiny_policy):
    model = load_causal(read_policy(tiny_policy / "policy.json"), "bfloat16", "cpu")
    with torch.no_grad():
        every = [token_logprobs(model, [Encoded([3, 4], [token])], 0)[0] for token in range(model.config.vocab_size)]
    assert torch.cat(every).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.fixture
def tables(tmp_path):
    """Three prompts, one too long for any response; two families."""
    contents = ["sort b a", "copy c", "a " * 70]
    prompts = [[{"role": "user", "content": content}] for content in contents]
    ids = [prompt_id(prompt) for prompt in prompts]
    write_table(
        pd.DataFrame({"prompt_id": ids, "prompt": prompts, "source": "here", "split": "train"}),
        tmp_path / "prompts.parquet",
        PROMPTS,
    )
    rows = [(ids[1], "good", "c"), (ids[0], "good", "a b"), (ids[2], "good", "a"), (ids[0], "bad", "b " * 90)]
    write_table(
        pd.DataFrame(
            [(response_id(of, text), of, family, text) for of, family, text in rows],
            columns=["response_id", "prompt_id", "family", "response"],
        ),
        tmp_path / "responses.parquet",
        RESPONSES,
    )
    return tmp_path


def compute_family(monkeypatch, tiny_policy, folder, family, batch_tokens="1000"):
    flags = ["--policy", tiny_policy / "policy.json", "--prompts", folder / "prompts.parquet"]
    flags += ["--responses", folder / "responses.parquet", "--family", family]
    flags += ["--batch-tokens", batch_tokens, "--out", folder / "out.parquet", "--checkpoints", folder / "checkpoints"]
    monkeypatch.setattr(sys, "argv", ["compute", *map(str, flags)])
    compute.main()
    return read_table(folder / "out.parquet", LOGPROBS)


FEW_PROMPTS = st.sampled_from([[3], [3, 4, 5], [9, 8, 7, 6, 5, 4, 3]])
RESPONSES_TO_FEW = st.lists(st.builds(Encoded, FEW_PROMPTS, TOKENS), min_size=1, max_size=10)


@settings(max_examples=25)
@given(sequences=RESPONSES_TO_FEW, budget=st.integers(1, 60))
def test_a_prompt_that_responses_share_changes_values_by_noise_alone(model, sequences, budget):
    values = compute.logprobs_of(model, sequences, 0, budget)
    for found, sequence in zip(values, sequences, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, plainly(model, sequence).detach(), rtol=1e-5, atol=1e-5)


@settings(max_examples=50)
@given(sequences=RESPONSES_TO_FEW, budget=st.integers(1, 60))
def test_rows_hold_every_response_once_and_a_prompt_once(sequences, budget):
    rows = rows_by_prompt(sequences, budget)
    assert sorted(at for row in rows for at in row) == list(range(len(sequences)))
    for row in rows:
        prompts = [sequences[at].prompt_ids for at in row]
        groups = [prompt for at, prompt in enumerate(prompts) if at == 0 or prompt != prompts[at - 1]]
        used = sum(map(len, groups)) + sum(len(sequences[at].response_ids) for at in row)
        assert used <= budget or len(row) == 1
    assert rows_by_prompt([Encoded([1, 2], [3])] * 4, 6) == [[0, 1, 2, 3]]


def test_a_model_that_cannot_be_packed_is_padded_and_the_log_says_why(caplog):
    caplog.set_level("INFO")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    torch.manual_seed(0)
    gemma = Gemma2ForCausalLM(Gemma2Config(vocab_size=40, **sizes, **heads)).eval()
    sequences = [Encoded([3, 4, 5], [6, 7]), Encoded([3, 4, 5], [8]), Encoded([9], [6, 7, 8])]
    values = compute.logprobs_of(gemma, sequences, 0, 6)
    assert "batches are padded: " in caplog.text
    for found, sequence in zip(values, sequences, strict=True):
        np.testing.assert_allclose(found, plainly(gemma, sequence).detach(), rtol=1e-5, atol=1e-5)


def test_a_familys_log_probs_in_its_own_order_without_what_does_not_fit(
    monkeypatch, tiny_policy, tables, model, caplog
):
    caplog.set_level("INFO")
    frame = compute_family(monkeypatch, tiny_policy, tables, "good")
    responses = read_table(tables / "responses.parquet", RESPONSES)
    assert frame["response_id"].tolist() == responses["response_id"][:2].tolist()
    card = read_json(tables / "out.card.json")
    assert (card["responses"], card["dropped"]) == (2, {"no_room_in_max_length": 1})
    tokenizer = load_tokenizer(read_policy(tiny_policy / "policy.json"))
    encoded = encode(tokenizer, [{"role": "user", "content": "sort b a"}], "a b", 64)
    np.testing.assert_allclose(frame["token_logprobs"][1], plainly(model, encoded).detach(), rtol=1e-5)


def test_a_long_response_is_cut_at_max_length(monkeypatch, tiny_policy, tables):
    frame = compute_family(monkeypatch, tiny_policy, tables, "bad")
    prompt_tokens = len(["<bos>", "<user>", "sort", "b", "a", "<assistant>"])
    assert [len(values) for values in frame["token_logprobs"]] == [64 - prompt_tokens]


def test_batch_size_changes_values_by_noise_alone(monkeypatch, tiny_policy, tables):
    large = compute_family(monkeypatch, tiny_policy, tables, "good")
    small = compute_family(monkeypatch, tiny_policy, tables, "good", batch_tokens="1")
    for one, other in zip(large["token_logprobs"], small["token_logprobs"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_family_that_is_not_there_is_refused(monkeypatch, tiny_policy, tables):
    with pytest.raises(InputError, match="bad, good"):
        compute_family(monkeypatch, tiny_policy, tables, "ugly")


def test_a_response_without_its_prompt_is_refused(monkeypatch, tiny_policy, tables):
    prompts = read_table(tables / "prompts.parquet", PROMPTS)
    write_table(prompts.iloc[1:], tables / "prompts.parquet", PROMPTS)
    with pytest.raises(InputError, match="row 1: its prompt_id is not among the prompts"):
        compute_family(monkeypatch, tiny_policy, tables, "good")
