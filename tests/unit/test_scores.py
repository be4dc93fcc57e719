"""The steps that score responses and rank pairs."""

import json
import random
from typing import get_args

import pandas as pd
import pytest

from scripts.lib.classifiers import save_classifier
from scripts.lib.config.scorers import ScorerSpec
from scripts.lib.errors import InputError
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.rankers import SEPARATOR
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RANKINGS, RESPONSES, SCORES
from scripts.lib.tables import read_table, write_table
from scripts.lib.texts import texts_of_pairs
from scripts.lib.world.generators import respond
from scripts.lib.world.oracle import reward
from scripts.lib.world.skills import make_prompts
from scripts.scores import rank, score
from tests.scoring_data import SCORER, WORDS, Data, save_plain, tiny_classifier, user


@pytest.fixture
def data(tmp_path):
    return Data(tmp_path).write()


def scores(data: Data, monkeypatch, spec: dict, family: str = "fruit.kind", name: str = "scores", **others):
    """The table that the command makes."""
    out = data.path(name)
    tables = ("prompts", "responses", "annotations")
    flags = data.flags(*tables, scorer="s", spec=json.dumps(spec), family=family, out=out, **others)
    flags += ["--checkpoints", str(data.folder / "checkpoints")]
    monkeypatch.setattr("sys.argv", ["score", *flags])
    score.main()
    return read_table(out, SCORES)


def rankings(data: Data, monkeypatch, model_dir, name: str = "rankings", **changes):
    out = data.path(name)
    spec = json.dumps(SCORER | changes)
    flags = data.flags("pairs", "prompts", "responses", ranker="r", spec=spec, model_dir=model_dir, out=out)
    monkeypatch.setattr("sys.argv", ["rank", *flags])
    rank.main()
    return read_table(out, RANKINGS)


KINDS = {
    "oracle": ("copying", {}),
    "length": ("copying", {"words": 5}),
    "grades": ("arithmetic", {}),
    "form": ("verses", {}),
    "verifier": ("arithmetic", {"solutions": [{"path": "solutions.jsonl"}]}),
    "annotation": ("copying", {"annotation": "rank"}),
}
"""Kind of scorer without a model -> the skill that it is tried on, and its entry."""


def test_every_kind_is_tried() -> None:
    kinds = {get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(ScorerSpec)[0])}
    assert kinds == {*KINDS, "reward_model", "scratch", "llm_grades"}  # two below, the last in test_llm_grades.py


@pytest.mark.parametrize("kind", KINDS)
def test_a_scorer_of_any_kind_scores_a_family(kind, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    skill, entry = KINDS[kind]
    data = Data(tmp_path, prompts=0)
    for text in make_prompts(6, 3, skills=[skill]):
        of_prompt = prompt_id(user(text))
        data.prompts.append({"prompt_id": of_prompt, "prompt": user(text), "source": "world", "split": "train"})
        response = respond(text, 0.9, random.Random(0))
        row = {"response_id": response_id(of_prompt, response), "prompt_id": of_prompt, "response": response}
        data.responses.append(row | {"family": "world.one"})
    solutions = [{"problem": each["prompt"][0]["content"], "solution": "#### 3"} for each in data.prompts]
    (tmp_path / "solutions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in solutions))
    ranks = [{"response_id": each["response_id"], "annotation": "rank", "score": 1.0} for each in data.responses]
    for name, rows, schema in (
        ("prompts", data.prompts, PROMPTS),
        ("responses", data.responses, RESPONSES),
        ("annotations", ranks, ANNOTATIONS),
    ):
        write_table(pd.DataFrame(rows), data.path(name), schema)
    assert len(scores(data, monkeypatch, {"kind": kind} | entry, family="world.one")) == 6


def test_oracle_scores_a_world_family_in_its_order(tmp_path, monkeypatch):
    data = Data(tmp_path, prompts=0)
    draw = random.Random(0)
    for text in make_prompts(14, 3):
        of_prompt = prompt_id(user(text))
        data.prompts.append({"prompt_id": of_prompt, "prompt": user(text), "source": "world", "split": "train"})
        for competence in (0.2, 0.9):
            response = respond(text, competence, draw)
            row = {"response_id": response_id(of_prompt, response), "prompt_id": of_prompt, "response": response}
            data.responses.append(row | {"family": f"world.g{competence * 10:.0f}"})
    write_table(pd.DataFrame(data.prompts), data.path("prompts"), PROMPTS)
    write_table(pd.DataFrame(data.responses), data.path("responses"), RESPONSES)
    write_table(pd.DataFrame(), data.path("annotations"), ANNOTATIONS)

    found = scores(data, monkeypatch, {"kind": "oracle"}, family="world.g9")
    of_family = [row for row in data.responses if row["family"] == "world.g9"]
    assert found["response_id"].tolist() == [row["response_id"] for row in of_family]
    texts = {row["prompt_id"]: row["prompt"][0]["content"] for row in data.prompts}
    assert found["score"].tolist() == [reward(texts[row["prompt_id"]], row["response"]) for row in of_family]


def test_a_family_scored_twice_is_the_same_file(data, tmp_path, monkeypatch):
    folder = save_plain(tiny_classifier(), tmp_path / "model")
    spec = {"kind": "reward_model", "model": str(folder), "max_length": 64, "precision": "float32", "batch_tokens": 128}
    found = scores(data, monkeypatch, spec, name="first")
    scores(data, monkeypatch, spec, name="second")
    assert data.path("first").read_bytes() == data.path("second").read_bytes()
    assert len(found) == 60


def test_scratch_scores_are_those_of_the_same_model_given_as_a_folder(data, tmp_path, monkeypatch):
    classifier = tiny_classifier()
    save_classifier(tmp_path / "own" / "scorer.json", classifier.model, classifier.tokenizer, {"name": "s"})
    scratch = scores(data, monkeypatch, SCORER, model_dir=tmp_path / "own")
    spec = {"kind": "reward_model", "model": str(tmp_path / "own"), "max_length": 48, "precision": "float32"}
    given = scores(data, monkeypatch, spec | {"batch_tokens": SCORER["batch_tokens"]})
    pd.testing.assert_frame_equal(scratch, given)


def test_responses_without_the_annotation_are_left_out_and_counted(data, monkeypatch, caplog):
    with caplog.at_level("INFO"):
        found = scores(data, monkeypatch, {"kind": "annotation", "annotation": "rank"})
    assert found["score"].tolist() == [1.0]
    assert found["response_id"].tolist() == [data.responses[0]["response_id"]]
    assert "fruit.kind: 1 responses scored, 59 left out" in caplog.text


@pytest.mark.parametrize(
    ("spec", "family", "message"),
    [
        ({"kind": "annotation", "annotation": "starz"}, "fruit.kind", r"no annotation 'starz'[\s\S]*rank, stars"),
        ({"kind": "annotation", "annotation": "stars"}, "fruit.unkind", "scorer s has a score for none of its 60"),
        ({"kind": "oracle"}, "fruit.odd", r"no response of family fruit\.odd[\s\S]*fruit\.kind, fruit\.unkind"),
        ({"kind": "oracle"}, "fruit.kind", "not a prompt of the didactic world"),
    ],
)
def test_mistakes_are_named(data, monkeypatch, spec, family, message):
    with pytest.raises(InputError, match=message):
        scores(data, monkeypatch, spec, family)
    assert not data.path("scores").exists()


def test_a_response_to_an_unknown_prompt_is_named(data, monkeypatch):
    lost = data.prompts.pop(7)["prompt_id"]
    data.write()
    with pytest.raises(InputError, match=f"responses.parquet, row 14: responds to {lost}"):
        scores(data, monkeypatch, {"kind": "oracle"})


# --- rankings


@pytest.fixture
def own_ranker(tmp_path):
    classifier = tiny_classifier(f"{WORDS} {SEPARATOR}")
    save_classifier(tmp_path / "ranker" / "ranker.json", classifier.model, classifier.tokenizer, {"name": "r"})
    return tmp_path / "ranker"


def test_rankings_put_the_chosen_first_in_the_order_of_the_pairs(data, monkeypatch, own_ranker):
    found = rankings(data, monkeypatch, own_ranker)
    assert found["prompt_id"].tolist() == [pair["prompt_id"] for pair in data.pairs]
    assert found["first_id"].tolist() == [pair["chosen_id"] for pair in data.pairs]
    assert found["second_id"].tolist() == [pair["rejected_id"] for pair in data.pairs]
    assert found["first_wins"].between(0, 1).all()
    rankings(data, monkeypatch, own_ranker, name="again")
    assert data.path("rankings").read_bytes() == data.path("again").read_bytes()


def test_rankings_of_exchanged_pairs_are_exactly_the_rest_to_one(data, monkeypatch, own_ranker):
    wins = rankings(data, monkeypatch, own_ranker)["first_wins"]
    for pair in data.pairs:
        pair["chosen_id"], pair["rejected_id"] = pair["rejected_id"], pair["chosen_id"]
    losses = rankings(data.write(), monkeypatch, own_ranker)["first_wins"]
    assert wins.tolist() == (1.0 - losses).tolist()


def test_pairs_without_room_are_left_out_and_counted(data, monkeypatch, own_ranker, caplog):
    with caplog.at_level("INFO"):
        found = rankings(data, monkeypatch, own_ranker, max_length=11)
    assert len(found) == 10
    assert "10 pairs ranked, 50 left out" in caplog.text
    with pytest.raises(InputError, match=r"room for none of the 60 pairs[\s\S]*max_length"):
        rankings(data, monkeypatch, own_ranker, max_length=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.responses.pop(5), r"row 2, rejected_id \w+: is in no responses table"),
        (lambda data: data.prompts.pop(2), r"row 2, chosen_id \w+: prompt \w+ is in no prompts table"),
        (
            lambda data: data.pairs[2].update(prompt_id="elsewhere"),
            r"row 2, chosen_id \w+: responds to \w+, the pair is of",
        ),
    ],
)
def test_pairs_of_unknown_texts_are_named(data, change, message):
    change(data)
    data.write()
    with pytest.raises(InputError, match=message):
        texts_of_pairs([data.path("pairs")], [data.path("prompts")], [data.path("responses")])
