"""lm-eval's IFEval checkers agree with the instructions as Zhou et al. (2023) define them.

The definitions are implemented again here, without regular expressions and in a few lines each, and compared with
lm-eval's on real responses (--data) and on small ones made here. The published figures of GPT-4 are from the paper's
Table 3; its responses are those in the authors' repository.
"""

import json
import random
from collections import Counter
from itertools import chain

import nltk
import pytest

from scripts.evaluation.tasks import NEED_SENTENCES

RELATIONS = {"less than": int.__lt__, "at least": int.__ge__}


def words(text):
    """Longest runs of letters, digits and underscores."""
    return "".join(each if each.isalnum() or each == "_" else " " for each in text).split()


def compared(count, relation, bound):
    return RELATIONS[relation](count, bound)


def count_words(text, relation, num_words):
    return compared(len(words(text)), relation, num_words)


def has_keywords(text, keywords):
    return all(each.lower() in text.lower() for each in keywords)


def keyword_frequency(text, relation, keyword, frequency):
    return compared(text.lower().count(keyword.strip().lower()), relation, frequency)


def no_forbidden_words(text, forbidden_words):
    """None of them adjacent to a letter, digit or underscore."""
    text = f" {text.lower()} "
    for word in forbidden_words:
        for at in range(1, len(text)):
            end = at + len(word)
            if text[at:end] == word.lower() and not words(text[at - 1] + text[end : end + 1]):
                return False
    return True


def letter_frequency(text, letter, let_relation, let_frequency):
    return compared(text.lower().count(letter.lower()), let_relation, let_frequency)


def paragraphs(text, num_paragraphs):
    """Paragraphs are separated by lines of three asterisks; only the first and the last may be empty."""
    found = [part.strip() for part in text.split("***")]
    inner = found[1:-1]
    return all(inner) and sum(map(bool, found)) == num_paragraphs


def nth_paragraph(text, num_paragraphs, nth_paragraph, first_word):
    """Paragraphs are separated by empty lines."""
    found = text.split("\n\n")
    if sum(bool(part.strip()) for part in found) != num_paragraphs or not found[nth_paragraph - 1].strip():
        return False
    first = found[nth_paragraph - 1].split()[0].lower().lstrip("'").lstrip('"')
    end = min([first.index(mark) for mark in ".,?!'\"" if mark in first], default=len(first))
    return first[:end] == first_word.lower()


def placeholders(text, num_placeholders):
    """Pairs of brackets on one line."""
    found = 0
    for line in text.split("\n"):
        while "[" in line and "]" in line[line.index("[") :]:
            line = line[line.index("]", line.index("[")) + 1 :]
            found += 1
    return found >= num_placeholders


def postscript(text, postscript_marker):
    """The marker, with or without spaces in it."""
    spaced = postscript_marker.lower().replace(".", ". ").strip()
    return any(marker in text.lower() for marker in (postscript_marker.lower(), spaced))


def bullets(text, num_bullets):
    """Lines that begin with a dash, or with one asterisk followed by something."""
    begun = [line.lstrip() for line in text.split("\n")]
    starred = [line for line in begun if line.startswith("*") and line[1:2] not in ("", "*")]
    return len(starred) + sum(line.startswith("-") for line in begun) == num_bullets


def highlights(text, num_highlights):
    """Pieces of a line between asterisks, single or double, that are not blank."""
    found = 0
    for line in text.split("\n"):
        for marks in ("**", "*"):
            pieces = line.split(marks)
            closed = pieces[1::2] if len(pieces) % 2 else pieces[1:-1:2]
            found += sum(bool(piece.strip()) for piece in closed)
            line = "".join(pieces[::2])
    return found >= num_highlights


def sections(text, section_spliter, num_sections):
    parts = text.split(section_spliter.strip())[1:]
    return sum(part.lstrip(" \n")[:1].isdigit() for part in parts) >= num_sections


def is_json(text):
    text = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        if text.startswith(fence):
            text = text[len(fence) :]
            break
    try:
        json.loads(text[:-3] if text.endswith("```") else text)
    except ValueError:
        return False
    return True


def title(text):
    return any(
        line[line.index("<<") :].strip("<> ") and ">>" in line[line.index("<<") :]
        for line in text.split("\n")
        if "<<" in line
    )


def two_responses(text):
    parts = [part.strip() for part in text.split("******")]
    return all(parts[1:-1]) and len([part for part in parts if part]) == len({part for part in parts if part}) == 2


def ends_with(text, end_phrase):
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
CHECKS = {
    "punctuation:no_comma": lambda text: "," not in text,
    "length_constraints:number_words": count_words,
    "keywords:existence": has_keywords,
    "keywords:frequency": keyword_frequency,
    "keywords:forbidden_words": no_forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "length_constraints:number_paragraphs": paragraphs,
    "length_constraints:nth_paragraph_first_word": nth_paragraph,
    "detectable_content:number_placeholders": placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": bullets,
    "detectable_format:number_highlighted_sections": highlights,
    "detectable_format:multiple_sections": sections,
    "detectable_format:json_format": is_json,
    "detectable_format:title": title,
    "detectable_format:constrained_response": lambda text: any(option in text for option in OPTIONS),
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": lambda text, prompt_to_repeat: (
        text.strip().lower().startswith(prompt_to_repeat.strip().lower())
    ),
    "startend:end_checker": ends_with,
    "startend:quotation": lambda text: len(text.strip()) > 1 and text.strip()[0] == text.strip()[-1] == '"',
    "change_case:english_capital": lambda text: text == text.upper() != text.lower(),
    "change_case:english_lowercase": lambda text: text == text.lower() != text.upper(),
}
"""The 22 of IFEval's 25 instructions that need neither a sentence splitter nor language detection."""


YES_AND_NO = {
    "punctuation:no_comma": ({}, "One; two.", "One, two."),
    "length_constraints:number_words": ({"relation": "less than", "num_words": 4}, "It's one", "It's one, two"),
    "keywords:existence": ({"keywords": ["duck", "pond"]}, "Ducklings in a Pond", "ducks"),
    "keywords:frequency": (
        {"relation": "at least", "keyword": "duck", "frequency": 2},
        "Duck, ducks",
        "Duck pond",
    ),
    "keywords:forbidden_words": ({"forbidden_words": ["duck", "old pond"]}, "ducks; old; pond s", "An old pond."),
    "keywords:letter_frequency": (
        {"letter": "q", "let_relation": "less than", "let_frequency": 2},
        "Quack",
        "Q, quack",
    ),
    "length_constraints:number_paragraphs": (
        {"num_paragraphs": 2},
        "one\n\nstill\n***\ntwo\n***",
        "one\n***\n***\ntwo",
    ),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "duck"},
        "One.\n\n'Duck', two.",
        "One.\n\nA duck.",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[a] b [c]", "[a b [c]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Bye.\np. s. duck", "Bye.\nPS duck"),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "* a\n - b\n** c **", "* a\n* b\n* c"),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*a* and **b**", "*a* and ** **, *b"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "PART", "num_sections": 2},
        "PART 1\na\nPART2\nb",
        "PART 1\na\nPART two\nb",
    ),
    "detectable_format:json_format": ({}, '```json\n{"a": [1]}\n```', "{a: [1]}"),
    "detectable_format:title": ({}, "<<a duck>>\nquack", "<< >>\n<a duck>"),
    "detectable_format:constrained_response": ({}, "Well. My answer is maybe.", "Yes."),
    "combination:two_responses": ({}, "a\n******\nb", "a\n******\n a"),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Name a duck."}, " name a duck. Donald", "Donald. Name a duck."),
    "startend:end_checker": ({"end_phrase": "Any questions?"}, '"So. any questions?"', "Any questions? None."),
    "startend:quotation": ({}, ' "Quack." ', '"Quack", she said.'),
    "change_case:english_capital": ({}, "THE DUCK SWIMS IN THE OLD POND.", "THE DUCK SWIMS IN THE OLD Pond."),
    "change_case:english_lowercase": ({}, "the duck swims in the old pond.", "The duck swims in the old pond."),
}


@pytest.fixture(scope="module")
def checkers():
    """lm-eval's IFEval module, with language detection seeded as in the harness."""
    from langdetect import DetectorFactory
    from lm_eval.defaults import DEFAULT_OTHER_SEED
    from lm_eval.tasks.ifeval import instructions_registry

    DetectorFactory.seed = DEFAULT_OTHER_SEED
    random.seed(0)
    return instructions_registry.INSTRUCTION_DICT


def follows(checkers, instruction, kwargs, text):
    checker = checkers[instruction](instruction)
    checker.build_description(**kwargs)
    return bool(checker.check_following(text))


def test_all_instructions_are_defined_here_but_three(checkers):
    assert set(checkers) - set(CHECKS) == NEED_SENTENCES | {"language:response_language"}
    assert set(CHECKS) == set(YES_AND_NO)


@pytest.mark.parametrize("instruction", sorted(YES_AND_NO))
def test_both_follow_and_both_refuse(checkers, instruction):
    kwargs, yes, no = YES_AND_NO[instruction]
    assert [follows(checkers, instruction, kwargs, text) for text in (yes, no)] == [True, False]
    assert [bool(CHECKS[instruction](text, **kwargs)) for text in (yes, no)] == [True, False]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def questions(real_data):
    return lines(real_data / "ifeval" / "input_data.jsonl")


@pytest.fixture(scope="module")
def responses(real_data):
    """GPT-4's, in the order of the questions. One of them (key 2785) answers an earlier wording of its question."""
    return lines(real_data / "ifeval" / "input_response_data_gpt4_20231107_145030.jsonl")


def relaxed(text):
    """The response, and some of the variants that the loose metrics accept as well."""
    parts = text.split("\n")
    texts = [text, text.replace("*", ""), "\n".join(parts[1:]).strip(), "\n".join(parts[:-1]).strip()]
    return [each for each in texts if each.strip()]


def test_the_responses_answer_the_questions(questions, responses):
    assert len(questions) == len(responses) == 541
    other = [one["key"] for one, two in zip(questions, responses, strict=True) if one["prompt"] != two["prompt"]]
    assert other == [2785]


def test_lm_eval_agrees_on_real_responses(checkers, questions, responses):
    """They differ only if the instruction also says English, and langdetect detects another language.

    If the "letter" is not a letter, as in "at least 4 hashtags", lm-eval counts a random letter instead.
    """
    from langdetect import detect

    asked, differ, no_letters = Counter(), set(), set()
    for question, response in zip(questions, responses, strict=True):
        for instruction, kwargs in zip(question["instruction_id_list"], question["kwargs"], strict=True):
            if instruction not in CHECKS:
                continue
            if "letter" in kwargs and not kwargs["letter"].isalpha():
                no_letters.add(question["key"])
                continue
            for text in relaxed(response["response"]):
                asked[instruction] += 1
                theirs, ours = follows(checkers, instruction, kwargs, text), bool(CHECKS[instruction](text, **kwargs))
                if theirs != ours:
                    assert instruction.startswith("change_case:english") and ours and detect(text) != "en"
                    differ.add(question["key"])
    assert set(asked) == set(CHECKS) and asked.total() > 2600
    assert sorted(differ) == NOT_ENGLISH_FOR_LANGDETECT and sorted(no_letters) == NO_LETTERS


NOT_ENGLISH_FOR_LANGDETECT = [202, 1843, 2341, 2571, 3456, 3617]
"""Keys of questions answered in one or a few words, or with a list of names."""

NO_LETTERS = [1122, 1129]
"""Keys of questions about hashtags and exclamation marks."""

PUBLISHED = {"prompt_level_strict_acc": 76.89, "inst_level_strict_acc": 83.57, "prompt_level_loose_acc": 79.30}
PUBLISHED["inst_level_loose_acc"] = 85.37


def splitter_of(folder, abbreviations):
    """A folder for NLTK with punkt parameters that end a sentence at each full stop but after these abbreviations."""
    parameters = folder / "tokenizers" / "punkt_tab" / "english"
    parameters.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "ortho_context.tab"):
        (parameters / name).write_text("")
    (parameters / "abbrev_types.txt").write_text("\n".join(sorted(abbreviations)))
    return folder


def figures(splitter, questions, responses, monkeypatch, seed=0):
    """lm-eval's four metrics, in percent. seed: of the letters that it draws."""
    from lm_eval.tasks.ifeval import instructions_util, utils

    monkeypatch.setattr(nltk.data, "path", [str(splitter)])
    instructions_util._get_sentence_tokenizer.cache_clear()
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    random.seed(seed)
    found = [
        utils.process_results(question, [response["response"]])
        for question, response in zip(questions, responses, strict=True)
    ]
    instructions_util._get_sentence_tokenizer.cache_clear()
    nltk.tokenize._get_punkt_tokenizer.cache_clear()
    verdicts = {metric: [each[metric] for each in found] for metric in PUBLISHED}
    flat = {
        metric: list(chain.from_iterable(each)) if metric.startswith("inst") else each
        for metric, each in verdicts.items()
    }
    assert {metric: len(each) for metric, each in flat.items()} == {
        metric: 834 if metric.startswith("inst") else 541 for metric in PUBLISHED
    }
    return {metric: 100 * sum(each) / len(each) for metric, each in flat.items()}


def test_gpt4s_published_figures_lie_between_the_extremes_of_sentence_splitting(
    checkers, questions, responses, tmp_path, monkeypatch
):
    """Extremes: every word before a full stop is an abbreviation, or none is; punkt's own parameters are in between.

    With none, the strict figures equal the published ones to the digit for one draw of the letters that lm-eval counts
    in place of # and !, and the loose ones are two instructions higher.
    """
    texts = [response["response"] for response in responses]
    ended = {part.rstrip(".").lower() for text in texts for part in text.split() if part.endswith(".")}
    ended |= {word.lower() for each in ended for word in words(each)}
    all_stops = splitter_of(tmp_path / "all", set())
    most = figures(all_stops, questions, responses, monkeypatch)
    least = figures(splitter_of(tmp_path / "least", ended - {""}), questions, responses, monkeypatch)
    for metric, published in PUBLISHED.items():
        assert least[metric] - 0.005 <= published <= most[metric] + 0.005
        assert most[metric] == pytest.approx(published, abs=100 * 2.5 / 834)
        assert most[metric] - least[metric] < 1.5
    other = figures(all_stops, questions, responses, monkeypatch, seed=1)
    strict = [metric for metric in PUBLISHED if "strict" in metric]
    assert [round(other[metric], 2) for metric in strict] == [PUBLISHED[metric] for metric in strict]
