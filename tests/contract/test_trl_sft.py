"""Supervision and TRL's SFTTrainer agree, in float32, on the same conversations: their text, its tokens and its mask.

TRL finds the answers by the tags ``{% generation %}`` in a template (assistant_only_loss), we by the turns themselves.
"""

import copy
import os

import datasets
import pandas as pd
import pytest
import torch
from torch.utils.data import Sampler

from scripts.lib.chat import end_of_turn
from scripts.lib.encoding import Encoder
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.turns import encode_turns
from scripts.training.demonstrations import AnswersLesson, Demonstration
from scripts.training.step import accumulate, head_of
from scripts.training.supervise import train
from scripts.training.updates import batches
from tests.unit.test_supervise import conversations, spec_of

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
trl = pytest.importorskip("trl")

TAGGED = (
    "{{ bos_token }}{% for message in messages %}{{ '<' + message['role'] + '>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"
)
"""The didactic template, with its answers in tags."""
PLAIN = {"use_cpu": True, "bf16": False, "activation_checkpointing": False, "report_to": "none", "save_strategy": "no"}
SPEC = spec_of(epochs=2, batch_conversations=4, learning_rate=1e-3, warmup_ratio=0.2, max_length=24, batch_tokens=90)
COUNT = 11
"""So that the last step of an epoch is short; some are cut."""


@pytest.fixture
def tokenizer(tiny_policy):
    found = load_tokenizer(read_policy(tiny_policy / "policy.json"))
    found.chat_template = TAGGED
    return found


@pytest.fixture
def model(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"), device="cpu")


@pytest.fixture
def demonstrations(tokenizer) -> list[Demonstration]:
    encoded = Encoder(tokenizer).turns(conversations(COUNT), str)
    assert any(len(each) > SPEC.max_length for each in encoded)
    return [Demonstration(each.cut(SPEC.max_length)) for each in encoded]


class InOurOrder(trl.SFTTrainer):
    def _get_train_sampler(self, *args) -> Sampler:
        class Order(Sampler):
            epoch = 0

            def __len__(self) -> int:
                return COUNT

            def __iter__(self):
                Order.epoch += 1
                return iter(batches(COUNT, COUNT, Order.epoch, SPEC.seed)[-1])

        return Order()


def trainer_of(model, tokenizer, folder, **more) -> trl.SFTTrainer:
    arguments = trl.SFTConfig(str(folder), max_length=SPEC.max_length, assistant_only_loss=True, **(PLAIN | more))
    dataset = datasets.Dataset.from_dict({"messages": conversations(COUNT)})
    return InOurOrder(copy.deepcopy(model), arguments, train_dataset=dataset, processing_class=tokenizer)


def test_the_template_is_the_didactic_one(tokenizer) -> None:
    """Tags change no token, and an answer's end is in its place."""
    assert end_of_turn(tokenizer, conversations(1)[0][:1]) == tokenizer.eos_token
    plain = copy.deepcopy(tokenizer)
    plain.chat_template = TAGGED.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    for one, two in zip(*(encode_turns(each, conversations(COUNT)) for each in (tokenizer, plain)), strict=True):
        assert one.ids.tolist() == two.ids.tolist() and one.places == two.places


def test_one_batch(model, tokenizer, demonstrations, tmp_path) -> None:
    trainer = trainer_of(model, tokenizer, tmp_path)
    batch = trainer.data_collator(list(trainer.train_dataset))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    assert (batch["labels"] != -100).sum().item() == sum(each.learnt for each in demonstrations)

    lesson = AnswersLesson(demonstrations)
    found = accumulate(model, demonstrations, lesson, SPEC, tokenizer.pad_token_id, head_of(model, SPEC))
    assert found.mean().item() == pytest.approx(loss.item(), rel=1e-5)
    for (name, one), two in zip(model.named_parameters(), trainer.model.parameters(), strict=True):
        scale = two.grad.abs().max().item()
        assert scale > 0
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-5 * scale, msg=name)


def test_a_whole_training(model, tokenizer, demonstrations, tmp_path) -> None:
    """Two epochs of three steps, the last of each a short one: losses, gradient norms, and the final weights."""
    trainer = trainer_of(
        model,
        tokenizer,
        tmp_path,
        num_train_epochs=SPEC.epochs,
        per_device_train_batch_size=SPEC.batch_conversations,
        learning_rate=SPEC.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=SPEC.warmup_ratio,
        adam_beta1=SPEC.adam_beta1,
        adam_beta2=SPEC.adam_beta2,
        weight_decay=SPEC.weight_decay,
        max_grad_norm=SPEC.max_gradient_norm,
        logging_steps=1,
    )
    trainer.train()
    theirs = pd.DataFrame(trainer.state.log_history[:-1])
    before = copy.deepcopy(model.state_dict())
    rows = train(model, demonstrations, SPEC, tokenizer.pad_token_id)
    for name, of_trl in {"loss": "loss", "gradient_norm": "grad_norm", "learning_rate": "learning_rate"}.items():
        assert rows[name].tolist() == pytest.approx(theirs[of_trl].tolist(), rel=1e-4, abs=2e-5), name
    assert len(rows) == 6 and rows["conversations"].tolist() == [4, 4, 3] * 2
    for name, expected in trainer.model.state_dict().items():
        moved = (expected - before[name]).abs().max().item()
        assert moved > 0
        torch.testing.assert_close(model.state_dict()[name], expected, rtol=0, atol=1e-3 * moved, msg=name)
