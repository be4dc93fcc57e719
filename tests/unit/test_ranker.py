"""Rankers: what they read, their probabilities, and their training."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.chat import encode_prompt, encode_response
from scripts.lib.classifiers import CLASSIFIER_FILES
from scripts.lib.config.scorers import ScratchRanker
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.rankers import SEPARATOR, Ranker, TrainedReader, both_orders, ranker_of, win_probability
from scripts.lib.tables import read_json
from scripts.training import comparisons, ranker
from tests.scoring_data import SCORER, WORDS, Data, tiny_classifier, user

PROMPT = user("say something about plums")
TEXTS = ["so good", "bad", "fine " * 9 + "thus", "good so", "ill and poor and bad"]
PAIRS = [(PROMPT, first, second) for first, second in itertools.permutations(TEXTS, 2)]


ROOMY = tiny_classifier(f"{WORDS} {SEPARATOR}")


@pytest.fixture
def classifier():
    return ROOMY


# --- what a ranker reads


def test_it_reads_prompt_one_response_separator_other_response(classifier):
    tokenizer = classifier.tokenizer
    first, second = both_orders(tokenizer, PROMPT, "so good", "bad", 64)
    assert (
        tokenizer.decode(first) == "<bos> <user> say something about plums <assistant> so good <eos> <versus> bad <eos>"
    )
    assert (
        tokenizer.decode(second)
        == "<bos> <user> say something about plums <assistant> bad <eos> <versus> so good <eos>"
    )


@given(
    lengths=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    max_length=st.integers(1, 50),
)
def test_long_responses_are_cut_alike_and_short_ones_kept(lengths, max_length):
    tokenizer = ROOMY.tokenizer
    responses = [" ".join([word] * length) for word, length in zip(("good", "bad"), lengths, strict=True)]
    before = len(encode_prompt(tokenizer, PROMPT))
    whole = [encode_response(tokenizer, PROMPT, response) for response in responses]
    found = both_orders(tokenizer, PROMPT, *responses, max_length)
    if max_length < before + 3:
        assert found is None
        return
    between = tokenizer.convert_tokens_to_ids(SEPARATOR)
    split = found[0].index(between)
    kept = found[0][before:split], found[0][split + 1 :]
    assert found[1] == [*found[0][:before], *kept[1], between, *kept[0]]
    wanted = before + 1 + len(whole[0]) + len(whole[1])
    assert len(found[0]) == wanted if wanted <= max_length else max_length - 1 <= len(found[0]) <= max_length
    for part, full in zip(kept, whole, strict=True):
        assert part
        assert part == full[: len(part)]
    cut = [len(part) for part, full in zip(kept, whole, strict=True) if len(part) < len(full)]
    assert all(length == max(len(part) for part in kept) for length in cut)


def test_a_prompt_without_room_for_two_has_no_probability(classifier):
    before = len(encode_prompt(classifier.tokenizer, PROMPT))
    assert Ranker(TrainedReader(classifier, before + 2), 512).first_wins(PAIRS[:1]) == [None]
    assert Ranker(TrainedReader(classifier, before + 3), 512).first_wins(PAIRS[:1]) != [None]


def test_a_text_that_the_template_refuses_has_no_probability(classifier):
    templated = (PROMPT, "<bos><user> say so", "bad")
    assert Ranker(TrainedReader(classifier, 64), 512).first_wins([templated, PAIRS[0]])[0] is None


# --- probabilities


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_both_signs_add_up_to_exactly_one(log_odds):
    assert 0.0 <= win_probability(log_odds) <= 1.0
    assert win_probability(-log_odds) == 1.0 - win_probability(log_odds)
    assert (log_odds > 0) >= (win_probability(log_odds) > 0.5)


def test_probability_is_the_sigmoid_of_half_the_difference(classifier):
    (found,) = Ranker(TrainedReader(classifier, 64), 512).first_wins([(PROMPT, "so good", "bad")])
    first, second = both_orders(classifier.tokenizer, PROMPT, "so good", "bad", 64)
    with torch.no_grad():
        values = [
            classifier.model.score(classifier.model.model(torch.tensor([ids])).last_hidden_state[0, -1]).item()
            for ids in (first, second)
        ]
    assert found == pytest.approx(1 / (1 + math.exp(-(values[0] - values[1]) / 2)), abs=1e-6)
    assert abs(found - 0.5) > 0.01


def test_exchanged_responses_have_exactly_the_other_probability(classifier):
    reader = Ranker(TrainedReader(classifier, 64), 256)
    exchanged = [(prompt, second, first) for prompt, first, second in PAIRS]
    wins, losses = reader.first_wins(PAIRS), reader.first_wins(exchanged)
    assert wins == [1.0 - value for value in losses]
    both = dict(zip(((first, second) for _, first, second in PAIRS), wins, strict=True))
    assert all(both[first, second] == 1.0 - both[second, first] for first, second in both)
    assert len({round(value, 6) for value in wins}) == len(PAIRS)


def test_equal_responses_are_even(classifier):
    assert Ranker(TrainedReader(classifier, 64), 256).first_wins([(PROMPT, "good", "good")]) == [0.5]


def test_probabilities_do_not_depend_on_the_batch(classifier):
    together = Ranker(TrainedReader(classifier, 64), 4096).first_wins(PAIRS)
    alone = [Ranker(TrainedReader(classifier, 64), 1).first_wins([pair])[0] for pair in PAIRS]
    assert together == pytest.approx(alone, abs=1e-6)


def test_log_odds_that_are_no_number_are_refused_with_the_responses():
    broken = tiny_classifier(f"{WORDS} {SEPARATOR}")
    torch.nn.init.constant_(broken.model.score.weight, math.inf)
    of_bad = response_id(prompt_id(PROMPT), "bad")
    with pytest.raises(InputError, match=of_bad):
        Ranker(TrainedReader(broken, 64), 256).first_wins([(PROMPT, "so good", "bad")])


# --- training


RANKER = SCORER | {"max_length": 64}


def trained(data: Data, monkeypatch, name: str, **changes):
    """The folder of a ranker trained by the command."""
    spec = json.dumps(RANKER | changes)
    flags = data.flags("pairs", "prompts", "responses", name="pr", spec=spec, out=data.folder / name)
    monkeypatch.setattr("sys.argv", ["ranker", *flags])
    ranker.main()
    return data.folder / name


def test_ranker_learns_and_tells_what_it_did_not_see(tmp_path, monkeypatch):
    data = Data(tmp_path, prompts=200).write()
    out = trained(data, monkeypatch, "out")
    card = read_json(out / "ranker.json")
    held_out = [comparisons.is_held_out(row["prompt_id"]) for row in data.prompts]
    assert (card["name"], card["kind"], card["n_train"], card["n_held_out"]) == (
        "pr",
        "scratch",
        200 - sum(held_out),
        sum(held_out),
    )
    assert card["held_out_accuracy"] > 0.9
    assert sorted(path.name for path in out.iterdir()) == sorted(["ranker.json", *CLASSIFIER_FILES])

    reader = ranker_of(ScratchRanker(**RANKER), out)
    texts = [row["response"] for row in data.responses]
    prompts = [row["prompt"] for row in data.prompts]
    wins = reader.first_wins(list(zip(prompts, texts[::2], texts[1::2], strict=True)))
    right = [value > 0.5 for value, apart in zip(wins, held_out, strict=True) if apart]
    assert sum(right) / len(right) == card["held_out_accuracy"]


def test_same_seed_same_bytes(tmp_path, monkeypatch):
    data = Data(tmp_path, prompts=30).write()
    first, second = (trained(data, monkeypatch, name, epochs=1) for name in ("first", "second"))
    for file in ("ranker.json", *CLASSIFIER_FILES):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_a_reward_model_is_no_ranker(tmp_path):
    with pytest.raises(InputError, match=r"ranker\.json"):
        ranker_of(ScratchRanker(**RANKER), tmp_path)
