"""Every format of preference data, from a file to prompts, responses, annotations and a card."""

import gzip
import json
from pathlib import Path

import pytest

from scripts.lib.errors import InputError
from tests.sources_data import lines, loaded


def completion(model: str, response: str, **rest) -> dict:
    return {"model": model, "response": response, "principle": "honesty", **rest}


def rated(**ratings) -> dict:
    return {aspect: {"Rating": rating, "Rationale": "because"} for aspect, rating in ratings.items()}


def test_ultrafeedback_keeps_completions_with_their_scores(tmp_path: Path) -> None:
    rows = [
        {
            "source": "flan",
            "instruction": "Why?",
            "models": ["a", "b"],
            "completions": [
                completion(
                    "a", "So.", **{"overall_score": 7.5, "fine-grained_score": 4.0}, annotations=rated(Honesty="5")
                ),
                completion("b", "No.", overall_score="N/A", annotations=rated(helpfulness="N/A", truthfulness="3")),
            ],
        },
        {"instruction": "Empty?", "completions": []},
        {"instruction": "Plain?", "completions": [completion("b", "Yes.")]},
    ]
    path = tmp_path / "data.json"
    path.write_text(json.dumps(rows, indent=1))
    content, card = loaded("ultrafeedback", path)
    assert content == {
        ("Why?",): {
            "So.": ("a", {"overall_score": 7.5, "fine-grained_score": 4.0, "honesty": 5.0}),
            "No.": ("b", {"truthfulness": 3.0}),
        },
        ("Plain?",): {"Yes.": ("b", {})},
    }
    assert card["rows_read"] == 3
    assert card["dropped"] == {"no_response": 1}
    assert card["annotations_skipped"] == {"missing": 2}
    assert card["generators"] == {"a": 1, "b": 2}
    assert card["annotations"] == {"fine-grained_score": 1, "honesty": 1, "overall_score": 1, "truthfulness": 1}


CONVERSATION = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}]
SHAREGPT = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "good"}]


@pytest.mark.parametrize(
    "chosen", ["good", CONVERSATION, SHAREGPT, CONVERSATION[1:], [{"role": "system", "content": ""}, *CONVERSATION]]
)
@pytest.mark.parametrize(
    "scores",
    [
        {"score_chosen": 9, "score_rejected": 1.5},
        {"chosen-rating": 9, "rejected-rating": "1.5"},
        {"chosen_score": 9, "rejected_score": 1.5},
        {"metadata": {"score_chosen": 9.0, "score_rejected": 1.5}},
    ],
)
def test_binarized_ultrafeedback_in_all_its_spellings_is_one_pair(tmp_path: Path, chosen, scores) -> None:
    rejected = json.loads(json.dumps(chosen).replace("good", "bad"))
    path = lines(tmp_path / "pairs.jsonl", [{"prompt": "Q", "chosen": chosen, "rejected": rejected, **scores}])
    content, card = loaded("ultrafeedback_binarized", path)
    assert content == {
        ("Q",): {"good": ("src", {"score": 9.0, "preferred": 1.0}), "bad": ("src", {"score": 1.5, "preferred": 0.0})}
    }
    assert card["dropped"] == {}


def test_binarized_generators_are_the_models_where_known_and_never_say_who_won(tmp_path: Path) -> None:
    known = {"prompt": "Q", "chosen": "x", "rejected": "y", "chosen-model": "m", "rejected-model": "n"}
    path = lines(tmp_path / "pairs.jsonl", [known, {"prompt": "R", "chosen": "x", "rejected": "y"}])
    content, _ = loaded("ultrafeedback_binarized", path)
    assert {text: generator for text, (generator, _) in content["Q",].items()} == {"x": "m", "y": "n"}
    assert {generator for generator, _ in content["R",].values()} == {"src"}


def test_binarized_with_all_samples_gives_each_of_them_once(tmp_path: Path) -> None:
    row = {
        "prompt": "Q",
        "all_generated_responses": ["a", "b ", "c"],
        "all_rm_scores": [0.5, 0.1, 0.3],
        "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}],
        "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "b"}],
    }
    content, card = loaded("ultrafeedback_binarized", lines(tmp_path / "p.jsonl", [row]))
    assert content["Q",] == {
        "a": ("src", {"rm_score": 0.5, "preferred": 1.0}),
        "b": ("src", {"rm_score": 0.1, "preferred": 0.0}),
        "c": ("src", {"rm_score": 0.3}),
    }
    assert card["responses_read"] == 3
    with pytest.raises(InputError, match=r"line 1.*all_rm_scores.*3 numbers"):
        loaded("ultrafeedback_binarized", lines(tmp_path / "q.jsonl", [row | {"all_rm_scores": [1.0]}]))


def test_pairs_that_express_no_preference_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        {"p": "Q", "yes": "same", "no": " same\r\n", "s": 1, "t": 2},
        {"p": "R", "yes": CONVERSATION, "no": [{"role": "user", "content": "R"}, CONVERSATION[1]], "s": 1, "t": 2},
        {"p": "S", "yes": "x", "no": CONVERSATION[:1], "s": 1, "t": 2},
        {"p": "T", "yes": "x", "no": "", "s": None, "t": 2},
        {"p": " ", "yes": "x", "no": "y", "s": 1, "t": 2},
        {"p": "U", "yes": "x", "no": "y", "s": "nan", "t": "-2.5"},
    ]
    columns = {"prompt": "p", "chosen": "yes", "rejected": "no", "chosen_score": "s", "rejected_score": "t"}
    content, card = loaded("pairs", lines(tmp_path / "p.jsonl", rows), columns=columns)
    assert content == {
        ("T",): {"x": ("src", {"preferred": 1.0})},
        ("U",): {"x": ("src", {"preferred": 1.0}), "y": ("src", {"preferred": 0.0, "score": -2.5})},
    }
    assert card["dropped"] == {
        "chosen_equals_rejected": 2,
        "empty_prompt": 2,
        "empty_response": 1,
        "not_assistant_reply": 2,
        "prompts_differ": 2,
    }
    assert card["annotations_skipped"] == {"missing": 1, "not_finite": 1}


def test_a_response_that_wins_one_pair_and_loses_one_is_preferred_by_half(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "chosen": a, "rejected": b} for a, b in (("x", "y"), ("y", "z"), ("x", "z"))]
    content, card = loaded("pairs", lines(tmp_path / "p.jsonl", rows))
    assert {text: scores["preferred"] for text, (_, scores) in content["Q",].items()} == {"x": 1.0, "y": 0.5, "z": 0.0}
    assert card["dropped"] == {"duplicate_response": 3}


def test_hh_transcripts_become_turns(tmp_path: Path) -> None:
    start = "\n\nHuman: Hi: you?\n\nAssistant: Yes.\n\nHuman: Say\nHuman: now"
    rows = [
        {"chosen": f"{start}\n\nAssistant: Human: now", "rejected": f"{start}\n\nAssistant: no\n\nno"},
        {"chosen": f"{start}\n\nAssistant: x", "rejected": "\n\nHuman: Else\n\nAssistant: y"},
        {"chosen": f"{start}\n\nAssistant: x\n\nAssistant: y", "rejected": f"{start}\n\nAssistant: x\n\nAssistant: z"},
        {"chosen": f"{start}\n\nAssistant: x", "rejected": start},
        {"chosen": "nobody speaks", "rejected": start},
        {"chosen": f"{start}\n\nAssistant: x", "rejected": f"{start}\n\nAssistant:"},
    ]
    path = tmp_path / "train.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    content, card = loaded("hh_rlhf", path)
    assert content == {
        ("Hi: you?", "Yes.", "Say\nHuman: now"): {
            "Human: now": ("src", {"preferred": 1.0}),
            "no\n\nno": ("src", {"preferred": 0.0}),
            "x": ("src", {"preferred": 1.0}),
        }
    }
    assert card["dropped"] == {
        "empty_response": 1,
        "not_a_transcript": 2,
        "not_assistant_reply": 2,
        "prompts_differ": 2,
        "turns_do_not_alternate": 2,
    }


def test_alpaca_eval_outputs(tmp_path: Path) -> None:
    rows = [
        {"dataset": "helpful_base", "instruction": "Do.", "output": "Done.", "generator": "gpt", "preference": 1.75},
        {"dataset": "helpful_base", "instruction": "Do.", "output": "No.", "generator": "vicuna"},
        {"instruction": "Do.", "output": "Maybe."},
    ]
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(rows))
    content, _ = loaded("alpaca_eval", path)
    assert content["Do.",] == {"Done.": ("gpt", {"preference": 1.75}), "No.": ("vicuna", {}), "Maybe.": ("src", {})}


def test_alpaca_evals_preference_0_is_a_draw(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Do.", "output": text, "generator": text, "preference": preference}
        for text, preference in (("won", 2), ("lost", 1.0), ("drawn", 0), ("drawn too", "0.0"), ("even", 1.5))
    ]
    content, card = loaded("alpaca_eval", lines(tmp_path / "t.jsonl", rows))
    assert {text: scores["preference"] for text, (_, scores) in content["Do.",].items()} == {
        "won": 2.0,
        "lost": 1.0,
        "drawn": 1.5,
        "drawn too": 1.5,
        "even": 1.5,
    }
    assert card["read_as"] == {"preference 0 as 1.5, a draw": 2}


@pytest.mark.parametrize("preference", [-1, 0.5, 3, "2.5"])
def test_an_alpaca_eval_preference_of_another_scale_is_refused_with_the_row(tmp_path: Path, preference) -> None:
    row = {"instruction": "Do.", "output": "Done.", "generator": "g", "preference": preference}
    with pytest.raises(InputError, match=r"line 1: column 'preference' is .*, not a preference: 1 "):
        loaded("alpaca_eval", lines(tmp_path / "t.jsonl", [row]))


@pytest.mark.parametrize(
    ("ratings", "fine", "meant"),
    [
        ("1234", None, None),  # mean 2.5: neither
        ("1222", None, 1.0),
        ("2222", 5.0, 1.0),  # the ratings themselves, where there are some
        ("4444", None, None),
        ("4445", None, 10.0),
        ("", 2.0, 1.0),
        ("", 4.25, 10.0),
        ("", 3.0, None),
        ("N", None, 10.0),  # nothing says otherwise
    ],
)
def test_ultrafeedbacks_overall_score_10_is_read_by_its_ratings(tmp_path: Path, ratings: str, fine, meant) -> None:
    told = {f"aspect {at}": "N/A" if rating == "N" else rating for at, rating in enumerate(ratings)}
    more = {} if fine is None else {"fine-grained_score": fine}
    ten = completion("a", "ten", overall_score=10, annotations=rated(**told), **more)
    nine = completion("b", "nine", overall_score=9, annotations=rated(**told), **more)
    path = lines(tmp_path / "t.jsonl", [{"instruction": "Q", "completions": [ten, nine]}])
    content, card = loaded("ultrafeedback", path)
    assert content["Q",]["ten"][1].get("overall_score") == meant
    assert content["Q",]["nine"][1]["overall_score"] == 9.0
    assert sum(card["read_as"].values()) == (meant != 10.0)
    assert card["annotations_skipped"].get("missing", 0) == (meant is None) + 2 * ratings.count("N")
