"""Tiny models with random weights of all architectures that transformers maps to causal models and to classifiers."""

from typing import Any

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)

KINDS = {
    "causal": (MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM),
    "classifier": (MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoModelForSequenceClassification),
}

VOCABULARY = 128
LAYERS = 4
WINDOW = 64
"""Tokens from which windows, chunks, compressions and scalings of positions set in."""

POSITIONS = 512
MOST = 5_000_000
"""Parameters of a tiny model at most."""

BY_VALUE: list[tuple[int, str]] = [
    (VOCABULARY, "vocab_size vocab_size_per_layer_input n_vocab"),
    (
        32,
        "hidden_size d_model n_embd dim emb_dim embedding_size word_embed_proj_dim attention_hidden_size embed_dim "
        "mamba_d_ssm lru_width max_2d_position_embeddings coordinate_size",
    ),
    (
        64,
        "intermediate_size moe_intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim d_ff dff d_inner hidden_dim "
        "dim_ff shared_expert_intermediate_size shared_intermediate_size ffn_hidden_size expert_ffn_hidden_size "
        "n_inner shared_experts_intermediate_size",
    ),
    (
        LAYERS,
        "num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers num_decoder_layers "
        "num_encoder_layers num_blocks max_window_layers num_attention_heads n_head n_heads num_heads "
        "decoder_attention_heads encoder_attention_heads linear_num_value_heads swa_num_attention_heads num_experts "
        "n_routed_experts num_local_experts moe_num_experts",
    ),
    (
        2,
        "num_key_value_heads num_kv_heads linear_num_key_heads swa_num_key_value_heads num_experts_per_tok "
        "num_experts_per_token moe_k moe_topk eos_token_id sep_token_id",
    ),
    (
        8,
        "head_dim d_head d_kv v_head_dim qk_nope_head_dim linear_key_head_dim linear_value_head_dim index_head_dim "
        "swa_head_dim linear_head_dim dim_head attention_head_dim kv_channels hidden_size_per_layer_input state_size "
        "mamba_d_state",
    ),
    (4, "qk_rope_head_dim rotary_dim index_n_heads"),
    (16, "kv_lora_rank q_lora_rank o_lora_rank"),
    (
        1,
        "n_group topk_group num_expert_group n_groups mamba_n_groups n_shared_experts num_shared_experts "
        "moe_num_shared_experts bos_token_id",
    ),
    (0, "pad_token_id"),
    (POSITIONS, "max_position_embeddings n_positions max_seq_len n_ctx model_max_length"),
    (
        WINDOW,
        "sliding_window window_size sliding_window_size keep_window_size index_topk attention_chunk_size "
        "original_max_position_embeddings local_attention",
    ),
]
SIZES = {name: value for value, names in BY_VALUE for name in names.split()}
"""Values for the fields of configurations, by name."""

MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_chunk_size": 16}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
HYBRID = ["linear_attention", "linear_attention", "hybrid", "linear_attention", "linear_attention", "hybrid"]
CONV = ["conv", "full_attention", "conv", "full_attention"]
ZAMBA = {"num_hidden_layers": 6, "layers_block_type": HYBRID, "num_key_value_heads": 4}
INDEXER = {
    "indexer_n_heads": 2,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 8,
    "indexer_budget": WINDOW,
    "indexer_compress_ratio": 4,
    "hc_lowrank": 8,
}
OVERRIDES: dict[str, dict[str, Any]] = {
    "axk1": {"head_dim": 4},
    "bailing_hybrid": {"layer_group_size": 2},
    "bamba": MAMBA | {"attn_layer_indices": [1, 3]},
    "cohere_compass_text": {"rope_parameters": {"full_attention": ROPE, "sliding_attention": ROPE}},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v3": {"head_dim": 4},
    "esmc": {"num_key_value_heads": 4},
    "falcon_h1": MAMBA | {"mamba_n_heads": 4},
    "gemma3n_text": {"num_kv_shared_layers": 0},
    "gemma4_unified_text": {"num_kv_shared_layers": 0},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "granitemoehybrid": MAMBA | {"layer_types": ["mamba", "attention"] * 2},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1},
    "kimi_linear": {"layer_types": ["linear_attention", "full_attention"] * 2},
    "lfm2": {"layer_types": CONV},
    "lfm2_moe": {"layer_types": CONV},
    "longcat_flash": {"head_dim": 4},
    "luke": {"entity_vocab_size": 64, "entity_emb_size": 32},
    "mamba2": {"num_heads": 8, "head_dim": 8, "chunk_size": 16},
    "qwen4_exp_text": INDEXER,
    "reformer": {"axial_pos_shape": [16, 32], "axial_pos_embds_dim": [8, 24], "attn_layers": ["local", "lsh"] * 2},
    "roc_bert": dict.fromkeys(
        ("pronunciation_vocab_size", "shape_vocab_size", "pronunciation_embed_dim", "shape_embed_dim"), 8
    ),
    "t5": {"decoder_start_token_id": 0},
    "xmod": {"default_language": "en_XX"},
    "youtu": {"head_dim": 4},
    "zamba": ZAMBA | {"attention_hidden_size": 64, "attention_head_dim": 16, "mamba_dt_rank": 8},
    "zamba2": ZAMBA | {"attention_hidden_size": 64, "attention_head_dim": 16, "mamba_headdim": 8},
    "zaya": {"num_experts_per_tok": 1},
}
"""What the names do not settle, by type of model."""

NOT_TRIED = {
    "blt": "its parts cannot be made small",
    "dots3_note": "its layers' own sizes cannot be made small",
    "dots3_note_text": "its layers' own sizes cannot be made small",
    "gemma3n": "its vision model needs timm",
    "gemma4_assistant": "drafts for another model",
    "gemma4_unified_assistant": "drafts for another model",
    "layoutlmv2": "needs detectron2",
    "layoutlmv3": "reads boxes and images",
    "lilt": "reads boxes",
    "musicgen": "writes sound",
    "musicgen_melody": "writes sound",
    "perceiver": "its parts cannot be made small",
}
"""Architectures that are not built here, and why."""


def mapped(kind: str) -> set[str]:
    """The types of models that transformers itself maps to ``kind``, causal or classifier; others may register more."""
    return {each.model_type for each in KINDS[kind][0] if each.__module__.startswith("transformers.")}


def names(kind: str) -> list[str]:
    """Those of them that are not in NOT_TRIED."""
    return sorted(mapped(kind) - NOT_TRIED.keys())


def config_of(kind: str, name: str) -> PretrainedConfig:
    """A configuration of type ``name`` with small sizes."""
    config_class = next(each for each in KINDS[kind][0] if each.model_type == name)
    decoder = kind == "causal" and "is_decoder" in config_class().to_dict()
    return _small(config_class, {"num_labels": 1} if kind == "classifier" else {"is_decoder": True} if decoder else {})


def _small(config_class: type[PretrainedConfig], more: dict[str, Any]) -> PretrainedConfig:
    whole = config_class()
    known = whole.to_dict()
    values = {name: value for name, value in SIZES.items() if name in known}
    if "kv_lora_rank" in known and "num_key_value_heads" in known:  # keys and values of all heads from one
        values["num_key_value_heads"] = SIZES["num_attention_heads"]
    tokens = [name for name in known if name.endswith(("_token_id", "_token_index")) and name not in SIZES]
    values |= {name: 3 + at for at, name in enumerate(tokens) if isinstance(known[name], int)}
    for name in getattr(config_class, "sub_configs", None) or ():
        if (part := getattr(whole, name, None)) is not None:
            values[name] = _small(type(part), {}).to_dict()
    return config_class(**values | OVERRIDES.get(config_class.model_type, {}) | more)


def tiny(kind: str, name: str) -> PreTrainedModel:
    """A model in eval mode, its matrices drawn large enough that every part of it matters."""
    config, model_class = config_of(kind, name), KINDS[kind][1]
    with torch.device("meta"):
        size = sum(each.numel() for each in model_class.from_config(config).parameters())
    if size > MOST:
        raise ValueError(f"{size:,} parameters")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = model_class.from_config(config)
        with torch.no_grad():
            for each in model.parameters():
                if each.ndim > 1:
                    each.normal_(0, 0.2)
    return model.float().eval()
