"""A small ranker in PairRM's layouts: its weights cannot be had here, so tests build, train and save one."""

import json
import string
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import logsigmoid
from transformers import DebertaV2Config, PreTrainedTokenizerFast

from scripts.lib.pair_rm import PairNetwork, PairRM
from scripts.lib.pair_rm_text import PREFIXES, PairText
from scripts.lib.rankers import Comparison
from tests.scoring_data import WORDS

CONTROL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "relative_attention": True,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "max_relative_positions": -1,
    "initializer_range": 0.3,
}
"""DeBERTa-v3's kind of attention, small."""


def base_tokenizer() -> PreTrainedTokenizerFast:
    """A Unigram tokenizer as DeBERTa-v3's: control tokens are pieces of the best score, so that text can match them."""
    words = [(f"▁{word}", -2.0) for word in WORDS.split()]
    letters = [(each, -6.0) for each in ["▁", *string.ascii_letters, *string.punctuation]]
    backend = Tokenizer(models.Unigram([(each, 0.0) for each in CONTROL] + words + letters, unk_id=3))
    backend.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC()])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = dict(zip(("pad_token", "cls_token", "sep_token", "unk_token"), CONTROL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, mask_token="[MASK]", **names)


def pair_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = base_tokenizer()
    tokenizer.add_tokens(list(PREFIXES))
    return tokenizer


def tiny_pair_rm(source_length: int = 24, candidate_length: int = 12, as_conversation: bool = False) -> PairRM:
    """Random weights, sharp enough that all tokens matter."""
    tokenizer = pair_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = PairNetwork(DebertaV2Config(vocab_size=len(tokenizer), **SHAPE))
        for each in (network.head_layer[1], network.head_layer[4]):
            torch.nn.init.normal_(each.weight, std=0.5)
    return PairRM("tiny", network.eval(), PairText(tokenizer, source_length, candidate_length, as_conversation))


def train(ranker: PairRM, comparisons: list[Comparison], steps: int = 60) -> None:
    """Both orders of each comparison, whose first response is the better one, as its authors train."""
    orders = [ranker.both_orders(*each) for each in comparisons]
    sequences = [ids for two in orders for ids in two]
    signs = torch.tensor([1.0, -1.0] * len(orders))
    optimiser = torch.optim.AdamW(ranker.network.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = -logsigmoid(signs * ranker.outputs(sequences)).mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()


def save_hf(ranker: PairRM, folder: Path) -> Path:
    """As llm-blender/PairRM-hf: one model with its own tokenizer."""
    folder.mkdir()
    text = ranker.text
    ids = dict(zip(("source", "cand1", "cand2", "cand"), text.tokenizer.convert_tokens_to_ids(PREFIXES), strict=True))
    config = ranker.network.pretrained_model.config.to_dict()
    config |= {"architectures": ["DebertaV2PairRM"], "n_tasks": 1, "drop_out": 0.05, "sep_token_id": text.end}
    config |= {f"{name}_prefix_id": at for name, at in ids.items()}
    (folder / "config.json").write_text(json.dumps(config))
    text.tokenizer.save_pretrained(folder)
    save_file(ranker.network.state_dict(), folder / "model.safetensors")
    return folder


def save_over_base(ranker: PairRM, folder: Path, base: Path) -> Path:
    """As llm-blender/PairRM: all weights, and the name of the base whose architecture and tokenizer they need."""
    folder.mkdir()
    tokenizer = base_tokenizer()
    config = ranker.network.pretrained_model.config.to_dict() | {"vocab_size": len(tokenizer) + 100}  # padded
    base.mkdir()
    (base / "config.json").write_text(json.dumps(config))
    tokenizer.save_pretrained(base)
    settings = {"ranker_type": "pairranker", "model_type": "deberta", "model_name": str(base), "n_tasks": 1}
    for file in ("config.json", "ranker_config.json"):
        (folder / file).write_text(json.dumps(settings))
    old = {"pretrained_model.embeddings.position_ids": torch.arange(8).unsqueeze(0)}
    save_file(ranker.network.state_dict() | old, folder / "model.safetensors")
    return folder
