"""Reward models trained here: what they learn, what is held out, and what is refused."""

import json
import math
from collections import Counter

import pytest

from scripts.lib.classifiers import (
    CLASSIFIER_FILES,
)
from scripts.lib.config.scorers import ScratchScorer
from scripts.lib.errors import InputError
from scripts.lib.rewards import scorer_of
from scripts.lib.scratch import train_tokenizer
from scripts.lib.tables import read_json
from scripts.lib.texts import PairTexts
from scripts.training import comparisons, ranker, reward_model
from tests.scoring_data import SCORER, Data, alone, tiny_classifier, user


@pytest.fixture(scope="module")
def classifier():
    return tiny_classifier()


def trained(data: Data, monkeypatch, name: str, **changes):
    """The folder of a reward model trained by the command."""
    spec = json.dumps(SCORER | changes)
    out = data.folder / name
    flags = data.flags("pairs", "prompts", "responses", name="rm", spec=spec, out=out)
    monkeypatch.setattr("sys.argv", ["reward_model", *flags])
    reward_model.main()
    return out


def test_reward_model_learns_and_tells_what_it_did_not_see(tmp_path, monkeypatch):
    data = Data(tmp_path, prompts=200).write()
    out = trained(data, monkeypatch, "out")
    card = read_json(out / "scorer.json")
    held_out = sum(comparisons.is_held_out(row["prompt_id"]) for row in data.prompts)
    counts = ["held_out_accuracy", "n_train", "n_held_out", "dropped"]
    assert list(card) == ["name", "kind", "pairs", *counts, "truncation", "files", "threads"]
    assert (card["name"], card["kind"], card["pairs"]) == ("rm", "scratch", ["comparisons"])
    assert (card["n_train"], card["n_held_out"]) == (200 - held_out, held_out)
    assert card["held_out_accuracy"] > 0.9

    scorer = scorer_of(ScratchScorer(**SCORER), model_dir=out)
    prompts = {row["prompt_id"]: row["prompt"] for row in data.prompts}
    scores = scorer.score([(prompts[row["prompt_id"]], row["response"]) for row in data.responses])
    of_held_out = [
        chosen > rejected
        for row, chosen, rejected in zip(data.pairs, scores[::2], scores[1::2], strict=True)
        if comparisons.is_held_out(row["prompt_id"])
    ]
    assert sum(of_held_out) / len(of_held_out) == card["held_out_accuracy"]


def test_same_seed_same_bytes_other_seed_others(tmp_path, monkeypatch):
    data = Data(tmp_path).write()
    first, second = (trained(data, monkeypatch, name, epochs=1) for name in ("first", "second"))
    for file in ("scorer.json", *CLASSIFIER_FILES):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file
    other = trained(data, monkeypatch, "other", epochs=1, seed=1)
    assert (other / "model.safetensors").read_bytes() != (first / "model.safetensors").read_bytes()


def test_pairs_in_several_files_count_once_and_those_that_a_cut_makes_equal_are_dropped(tmp_path, monkeypatch):
    one, two = Data(tmp_path / "one", prompts=40).write(), Data(tmp_path / "two", prompts=60).write()
    # <bos>, <user>, four words, two digits and <assistant> fill nine tokens, and every response begins with "so";
    # prompts 0 to 9 have one digit.
    flags = [
        "--name",
        "rm",
        "--spec",
        json.dumps(SCORER | {"epochs": 1, "max_length": 10}),
        "--out",
        str(tmp_path / "o"),
    ]
    for table in ("pairs", "prompts", "responses"):
        flags += [f"--{table}", str(one.path(table)), str(two.path(table))]
    monkeypatch.setattr("sys.argv", ["reward_model", *flags])
    reward_model.main()
    card = read_json(tmp_path / "o" / "scorer.json")
    assert card["dropped"] == {"repeated_pair": 40, "no_room_in_max_length": 0, "equal_after_cut": 50}
    assert card["n_train"] + card["n_held_out"] == 10


@pytest.mark.parametrize("learner", [reward_model.REWARD_MODEL, ranker.RANKER])
def test_a_pair_is_learnt_from_if_its_sequences_differ(learner):
    """By brute force over every max_length, for responses that begin alike."""
    tokenizer = train_tokenizer("words", ["a b c d"], 32)
    tokenizer.add_tokens(list(learner.extra), special_tokens=True)
    pair = PairTexts("p", "c", "r", user("a"), "b b b c", "b b b d d")
    found = Counter()
    for max_length in range(1, 24):
        sequences = learner.encode(tokenizer, pair, max_length)
        whole = learner.encode(tokenizer, pair, 1000)
        for truncation in ("cut", "drop"):
            spec = ScratchScorer(**SCORER | {"max_length": max_length, "truncation": truncation})
            result = comparisons.fitted(learner, tokenizer, pair, spec)
            found[result if isinstance(result, str) else "kept"] += 1
            if isinstance(result, tuple):
                assert result == sequences and result[0] != result[1]
                assert truncation == "cut" or result == whole
            elif result == "equal_after_cut":
                assert sequences[0] == sequences[1] and truncation == "cut"
    assert set(found) == {"kept", "no_room_in_max_length", "equal_after_cut", "longer_than_max_length"}
    same = PairTexts("p", "c", "r", user("a"), "unknown", "words")
    assert comparisons.fitted(learner, tokenizer, same, ScratchScorer(**SCORER)) == "equal_tokens"
    templated = PairTexts("p", "c", "r", user("a"), "<bos><user> b", "words")
    assert comparisons.fitted(learner, tokenizer, templated, ScratchScorer(**SCORER)) == "template_applied_before"


def test_held_out_prompts_are_a_tenth_and_do_not_depend_on_the_others():
    ids = [f"{number:020x}" for number in range(4000)]
    share = sum(comparisons.is_held_out(each) for each in ids) / len(ids)
    assert 0.08 < share < 0.12
    assert [comparisons.is_held_out(each) for each in ids[:50]] == [comparisons.is_held_out(each) for each in ids][:50]


def test_loss_is_bradley_terrys(classifier):
    """Before the first step: the mean of -log sigmoid of the difference of outputs."""
    pairs = [([1, 7, 8], [1, 7, 9, 10]), ([1, 11], [1, 12, 13])]
    seen = []

    def only_the_loss(model, lengths, loss_of, spec):
        seen.append((lengths, loss_of([0, 1]).item()))
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons, "fit", only_the_loss)
        comparisons.train(classifier.model, pairs, 0.5, ScratchScorer(**SCORER))
    gaps = [0.5 * (alone(classifier.model, a) - alone(classifier.model, b)) for a, b in pairs]
    expected = sum(math.log(1 + math.exp(-gap)) for gap in gaps) / 2
    assert seen == [([4, 3], pytest.approx(expected, abs=1e-6))]


def test_loss_that_is_no_number_ends_the_training(tmp_path, monkeypatch):
    data = Data(tmp_path).write()
    with pytest.raises(InputError, match=r"the loss is nan[\s\S]*lower learning_rate"):
        trained(data, monkeypatch, "out", learning_rate=1e18)
    assert not (tmp_path / "out" / "scorer.json").exists()


def test_nothing_to_learn_from_is_an_error(tmp_path, monkeypatch):
    data = Data(tmp_path).write()
    with pytest.raises(InputError, match=r"none of 60 pairs is left[\s\S]*max_length \(4\)"):
        trained(data, monkeypatch, "out", max_length=4)


def test_accuracy_of_no_pairs_is_none(classifier):
    assert comparisons.accuracy(classifier, [], 64) is None
    values = classifier.classify([[1, 7, 8], [1, 9]], 64)
    pair = ([1, 7, 8], [1, 9]) if values[0] > values[1] else ([1, 9], [1, 7, 8])
    assert comparisons.accuracy(classifier, [pair, pair[::-1], (pair[0], pair[0])], 64) == pytest.approx(1 / 3)
