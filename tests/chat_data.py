"""Chat templates of real model families, in their essentials, and small tokenizers of the kinds that go with them."""

import json
from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "the quick brown fox jumps over the lazy dog . name a prime . seven is a prime number , nine is not . what is it ?",
    "[INST] [/INST] USER: ASSISTANT: User Assistant system user assistant model <|user|> <|assistant|> <|system|> hi !",
] * 3

TURNS = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
ASKED = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
CHATML = TURNS + ASKED

IN_BRACKETS = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ASSISTANT }}{% else %}{{ raise_exception('no system turn') }}{% endif %}"
    "{% endfor %}"
)
PIPES = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + END }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)
HEADERS = (
    "{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)

FAMILIES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    # name: (kind of tokenizer, template, control tokens, end-of-text token)
    "llama-2": ("spm", IN_BRACKETS.replace("ASSISTANT", "' ' + m.content + ' ' + eos_token"), (), "</s>"),
    "mistral-0.1": ("spm", IN_BRACKETS.replace("ASSISTANT", "' ' + m.content + eos_token"), (), "</s>"),
    "mistral-0.3": (
        "spm",
        IN_BRACKETS.replace("ASSISTANT", "' ' + m.content | trim + eos_token"),
        ("[INST]", "[/INST]"),
        "</s>",
    ),
    "vicuna": (
        "spm",
        "{{ bos_token + 'A chat. ' }}{% for m in messages %}{% if m.role == 'user' %}{{ 'USER: ' + m.content + ' ' }}"
        "{% else %}{{ 'ASSISTANT: ' + m.content + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
        (),
        "</s>",
    ),
    "zephyr": ("spm", PIPES.replace("END", "eos_token + '\\n'"), (), "</s>"),
    "tulu": (
        "bytes",
        "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% if not loop.last %}{{ '\\n' }}{% endif %}"
        "{% if loop.last and add_generation_prompt %}{{ '\\n<|assistant|>\\n' }}{% endif %}{% endfor %}",
        (),
        "<|end_of_text|>",
    ),
    "llama-3": ("bytes", HEADERS, ("<|start_header_id|>", "<|end_header_id|>"), "<|eot_id|>"),
    "qwen": (
        "bytes",
        "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{% endif %}"
        + CHATML,
        ("<|im_start|>", "<|endoftext|>"),
        "<|im_end|>",
    ),
    "qwen-3": (
        "bytes",
        "{% for m in messages %}{% if m.reasoning_content is string %}"
        "{% set said = m.content %}{% set thought = m.reasoning_content %}{% else %}"
        "{% set said = m.content.split('</think>')[-1].lstrip('\\n') %}"
        "{% set thought = m.content.split('</think>')[0].split('<think>')[-1] if '</think>' in m.content else '' %}"
        "{% endif %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' and loop.last %}"
        "{{ '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}{% endif %}"
        "{{ said + '<|im_end|>\\n' }}{% endfor %}" + ASKED,
        ("<|im_start|>",),
        "<|im_end|>",
    ),
    "kimi-k2": (
        "bytes",
        "{% for m in messages %}{{ '<|im_' + m.role + '|>' + m.role + '<|im_middle|>' }}"
        "{% if m.role == 'assistant' %}{{ '<think>' + (m.reasoning_content or '' if loop.last else '') + '</think>' }}"
        "{% endif %}{{ m.content + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_assistant|>assistant<|im_middle|>' }}{% endif %}",
        ("<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>"),
        "<|im_end|>",
    ),
    "gpt-oss": (
        "bytes",
        "{% for m in messages %}{% if m.role != 'assistant' %}{{ '<|start|>' + m.role + '<|message|>' + m.content }}"
        "{{ '<|end|>' }}{% else %}{% if m.thinking and loop.last %}"
        "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{% endif %}"
        "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content }}"
        "{{ '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}",
        ("<|start|>", "<|message|>", "<|channel|>", "<|end|>"),
        "<|return|>",
    ),
    "yi": ("spm", CHATML, ("<|im_start|>", "<|im_end|>"), "<|endoftext|>"),
    "smollm": ("bytes", CHATML, ("<|im_start|>",), "<|im_end|>"),
    "gemma": (
        "spm",
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' "
        "+ m.content | trim + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
        ("<start_of_turn>", "<end_of_turn>"),
        "<eos>",
    ),
    "phi-3": (
        "spm",
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        "<|endoftext|>",
    ),
    "deepseek": (
        "bytes",
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content + '\\n\\n' }}"
        "{% elif m.role == 'assistant' %}{{ 'Assistant: ' + m.content + eos_token }}"
        "{% else %}{{ m.content + '\\n\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
        (),
        "<|end of sentence|>",
    ),
    "command-r": (
        "bytes",
        "{{ bos_token }}{% for m in messages %}{% set who = 'CHATBOT' if m.role == 'assistant' else m.role | upper %}"
        "{{ '<|START_OF_TURN_TOKEN|><|' + who + '_TOKEN|>' + m.content.strip() + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        ("<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|USER_TOKEN|>", "<|SYSTEM_TOKEN|>"),
        "<|END_OF_TURN_TOKEN|>",
    ),
    "olmo": (
        "bytes",
        "{{ eos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content }}"
        "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% if not loop.last %}{{ '\\n' }}{% endif %}"
        "{% if loop.last and add_generation_prompt %}{{ '\\n<|assistant|>\\n' }}{% endif %}{% endfor %}",
        (),
        "<|endoftext|>",
    ),
    "falcon-3": (
        "bytes",
        "{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content }}{% if m.role == 'assistant' %}{{ eos_token }}"
        "{% endif %}{% if not loop.last or add_generation_prompt %}{{ '\\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>"),
        "<|endoftext|>",
    ),
    "granite": (
        "bytes",
        "{% for m in messages %}{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content }}"
        "{{ '<|end_of_text|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
        ("<|start_of_role|>", "<|end_of_role|>"),
        "<|end_of_text|>",
    ),
    "trailing space": (
        "bytes",
        "{% for m in messages %}{{ m.role + ': ' + m.content + (eos_token if m.role == 'assistant' else '') + '\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
        (),
        "</s>",
    ),
}
"""The last one's generation prompt ends in a space, which byte-level tokenizers put into the next word's token."""

THINKING = {"qwen-3": "reasoning_content", "kimi-k2": "reasoning_content", "gpt-oss": "thinking"}
"""Families whose templates take an assistant's reasoning in a field -> the field."""


@cache
def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """A small tokenizer with a family's template, pre-tokenization and control tokens. Shared: do not change it."""
    kind, template, control, end = FAMILIES[family]
    bos = "<s>" if "bos_token" in template else None
    special = list(dict.fromkeys(["<unk>", *filter(None, [bos]), end, *control]))
    return tokenizer(kind, template, special, bos_token=bos, eos_token=end)


def tokenizer(kind: str, template: str, special: list[str], **named: str | None) -> PreTrainedTokenizerFast:
    """bytes: byte-level pairs, as GPT-2. spm: SentencePiece's pairs with bytes to fall back on, as Llama 2."""
    named = {name: token for name, token in named.items() if token}
    if kind == "bytes":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
        backend.train_from_iterator(CORPUS, trainer)
    else:
        backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        backend.decoder = decoders.Sequence(parts)
        words = [word for text in CORPUS for word in text.split()]
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False, max_token_length=8)
        backend.train_from_iterator(words + [f" {word}" for word in words] + CORPUS, trainer)
        backend = _with_bytes(backend)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<unk>", chat_template=template, **named
    )


def _with_bytes(backend: Tokenizer) -> Tokenizer:
    """The tokenizer with every byte in its vocabulary; a SentencePiece model has them as ordinary tokens."""
    content = json.loads(backend.to_str())
    vocabulary = content["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    return Tokenizer.from_str(json.dumps(content))
