"""What a model can do is tried: which are packed, which padded, which refused, and at which lengths."""

import copy

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.lib.capability import agree, company, reason_against, trial
from scripts.lib.chat import Encoded
from scripts.lib.errors import InputError
from scripts.lib.head import Head
from scripts.lib.logprobs import token_logprobs
from scripts.lib.models import load_causal, read_policy
from scripts.lib.packing import pack, packed_logprobs

SMALL = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = SMALL | {"num_key_value_heads": 2, "pad_token_id": 0}
GEMMA = GROUPED | {"head_dim": 8, "final_logit_softcapping": None, "attn_logit_softcapping": None}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [4.0] * 4,
    "original_max_position_embeddings": 40,
}
ORIGINAL = {"original_max_position_embeddings": 300}
PHI3 = GROUPED | {"max_position_embeddings": 160, "original_max_position_embeddings": 40, "rope_parameters": LONGROPE}


def model_of(kind: str, **settings) -> transformers.PreTrainedModel:
    """A small model, its weights large enough for every part of it to matter."""
    config = getattr(transformers, f"{kind}Config")(bos_token_id=1, eos_token_id=2, **settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for each in model.parameters():
                each.normal_(0, 0.2)
    return model


@pytest.fixture
def llama() -> transformers.PreTrainedModel:
    return model_of("Llama", **GROUPED)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Llama", GROUPED),
        ("Qwen2", GROUPED),
        ("Qwen3", GROUPED | {"head_dim": 8}),
        ("Mistral", GROUPED | {"sliding_window": 300}),
        ("Phi", SMALL),
        ("Phi3", PHI3 | {"max_position_embeddings": 300, **ORIGINAL, "rope_parameters": LONGROPE | ORIGINAL}),
        ("Gemma2", GEMMA | {"sliding_window": 300}),
        ("GPT2", {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    ],
)
def test_models_that_can_be_packed(kind, settings) -> None:
    model = model_of(kind, **settings)
    assert reason_against(model, 300, 0) is None
    assert model.config._attn_implementation != "packed_responses"
    row = [[Encoded([3, 4, 5], [6, 7, 8, 2]), Encoded([3, 4, 5], [6, 9])], [Encoded([8, 9], [9])]]
    with torch.no_grad():
        model.eval()
        packed = packed_logprobs(model, Head(model.get_output_embeddings(), torch.float32), pack(row))
        padded = token_logprobs(model, [each for group in row for each in group], 0)
    torch.testing.assert_close(torch.cat(packed), torch.cat(padded), rtol=1e-4, atol=1e-4)


def test_half_precision_is_no_reason_against_packing(tiny_policy) -> None:
    assert reason_against(load_causal(read_policy(tiny_policy / "policy.json"), "bfloat16", "cpu"), 64, 0) is None


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("Mistral", GROUPED | {"sliding_window": 299}, "a window of 299 tokens"),
        ("Gemma2", GEMMA | {"attn_logit_softcapping": 30.0}, "its attention has softcap"),
        ("Gemma2", GEMMA | {"final_logit_softcapping": 30.0}, "is not what it says of single ones"),
        ("Cohere", GROUPED | {"logit_scale": 0.5}, "is not what it says of single ones"),
        ("Granite", GROUPED | {"logits_scaling": 3.0}, "is not what it says of single ones"),
        ("Nemotron", GROUPED, "it hands nothing on to its attention"),
        ("Doge", GROUPED, "its attention has a mask of its own"),
        ("Bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "no exchangeable attention"),
        ("GptOss", GROUPED | {"num_local_experts": 4, "head_dim": 8, "sliding_window": 300}, "its attention has s_aux"),
    ],
)
def test_models_that_are_padded(kind, settings, reason) -> None:
    assert reason in reason_against(model_of(kind, **settings), 300, 0)


def test_a_window_that_only_the_layers_know_of_is_seen(llama, monkeypatch) -> None:
    """The configuration says nothing, and sequences shorter than the window are none the worse for it."""
    attend = llama.model.layers[1].self_attn.forward

    def windowed(*given, **keywords):
        return attend(*given, **keywords, sliding_window=40)

    monkeypatch.setattr(llama.model.layers[1].self_attn, "forward", windowed)
    assert reason_against(llama, 40, 0) is None
    assert "a window of 40 tokens" in reason_against(llama, 41, 0)


@pytest.mark.parametrize("longest", [2, 3, 20, 200])
def test_what_no_packed_row_was_written_for_is_padded(llama, monkeypatch, longest) -> None:
    """Any exception of a model's own code, but not a lack of memory."""
    own = llama.model.forward

    def fails(error: Exception) -> None:
        def forward(*given, row=None, **keywords):
            if row is not None:
                raise error
            return own(*given, **keywords)

        monkeypatch.setattr(llama.model, "forward", forward)

    fails(IndexError("index out of range"))
    assert reason_against(llama, longest, 0) == "packed, it ends with IndexError (index out of range)"
    fails(torch.OutOfMemoryError("no memory"))
    with pytest.raises(torch.OutOfMemoryError):
        reason_against(llama, longest, 0)


@pytest.mark.parametrize(
    ("kind", "settings", "problem"),
    [
        (
            "XLNet",
            {"vocab_size": 64, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48},
            "depends on those beside",
        ),
        ("Bert", SMALL | {"is_decoder": False}, "depends on those beside it in a batch"),
        ("ProphetNet", {"vocab_size": 64, "hidden_size": 32}, "cannot read plain sequences of tokens"),
    ],
)
def test_models_that_are_refused(kind, settings, problem) -> None:
    with pytest.raises(InputError, match=problem):
        reason_against(model_of(kind, **settings), 30, 0)


def test_positions_that_are_scaled_by_the_longest_of_a_batch_are_refused_beyond_the_switch() -> None:
    model = model_of("Phi3", **PHI3)
    assert reason_against(model, 40, 0) is None
    with pytest.raises(InputError, match=r"at most 41 tokens depends on those.*\n.*set max_length to 40"):
        reason_against(model, 41, 0)


def test_a_model_that_draws_random_numbers_is_refused(llama) -> None:
    llama.model.embed_tokens.register_forward_hook(lambda _module, _inputs, output: output + torch.randn(1))
    with pytest.raises(InputError, match="something else each time"):
        reason_against(llama, 30, 0)


@pytest.mark.parametrize("training", [True, False])
def test_a_trial_leaves_a_model_as_it_was(llama, training) -> None:
    llama.train(training)
    before = copy.deepcopy(llama.state_dict())
    state = torch.get_rng_state()
    reason_against(llama, 30, 0)
    assert llama.training is training and all(each.grad is None for each in llama.parameters())
    assert all(torch.equal(each, before[name]) for name, each in llama.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=50, deadline=None)
@given(longest=st.integers(2, 300), named=st.integers(0, 63))
def test_a_trial_has_sequences_of_every_length_and_no_token_with_a_meaning(longest, named) -> None:
    model = MODEL
    model.config.image_token_id = named
    groups = trial(model, longest)
    for one, other in groups:
        first, second = (each.prompt_ids + each.response_ids for each in (one, other))
        assert len(first) == len(second) and first[: len(first) // 2] == second[: len(second) // 2]
        assert one.prompt_ids and one.response_ids
        assert not {0, 1, 2, named} & {*first, *second}
    assert len(groups[0][0]) == longest and len(groups[2][0]) <= 12


MODEL = model_of("Llama", **GROUPED)


def test_values_agree_up_to_the_rounding_of_their_precision() -> None:
    values, moved = torch.full((8,), -5.0), torch.full((8,), -5.0)
    moved[0] -= 0.01
    assert not agree([values], [moved], torch.float32) and agree([values], [moved], torch.bfloat16)
    moved[0] -= 9  # a token that rounding sent to other experts
    assert agree([values], [moved], torch.bfloat16)
    moved[:3] = float("nan")
    assert not agree([values], [moved], torch.bfloat16)


def next_logits_of(model):
    """The logits of two tokens after prompts, from a padded batch with a mask, by the model's own generate."""

    def next_logits(prompts) -> torch.Tensor:
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(each)) + each for each in prompts])
        mask = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in prompts])
        config = transformers.GenerationConfig(
            min_new_tokens=2, max_new_tokens=2, pad_token_id=0, output_logits=True, return_dict_in_generate=True
        )
        return torch.cat(model.generate(input_ids=ids, attention_mask=mask, generation_config=config).logits, dim=1)

    return next_logits


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("Llama", GROUPED, "any"),
        ("Bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}, "any"),
        ("Bart", {"vocab_size": 64, "d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 4}, "as long"),
        ("Rwkv", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}, "none"),
    ],
)
def test_with_whom_a_prompt_is_sampled(kind, settings, expected) -> None:
    """Bart counts padding as positions; RWKV's state of a batch is not that of its rows."""
    model = model_of(kind, **settings)
    assert company(model, 30, next_logits_of(model)) == expected
