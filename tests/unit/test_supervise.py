"""Supervision: the loss of every answer's tokens, whatever the layout, and the step."""

import copy
import json
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch

from scripts.lib.config.policies import SupervisedPolicy
from scripts.lib.encoding import Encoder, Rules
from scripts.lib.errors import InputError
from scripts.lib.ids import conversation_id
from scripts.lib.models import POLICY_FILES, load_causal, load_tokenizer, read_policy
from scripts.lib.schemas import CONVERSATIONS, SUPERVISION
from scripts.lib.tables import read_table, write_table
from scripts.training import updates
from scripts.training.checkpoints import Checkpoints
from scripts.training.demonstrations import AnswersLesson, Demonstration, read_demonstrations
from scripts.training.processes import Processes
from scripts.training.step import accumulate, head_of
from scripts.training.supervise import train
from tests.unit.test_processes import together

LETTERS = "abcdefgh"


def spec_of(**changes) -> SupervisedPolicy:
    how = {"learning_rate": 1e-2, "batch_conversations": 8, "epochs": 4, "max_length": 48, "precision": "float32"}
    return SupervisedPolicy(kind="supervised", start="tiny", demonstrations="talk", **(how | changes))


def conversations(count: int) -> list[list[dict[str, str]]]:
    """Of one to three questions: copy the list."""
    draw = random.Random(0)
    found = []
    for at in range(count):
        turns = []
        for _ in range(1 + at % 3):
            letters = " ".join(draw.choice(LETTERS) for _ in range(1 + draw.randrange(4)))
            turns += [{"role": "user", "content": f"copy the list : {letters}"}]
            turns += [{"role": "assistant", "content": letters}]
        found.append(turns)
    return found


@pytest.fixture
def table(tmp_path) -> Path:
    rows = [{"conversation_id": conversation_id(each), "conversation": each} for each in conversations(40)]
    frame = pd.DataFrame(rows).drop_duplicates("conversation_id")
    write_table(frame, tmp_path / "conversations.parquet", CONVERSATIONS)
    return tmp_path / "conversations.parquet"


@pytest.fixture(scope="module")
def tokenizer(tiny_policy):
    return load_tokenizer(read_policy(tiny_policy / "policy.json"))


@pytest.fixture
def model(tiny_policy):
    return load_causal(read_policy(tiny_policy / "policy.json"), device="cpu")


@pytest.fixture
def demonstrations(table, tokenizer) -> list[Demonstration]:
    return read_demonstrations(table, Encoder(tokenizer), 48)[0]


def directly(model, batch: list[Demonstration]) -> torch.Tensor:
    """The mean over all answers' tokens, from all logits of one conversation at a time."""
    found = []
    for each in batch:
        ids = torch.tensor(each.turns.ids.tolist())[None]
        logps = model(ids).logits[0].log_softmax(-1)
        found += [-logps[at - 1, ids[0, at]] for first, end in each.turns.places for at in range(first, end)]
    return torch.stack(found).mean()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("batch_tokens", [60, 10_000])
def test_the_gradient_is_that_of_the_mean_over_all_answers_tokens(
    model, tokenizer, demonstrations, packed, batch_tokens
) -> None:
    batch, other = demonstrations[:11], copy.deepcopy(model)
    expected = directly(other, batch)
    expected.backward()
    spec = spec_of(batch_tokens=batch_tokens)
    head = head_of(model, spec) if packed else None
    found = accumulate(model, batch, AnswersLesson(batch), spec, tokenizer.pad_token_id, head)
    assert found.shape == (1, len(batch)) and found.mean().item() == pytest.approx(expected.item(), rel=1e-5)
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        scale = two.grad.abs().max().item()
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-5 * scale, msg=name)


def test_questions_are_read_and_not_learnt(model, tokenizer, demonstrations) -> None:
    """The loss is one of answers alone: another model of the last question's words would have the same."""
    each = next(each for each in demonstrations if len(each.turns.places) == 2)
    question = range(each.turns.places[0][1], each.turns.places[1][0])
    assert len(question) > 4 and each.tokens > each.learnt
    values = torch.full((each.tokens - each.turns.places[0][0],), -1.0, requires_grad=True)
    AnswersLesson([each]).measured([each], [values], []).sum().backward()
    start = each.turns.places[0][0]
    assert not values.grad[[at - start for at in question]].any()
    assert values.grad.sum().item() == pytest.approx(-1.0)


def test_training_teaches_the_answers(model, tokenizer, demonstrations) -> None:
    rows = train(model, demonstrations, spec_of(epochs=8), tokenizer.pad_token_id)
    assert rows["loss"].iloc[-1] < 0.7 * rows["loss"].iloc[0] and not model.training
    assert (rows["learnt_tokens"] < rows["tokens"]).all() and rows["conversations"].max() == 8
    assert rows["learning_rate"].iloc[0] < 1e-2 > rows["learning_rate"].iloc[-1]


def test_packed_and_padded_steps_train_alike(model, tokenizer, demonstrations, monkeypatch) -> None:
    other = copy.deepcopy(model)
    one = train(model, demonstrations, spec_of(), tokenizer.pad_token_id)
    monkeypatch.setattr(updates, "reason_against", lambda *_: "asked not to")
    two = train(other, demonstrations, spec_of(batch_tokens=300), tokenizer.pad_token_id)
    assert one["loss"].tolist() == pytest.approx(two["loss"].tolist(), rel=1e-4)


def test_a_killed_job_goes_on_to_the_same_weights(model, tokenizer, demonstrations, tmp_path) -> None:
    spec, pad_id = spec_of(checkpoint_every=3), tokenizer.pad_token_id
    whole, resumed = copy.deepcopy(model), copy.deepcopy(model)
    rows = train(whole, demonstrations, spec, pad_id)

    class Killed(Checkpoints):
        def save(self, step, state):
            super().save(step, state)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, demonstrations, spec, pad_id, Killed(tmp_path, "0" * 64))
    again = train(resumed, demonstrations, spec, pad_id, Checkpoints(tmp_path, "0" * 64))
    pd.testing.assert_frame_equal(rows, again)
    for (name, one), two in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, two), name


def weights_of(processes: Processes, policy: Path, demonstrations: list[Demonstration]) -> tuple:
    model = load_causal(read_policy(policy / "policy.json"), device="cpu")
    rows = train(model, demonstrations, spec_of(epochs=1), 0, processes=processes)
    return rows, processes.whole(model.state_dict())


def test_two_processes_train_as_one_does(model, tiny_policy, demonstrations, tmp_path) -> None:
    work = partial(weights_of, policy=tiny_policy, demonstrations=demonstrations)
    rows, weights = together(2, work, tmp_path / "found.pt")
    expected = train(model, demonstrations, spec_of(epochs=1), 0)
    assert rows["loss"].tolist() == pytest.approx(expected["loss"].tolist(), rel=1e-4)
    assert rows["learnt_tokens"].tolist() == expected["learnt_tokens"].tolist()
    for name, each in model.state_dict().items():
        torch.testing.assert_close(weights[name], each, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("max_length", [4, 12, 20, 48])
def test_what_max_length_cuts_is_counted(table, tokenizer, max_length) -> None:
    whole, told = read_demonstrations(table, Encoder(tokenizer), 10_000)
    assert told["truncation"] | {"max_length": 0} == dict.fromkeys(told["truncation"], 0) and not told["dropped"]
    kept, counts = read_demonstrations(table, Encoder(tokenizer), max_length)
    dropped = counts["dropped"].get("no_room_in_max_length", 0)
    assert counts["conversations_read"] == len(whole) == len(kept) + dropped
    assert counts["truncation"]["longer_than_max_length"] == sum(each.tokens > max_length for each in whole)
    assert all(each.tokens <= max_length and each.learnt for each in kept)
    left = [each for each in whole if each.turns.cut(max_length).places]
    assert counts["learnt_tokens"] + counts["truncation"]["answer_tokens_cut"] == sum(each.learnt for each in left)
    answers = sum(len(each.turns.places) for each in left)
    assert counts["answers"] + counts["truncation"]["answers_left_out"] == answers


def test_rows_that_the_template_refuses_are_named_or_counted(table, tokenizer) -> None:
    """A template that begins an answer with a word of its own only where the conversation ends."""
    rewriting = copy.deepcopy(tokenizer)
    word = "('answer ' if loop.last and message['role'] == 'assistant' else '') + message['content']"
    rewriting.chat_template = tokenizer.chat_template.replace("message['content']", word)
    with pytest.raises(InputError, match=r"conversations.parquet, row 1: .*turn 1 otherwise"):
        read_demonstrations(table, Encoder(rewriting), 48)
    kept, counts = read_demonstrations(table, Encoder(rewriting, Rules(refused="drop")), 48)
    assert {len(each.turns.places) for each in kept} == {1}
    assert counts["dropped"]["turn_rewritten"] == counts["conversations_read"] - len(kept) > 0


def test_the_step_makes_a_policy(table, tiny_policy, tmp_path) -> None:
    flags = {"name": "taught", "spec": spec_of().model_dump_json(), "policy": tiny_policy / "policy.json"}
    flags |= {"demonstrations": table, "checkpoints": tmp_path / "checkpoints"}
    flags |= {"log": tmp_path / "taught.parquet", "out": tmp_path / "taught"}
    command = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "scripts.training.supervise", *command], check=True, capture_output=True)
    card, start = read_policy(tmp_path / "taught/policy.json"), read_policy(tiny_policy / "policy.json")
    assert (card.name, card.kind, card.max_length, card.rules) == ("taught", "supervised", 64, start.rules)
    assert sorted(card.files) == sorted(POLICY_FILES) and not (tmp_path / "checkpoints").exists()
    moved = load_causal(card, device="cpu").state_dict()
    before = load_causal(start, device="cpu").state_dict()
    assert all(not torch.equal(moved[name], before[name]) for name in before)
    rows = read_table(tmp_path / "taught.parquet", SUPERVISION)
    told = json.loads((tmp_path / "taught.card.json").read_text())
    assert rows["learnt_tokens"].sum() == 4 * told["learnt_tokens"] and told["start"] == "tiny"
    assert load_tokenizer(card).chat_template == load_tokenizer(start).chat_template
