"""Small models from random weights: their tokenizer, architecture and training loop."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast

from scripts.lib.config.policies import Architecture, Optimisation
from scripts.lib.errors import InputError
from scripts.lib.ids import seed_of

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
ROLES = ("<system>", "<user>", "<assistant>")
SPECIAL = (PAD, BOS, EOS, UNKNOWN, *ROLES)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<' + message['role'] + '>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)

WARMUP = 0.05
"""The share of the steps in which the learning rate rises."""

BUCKET = 50
"""Number of batches over which sequences are sorted by length."""


def train_tokenizer(kind: str, texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most ``vocabulary`` tokens with a chat template.

    words: one token per space-separated word, the most frequent first; unknown words become ``<unk>``, and decoding
    joins words by single spaces. bpe: byte-level byte-pair encoding; every text decodes to itself.
    """
    backend = _words(texts, vocabulary) if kind == "words" else _byte_pairs(texts, vocabulary)
    backend.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _words(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    if vocabulary <= len(SPECIAL):
        raise InputError("vocabulary", f"{vocabulary} leaves no token for words", f"give more than {len(SPECIAL)}")
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.split())
    words = sorted((word for word in counts if word not in SPECIAL), key=lambda word: (-counts[word], word))
    tokens = [*SPECIAL, *words][:vocabulary]
    backend = Tokenizer(models.WordLevel({token: index for index, token in enumerate(tokens)}, unk_token=UNKNOWN))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return backend


def _byte_pairs(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    least = len(SPECIAL) + len(alphabet)
    if vocabulary < least:
        raise InputError("vocabulary", f"{vocabulary} does not hold every byte", f"give at least {least} for bpe")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def tiny_llama_config(architecture: Architecture, tokenizer: PreTrainedTokenizerFast, max_length: int) -> LlamaConfig:
    """The configuration of a small Llama: SwiGLU layers of 8/3 the hidden size, tied embeddings.

    Weights are initialised with standard deviation sqrt(2 / (5 hidden)) (SmallInit in "Transformers without Tears",
    arXiv 1910.05895): Llama's own 0.02 suits a width of 1000, and narrow models learn more slowly from it.
    """
    hidden, heads = architecture.hidden_size, architecture.heads
    if hidden % heads or hidden // heads % 2:
        raise InputError(
            "hidden_size", f"{hidden} cannot be cut into {heads} heads of even size", "give heads x an even number"
        )
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=8 * hidden // 3,
        num_hidden_layers=architecture.layers,
        num_attention_heads=heads,
        max_position_embeddings=max_length,
        initializer_range=math.sqrt(2 / (5 * hidden)),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def fit(
    model: PreTrainedModel,
    lengths: Sequence[int],
    loss_of: Callable[[list[int]], torch.Tensor],
    optimisation: Optimisation,
) -> Iterator[tuple[int, int, float]]:
    """Train ``model`` in place with AdamW, a short warm-up and a cosine to zero; yields (step, steps, loss).

    lengths: of the training items, to batch items of similar length. loss_of: the mean loss of a batch of items, given
    by their indices. The same seed gives the same weights on one CPU thread.
    """
    steps = max(1, round(optimisation.epochs * len(lengths) / optimisation.batch_size))
    optimiser = torch.optim.AdamW(model.parameters(), lr=optimisation.learning_rate, weight_decay=0.0, fused=True)
    batches = _batches(lengths, optimisation)
    model.train()
    for step in range(1, steps + 1):
        optimiser.param_groups[0]["lr"] = optimisation.learning_rate * _schedule(step, steps)
        loss = loss_of(next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        yield step, steps, loss.item()
    model.eval()


def _schedule(step: int, steps: int) -> float:
    warmup = max(1, round(WARMUP * steps))
    if step <= warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup + 1)))


def _batches(lengths: Sequence[int], optimisation: Optimisation) -> Iterator[list[int]]:
    """Batches of items of similar length, in random order, epoch after epoch."""
    size = optimisation.batch_size
    epoch = 0
    while True:
        draw = random.Random(seed_of("epoch", optimisation.seed, epoch))
        order = list(range(len(lengths)))
        draw.shuffle(order)
        batches = []
        for start in range(0, len(order), BUCKET * size):
            bucket = sorted(order[start : start + BUCKET * size], key=lambda at: lengths[at])
            batches += [bucket[at : at + size] for at in range(0, len(bucket), size)]
        draw.shuffle(batches)
        yield from batches
        epoch += 1
