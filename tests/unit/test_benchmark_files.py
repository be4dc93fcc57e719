"""The authors' own files of a benchmark give the rows that the hub's datasets have."""

import csv
import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.evaluation.benchmark_files import holds_splits, split_rows
from scripts.lib.errors import InputError

ANATOMY = [
    ["Which bone?\nSay, please.", "femur", "tibia, or so", ' "ulna"', "4", "C"],
    ["2 + 2?", "1", "2", "3", "4", "D"],
]
LAW = [["Who sues?", "NA", "None", "", "x", "A"]]
PLAINTIFF = {"question": "Who sues?", "subject": "law", "choices": ["NA", "None", "", "x"], "answer": 0}

TRUTHS = {
    "Question": "Who says; and why?",
    "Best Answer": "nobody ",
    "Correct Answers": "nobody; It is unknown.; unknown",
    "Incorrect Answers": "a duck; unknown; ; The King.",
}
"""Two false answers, and one that is listed both as true and as false."""


def table(rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


MMLU = {
    "test/anatomy_test.csv": table(ANATOMY),
    "test/law_test.csv": table(LAW),
    "dev/anatomy_dev.csv": table(ANATOMY[1:]),
    "val/anatomy_val.csv": table(ANATOMY[:1]),
}


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def folder_of(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(params=["zip", "zip with data/", "folder", "folder with data/"])
def mmlu(request, tmp_path):
    files = {f"data/{name}" if "data" in request.param else name: content for name, content in MMLU.items()}
    files["README.txt"] = b"read me"
    return zipped(tmp_path / "mmlu.zip", files) if "zip" in request.param else folder_of(tmp_path / "mmlu", files)


def test_mmlu_has_a_subject_a_split_and_its_answers_as_numbers(mmlu):
    assert holds_splits(mmlu)
    assert split_rows(mmlu, "law", "test") == [PLAINTIFF]
    first, second = split_rows(mmlu, "anatomy", "test")
    assert (first["question"], first["choices"], first["answer"]) == (ANATOMY[0][0], ANATOMY[0][1:5], 2)
    assert split_rows(mmlu, "anatomy", "dev") == [second]
    assert split_rows(mmlu, "anatomy", "validation") == [first]


@pytest.mark.parametrize(
    ("subject", "split", "problem"),
    [
        ("law", "dev", "without dev/law_dev.csv"),
        ("../law", "test", "without test/../law_test.csv"),
        ("main", "train", "no split train"),
    ],
)
def test_what_mmlu_lacks_is_named(mmlu, subject, split, problem):
    with pytest.raises(InputError, match=problem):
        split_rows(mmlu, subject, split)


def test_a_zip_that_climbs_out_writes_and_reads_nothing(tmp_path):
    outside = folder_of(tmp_path / "outside", {"test/law_test.csv": table(ANATOMY)})
    climbing = {f"../{outside.name}/test/law_test.csv": table(ANATOMY), f"{outside}/x": b"new", "data/../../y": b"new"}
    (tmp_path / "in").mkdir()
    path = zipped(tmp_path / "in" / "mmlu.zip", climbing | MMLU)
    before = sorted(tmp_path.rglob("*"))
    assert split_rows(path, "law", "test") == [PLAINTIFF]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"q,a,b,c,d,E\n", "row 0: is not a question, four choices and a letter"),
        (b"q,a,b,c,d,A\nq,a,b,c,D\n", "row 1: is not"),
        (b"q,a,b,c,d,AB\n", "row 0: is not"),
        (b"\xff,a,b,c,d,A\n", "not readable"),
        (b"", "holds no rows"),
    ],
)
def test_a_broken_table_of_mmlu_names_its_place(tmp_path, content, problem):
    path = zipped(tmp_path / "mmlu.zip", MMLU | {"test/law_test.csv": content})
    with pytest.raises(InputError, match=f"mmlu.zip, test/law_test.csv.*{problem}"):
        split_rows(path, "law", "test")


def test_zips_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no test/<subject>_test.csv"):
        split_rows(zipped(tmp_path / "other.zip", {"test.jsonl": "{}"}), "law", "test")
    (tmp_path / "torn.zip").write_bytes(zipped(tmp_path / "whole.zip", MMLU).read_bytes()[:200])
    for name in ("torn.zip", "absent.zip"):
        with pytest.raises(InputError, match="not readable"):
            split_rows(tmp_path / name, "law", "test")
    bad = bytearray((tmp_path / "whole.zip").read_bytes())
    bad[bad.index(b"sues")] ^= 1
    (tmp_path / "bad.zip").write_bytes(bad)
    with pytest.raises(InputError, match=r"not readable \(Bad CRC"):
        split_rows(tmp_path / "bad.zip", "law", "test")


def targets(labels):
    return {"choices": list(labels), "labels": list(labels.values())}


MC1 = {"nobody.": 1, "a duck.": 0, "unknown.": 0, "The King.": 0}
MC2 = {"nobody.": 1, "It is unknown.": 1, "unknown.": 0, "a duck.": 0, "The King.": 0}


def truthful(path):
    (row,) = split_rows(path, "multiple_choice", "validation")
    return row["question"], row["mc1_targets"], row["mc2_targets"]


def test_truthfulqa_is_the_same_from_its_answers_and_from_its_targets(tmp_path):
    header = list(TRUTHS)
    truths = b"\xef\xbb\xbf" + table([header, [TRUTHS[column] for column in header]])
    task = json.dumps([{"question": TRUTHS["Question"], "mc1_targets": MC1, "mc2_targets": MC2}])
    expected = TRUTHS["Question"], targets(MC1), targets(MC2)
    answers = folder_of(tmp_path / "answers", {"TruthfulQA.csv": truths})
    both = folder_of(tmp_path / "both", {"TruthfulQA.csv": truths, "data/mc_task.json": task})
    assert truthful(answers) == truthful(both) == truthful(answers / "TruthfulQA.csv") == expected
    assert truthful(both / "data" / "mc_task.json") == expected
    (row,) = split_rows(both, "generation", "validation")
    assert row["best_answer"] == "nobody." and row["incorrect_answers"] == ["a duck.", "unknown.", "The King."]


def test_truthfulqa_takes_its_targets_before_its_answers(tmp_path):
    task = [{"question": "other?", "mc1_targets": {"yes": 1}, "mc2_targets": {"yes": 1, "no": 0}}]
    answers = table([list(TRUTHS), list(TRUTHS.values())])
    folder = folder_of(tmp_path, {"TruthfulQA.csv": answers, "mc_task.json": json.dumps(task)})
    assert truthful(folder) == ("other?", targets({"yes": 1}), targets({"yes": 1, "no": 0}))


def test_a_question_without_a_false_answer_is_refused(tmp_path):
    rows = [list(TRUTHS), list(TRUTHS.values()), [*list(TRUTHS.values())[:3], " ; "]]
    folder = folder_of(tmp_path, {"TruthfulQA.csv": table(rows)})
    with pytest.raises(InputError, match=r"TruthfulQA.csv, row 1: lacks"):
        split_rows(folder, "multiple_choice", "validation")


def test_copies_of_hub_datasets_stay_as_they_are(tmp_path):
    rows = [{"question": "q?", "mc1_targets": targets(MC1), "mc2_targets": targets(MC2)}]
    folder = folder_of(tmp_path, {"multiple_choice/validation.jsonl": lines(rows), "main/test.jsonl": lines(rows * 2)})
    assert split_rows(folder, "multiple_choice", "validation") == rows
    assert split_rows(folder / "multiple_choice" / "validation.jsonl", None, "validation") == rows
    assert split_rows(folder, "main", "test") == rows * 2


def test_the_hubs_shards_follow_in_order(tmp_path):
    for at, questions in enumerate((["a", "b"], ["c"])):
        pq.write_table(pa.table({"question": questions}), tmp_path / f"test-{at:05}-of-00002.parquet")
    assert [row["question"] for row in split_rows(tmp_path, "main", "test")] == ["a", "b", "c"]
    with pytest.raises(InputError, match="no file of split train"):
        split_rows(tmp_path, "main", "train")


def test_ifeval_and_gsm8k_are_the_hubs_rows_already(tmp_path):
    rows = [{"key": 1, "prompt": "p", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}]
    for name in ("input_data.jsonl", "data/input_data.jsonl", "ifeval_input_data.jsonl"):
        folder = folder_of(tmp_path / name.replace("/", " "), {name: lines(rows), "gpt4.jsonl": "{}"})
        assert split_rows(folder, None, "train") == split_rows(folder / name, None, "train") == rows
    solved = [{"question": "q", "answer": "#### 1"}]
    folder = folder_of(tmp_path / "gsm8k", {"test.jsonl": lines(solved), "train.jsonl": lines(solved * 3)})
    assert split_rows(folder, "main", "test") * 3 == split_rows(folder, "main", "train")


def test_a_folder_of_something_else_says_what_is_missing(tmp_path):
    folder_of(tmp_path, {"test/readme.md": "no tables"})
    with pytest.raises(InputError, match=r"split validation.*\n.*validation.jsonl or mc_task.json or .*TruthfulQA.csv"):
        split_rows(tmp_path, "multiple_choice", "validation")
    with pytest.raises(InputError, match=r"split test.*\n.*test.jsonl there"):
        split_rows(tmp_path, "anatomy", "test")


def test_a_zips_members_stay_in_the_zip(tmp_path):
    """Nothing is extracted, and a member whose name leads out of the zip belongs to no subject."""
    (tmp_path / "inner").mkdir()
    files = {**MMLU, "../test/evil_test.csv": table(LAW), "/test/evil_test.csv": table(LAW)}
    path = zipped(tmp_path / "inner" / "mmlu.zip", files)
    assert split_rows(path, "law", "test") == [PLAINTIFF]
    for subject in ("evil", "../test/law", "../../test/evil"):
        with pytest.raises(InputError, match=r"mmlu\.zip"):
            split_rows(path, subject, "test")
    assert [each.name for each in tmp_path.rglob("*")] == ["inner", "mmlu.zip"]
