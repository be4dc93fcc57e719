"""Rows that a chat template refuses: named, or dropped and counted; the reading of what a policy said itself."""

import json
import sys

import pandas as pd
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.lib.chat import Answer, Encoded, encode, encode_all, end_ids
from scripts.lib.config.policies import GivenPolicy
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.encoding import Encoder, Rules, digest_of_tokens
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.models import load_causal, load_tokenizer, read_policy, write_policy
from scripts.lib.sampling import HALF, Drawn, Sampler, TransformersSampler, text_of
from scripts.lib.schemas import LOGPROBS, PROMPTS, RESPONSES, SAMPLES
from scripts.lib.tables import read_json, read_table, write_table
from scripts.logprobs import compute
from scripts.samples import sample
from scripts.training.given import card_of
from tests.chat_data import FAMILIES, tokenizer_of

QA = [
    ("name a prime .", "seven is a prime number ."),
    ("hi !", "hi ! what is it ?"),
    ("what is it ?", "nine , is it ?"),
]
SYSTEM = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi !"}]
LONG = SamplingSpec(temperature=0, max_new_tokens=60, precision="float32")


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def learnt(family: str, answers: list[tuple[str, str]]) -> LlamaForCausalLM:
    """A small model that has learnt some conversations by heart, from the template's own text."""
    tokenizer = tokenizer_of(family)
    whole = []
    for question, answer in answers:
        messages = [*asked(question), {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        whole.append(torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]]))
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes, **ends))
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(50):
            sum(model(input_ids=ids, labels=ids).loss for ids in whole).backward()
            optimiser.step()
            optimiser.zero_grad()
    return model.eval()


@torch.no_grad()
def logprob(model, encoded) -> float:
    ids = torch.tensor([encoded.prompt_ids + encoded.response_ids])
    values = model(input_ids=ids).logits[0].log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])
    return values[len(encoded.prompt_ids) - 1 :].sum().item()


SLOW = [pytest.param(family, marks=pytest.mark.slow) for family in ("vicuna", "llama-3", "phi-3", "qwen-3", "gemma")]


@pytest.mark.parametrize("family", ["llama-2", "trailing space", *SLOW])
def test_a_policys_own_greedy_answer_is_read_as_it_was_drawn(family, monkeypatch):
    """As likely when stored and read back as when drawn: tokens, spaces and the end are the same."""
    known, tokens = QA[:2], {}
    tokenizer, model = tokenizer_of(family), learnt(family, known)
    draw = TransformersSampler.draw

    def spy(self, rows, spec):
        found = draw(self, rows, spec)
        tokens.update({row.prompt_id: Encoded(row.ids, each.tokens) for row, each in zip(rows, found, strict=True)})
        return found

    monkeypatch.setattr(TransformersSampler, "draw", spy)
    drawn = TransformersSampler(model, tokenizer, 200).sample([asked(q) for q, _ in known], ["a", "b"], LONG)
    for (question, answer), each in zip(known, drawn, strict=True):
        said = f"<think>\n\n</think>\n\n{answer}" if family == "qwen-3" else answer
        assert (each.text.strip(), each.finished, each.as_drawn) == (said, True, True)
        again = encode(tokenizer, asked(question), each.text.strip(), 200)
        end = end_ids(tokenizer, asked(question))[-1]
        assert again.response_ids == [*tokens[each.prompt_id].response_ids, end]
        assert again.prompt_ids == tokens[each.prompt_id].prompt_ids


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_sample_is_marked_and_has_no_half_character(family):
    """Wherever the cut falls in a text of characters of one to four bytes, what is learnt are the tokens drawn."""
    tokenizer = tokenizer_of(family)
    whole = encode(tokenizer, asked("hi"), "é 你 😀 prime", 1000, finished=False)
    gap = encode(tokenizer, asked("hi"), "x", 1000, finished=False).response_ids[:-1]
    for count in range(len(gap), len(whole.response_ids) + 1):
        tokens = whole.response_ids[:count]
        text = text_of(tokenizer, Drawn(tokens, finished=False))
        assert HALF not in text
        again = encode(tokenizer, asked("hi"), text.strip(), 1000, finished=False).response_ids
        assert tokens[: len(again)] == again


def test_a_thought_that_was_cut_short_is_learnt_as_it_was_drawn():
    """The template itself would put an empty thought before it."""
    tokenizer = tokenizer_of("qwen-3")
    ids = encode(tokenizer, asked("hi"), "<think>\nseven is", 1000, finished=False).response_ids
    assert tokenizer.decode(ids) == "<think>\nseven is"


class Scripted(Sampler):
    """Draws given tokens."""

    def __init__(self, tokenizer, draws):
        super().__init__(tokenizer, 200)
        self.draws = draws

    def batches(self, rows, spec):
        return [list(range(len(rows)))]

    def draw(self, rows, spec):
        return self.draws


def test_a_draw_that_is_read_as_other_tokens_is_counted():
    tokenizer = tokenizer_of("llama-3")
    (token,) = tokenizer("prime", add_special_tokens=False)["input_ids"][:1]
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in "prime"]
    draws = [
        Drawn([letters[0], *letters[1:]], True),
        Drawn(tokenizer("prime", add_special_tokens=False).input_ids, True),
    ]
    found = Scripted(tokenizer, draws).sample([asked("a"), asked("b")], ["a", "b"], LONG)
    assert token not in letters and [each.text for each in found] == ["prime", "prime"]
    assert [each.as_drawn for each in found] == [False, True]


def test_one_row_that_is_refused_is_named_or_dropped_and_counted():
    prompts, place = [asked("hi"), SYSTEM, asked("say [/INST]")], "t.parquet, row {}".format
    answers = [Answer(prompt, "seven") for prompt in prompts]
    tokenizer = tokenizer_of("mistral-0.1")
    with pytest.raises(
        InputError, match=r"t.parquet, row 1: .*no system turn[\s\S]*refused: drop in the policy's entry"
    ):
        Encoder(tokenizer).answers(answers, place)
    for method, items in (("answers", answers), ("prompts", prompts)):
        encoder = Encoder(tokenizer, Rules(refused="drop"))
        found = getattr(encoder, method)(items, place)
        assert [each is None for each in found] == [False, True, True]
        assert encoder.dropped == {"refused_by_template": 1, "turn_in_text": 1}


def test_control_tokens_in_a_text_are_counted_or_refused():
    tokenizer = tokenizer_of("mistral-0.3")
    answers = [Answer(asked("hi"), "a </s> b"), Answer(asked("is it <s>old</s> ?"), "no"), Answer(asked("hi"), "no")]
    encoder = Encoder(tokenizer)
    assert None not in encoder.answers(answers, str) and encoder.spelt == 2
    encoder = Encoder(tokenizer, Rules("drop", "refused"))
    assert [each is None for each in encoder.answers(answers, str)] == [True, True, False]
    assert encoder.dropped == {"control_in_text": 2}


def test_many_are_encoded_as_each_alone(monkeypatch):
    monkeypatch.setattr("scripts.lib.encoding.ROWS", 2)
    tokenizer = tokenizer_of("yi")
    answers = [Answer(asked(question), answer, at != 1) for at, (question, answer) in enumerate(QA)]
    assert Encoder(tokenizer).answers(answers, str) == [
        encode(tokenizer, each.prompt, each.response, 1000, each.finished) for each in answers
    ]
    assert encode_all(tokenizer, []) == []


def test_a_digest_is_of_every_token_and_of_where_the_response_begins():
    one = encode(tokenizer_of("yi"), asked("hi"), "seven", 1000)
    others = [one.cut(len(one) - 1), type(one)(one.prompt_ids[:-1], [one.prompt_ids[-1], *one.response_ids])]
    assert len({digest_of_tokens(each) for each in (one, *others)}) == 3
    assert digest_of_tokens(one) == digest_of_tokens(type(one)(list(one.prompt_ids), list(one.response_ids)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A policy with a template that refuses system turns, two prompts, one of them with such a turn, and responses."""
    here = tmp_path_factory.mktemp("refusing")
    learnt("gemma", QA[:1]).save_pretrained(here / "hf")
    tokenizer_of("gemma").save_pretrained(here / "hf")
    prompts = [asked("name a prime ."), SYSTEM]
    ids = [prompt_id(each) for each in prompts]
    frame = pd.DataFrame({"prompt_id": ids, "prompt": prompts, "source": "s", "split": "train"})
    write_table(frame, here / "prompts.parquet", PROMPTS)
    rows = [(response_id(of, text), of, "fam", text) for of in ids for text in ("seven", "nine </s>")]
    responses = pd.DataFrame(rows, columns=["response_id", "prompt_id", "family", "response"])
    write_table(responses, here / "responses.parquet", RESPONSES)
    for refused in ("stop", "drop"):
        spec = GivenPolicy(kind="given", model=str(here / "hf"), max_length=128, refused=refused)
        write_policy(card_of("theirs", spec), here / f"{refused}.json")
    return here


def run(module, monkeypatch, **flags):
    words = [text for name, value in flags.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    monkeypatch.setattr(sys, "argv", ["step", *words])
    module.main()


def arguments(folder, policy, out) -> dict:
    shared = {"policy": folder / f"{policy}.json", "prompts": folder / "prompts.parquet", "family": "fam"}
    return shared | {"checkpoints": folder / "checkpoints", "out": folder / out}


def test_log_probs_name_the_row_or_leave_it_out(folder, monkeypatch):
    more = {"responses": folder / "responses.parquet", "batch_tokens": 1000}
    with pytest.raises(InputError, match=r"responses.parquet, row 2, prompt \w{20}, response \w{20}: .*no system turn"):
        run(compute, monkeypatch, **arguments(folder, "stop", "a.parquet"), **more)
    run(compute, monkeypatch, **arguments(folder, "drop", "a.parquet"), **more)
    assert len(read_table(folder / "a.parquet", LOGPROBS)) == 2
    card = read_json(folder / "a.card.json")
    assert card["dropped"] == {"no_room_in_max_length": 0, "refused_by_template": 2}
    assert (card["responses"], card["control_in_text"]) == (2, 0)


def test_sampling_names_the_row_or_leaves_it_empty(folder, monkeypatch):
    spec = SamplingSpec(temperature=0, max_new_tokens=2, precision="float32")
    more = {"spec": spec.model_dump_json(), "responses": folder / "sampled.parquet"}
    with pytest.raises(InputError, match=r"prompts.parquet, row 1, prompt \w{20}: .*no system turn"):
        run(sample, monkeypatch, **arguments(folder, "stop", "s.parquet"), **more)
    run(sample, monkeypatch, **arguments(folder, "drop", "s.parquet"), **more)
    drawn = read_table(folder / "s.parquet", SAMPLES)
    assert drawn["response"].tolist()[1] == "" and not drawn["finished"].any()
    card = json.loads((folder / "s.card.json").read_text())
    assert (card["cut_at_max_new_tokens"], card["refused_prompts"]) == (1, {"refused_by_template": 1})
    more = {"responses": folder / "sampled.parquet", "batch_tokens": 1000}
    run(compute, monkeypatch, **arguments(folder, "drop", "l.parquet"), **more)
    policy = read_policy(folder / "drop.json")
    (values,) = read_table(folder / "l.parquet", LOGPROBS)["token_logprobs"]
    whole = encode(load_tokenizer(policy), asked("name a prime ."), drawn["response"][0], 128, finished=False)
    assert len(values) == len(whole.response_ids) == 2
    assert sum(values) == pytest.approx(logprob(load_causal(policy, device="cpu"), whole), abs=1e-4)
    assert read_json(folder / "l.card.json")["cut_when_sampled"] == 1
