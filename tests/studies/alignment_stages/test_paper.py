"""The paper's own setting: what its policies are supervised on, and the template of those that have none."""

from pathlib import Path

import pytest

from scripts.lib.chat import end_of_turn
from scripts.lib.turns import Turns, encode_turns
from scripts.workflow.configuration import checked
from tests.chat_data import tokenizer
from tests.configurations import layers, merged
from tests.unit.test_chat_families import conversation

PAPER = Path("studies/alignment_stages/paper.yaml")


def test_three_base_models_are_supervised_on_ultrachat() -> None:
    files = layers(PAPER)
    config = checked(merged(*files), files)
    named = [each.policy for each in config.alignment_stages.policies]
    taught = {name: config.policies[name] for name in named if config.policies[name].kind == "supervised"}
    assert [each.model.split("/")[1] for each in (config.policies[spec.start] for spec in taught.values())] == [
        "phi-2",
        "pythia-6.9b",
        "Qwen2.5-1.5B",
    ]
    for spec in taught.values():
        assert (spec.learning_rate, spec.batch_conversations, spec.epochs, spec.warmup_ratio) == (2e-5, 128, 1, 0.1)
        template = config.policies[spec.start].chat_template
        assert template is None or Path(template).is_file()


@pytest.mark.parametrize("bos", ["<|endoftext|>", None])
def test_the_template_of_base_models_holds_whole_conversations(bos: str | None) -> None:
    """Byte-level pairs whose end-of-text token begins texts, too, as those of Phi-2 and Pythia."""
    template = PAPER.with_name("base_models.jinja").read_text()
    tokens = tokenizer("bytes", template, ["<unk>", "<|endoftext|>"], eos_token="<|endoftext|>", bos_token=bos)
    messages = [{"role": "system", "content": "be kind"}, *conversation("hi", "seven is", "what ?", "a prime")]
    (found,) = encode_turns(tokens, [messages])
    assert isinstance(found, Turns) and end_of_turn(tokens, messages[:-1]) == "<|endoftext|>"
    said = [tokens.decode(found.ids[first:end]) for first, end in found.places]
    assert said == ["seven is<|endoftext|>", "a prime<|endoftext|>"]
