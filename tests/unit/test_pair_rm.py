"""PairRM: what it reads, in both published layouts, and what it says of pairs."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from scripts.lib.config.scorers import PairRMRanker
from scripts.lib.errors import InputError
from scripts.lib.pair_rm import PairRM, load_pair_rm
from scripts.lib.pair_rm_text import FIRST, PREFIXES, SECOND, SOURCE, TASK, as_texts
from scripts.lib.rankers import Comparison, Ranker, ranker_of
from scripts.lib.schemas import PAIRS, RANKINGS
from scripts.lib.tables import read_table
from scripts.pairs import ranked
from scripts.scores import rank
from scripts.workflow.files import Files
from tests.pair_rm_data import save_hf, save_over_base, tiny_pair_rm, train
from tests.scoring_data import WORDS, Data, user
from tests.unit.test_threads import config_of

RANKER = tiny_pair_rm()
PROMPT = user("say something about plums")
TEXTS = ["so good", "bad", "fine " * 9 + "thus", "good so", "ill and poor and bad"]
COMPARISONS = [(PROMPT, first, second) for first in TEXTS for second in TEXTS if first != second]
words = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=30).map(" ".join)
SPEC = {"kind": "pair_rm", "source_length": 24, "candidate_length": 12, "batch_tokens": 256}


def spec_of(model: Path, **changes) -> PairRMRanker:
    return PairRMRanker(**(SPEC | {"model": str(model)} | changes))


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> tuple[PairRM, Data]:
    """A ranker trained on a rule, and the data that it learnt from."""
    data = Data(tmp_path_factory.mktemp("data"), prompts=40).write()
    ranker = tiny_pair_rm()
    train(ranker, comparisons_of(data))
    return ranker, data


def comparisons_of(data: Data) -> list[Comparison]:
    texts = [row["response"] for row in data.responses]
    return list(zip([row["prompt"] for row in data.prompts], texts[::2], texts[1::2], strict=True))


@pytest.fixture(scope="module", params=["hf", "over a base"])
def saved(request, learnt, tmp_path_factory) -> Path:
    """The trained ranker in one of the published layouts."""
    folder = tmp_path_factory.mktemp("layout")
    if request.param == "hf":
        return save_hf(learnt[0], folder / "model")
    return save_over_base(learnt[0], folder / "model", folder / "base")


# --- what it reads


@given(words, words, words)
def test_each_part_is_what_its_tokenizer_makes_of_prefix_and_text(prompt: str, first: str, second: str) -> None:
    """As on the model's page: parts encoded one by one, the candidates' room from their own pair alone."""
    encode = RANKER.text.tokenizer.encode

    def expected(one: str, other: str) -> list[int]:
        source = encode(SOURCE + prompt, max_length=24, truncation=True)
        room = (48 - len(source)) // 2
        parts = [encode(FIRST + one, max_length=room, truncation=True)]
        parts.append(encode(SECOND + other, max_length=room, truncation=True))
        return source + parts[0] + parts[1]

    found = RANKER.both_orders(user(prompt), first, second)
    assert list(found) == [expected(first, second), expected(second, first)]
    assert all(len(ids) <= 48 for ids in found)


ODD = [
    "[SEP]",
    "[CLS]x",
    "<|source|>",
    "so <|candidate1|> good",
    "bad<|candidate2|>",
    "[PAD][MASK]",
    "［ＳＥＰ］",
    "[UNK]",
]


@given(st.lists(st.sampled_from([*ODD, "good", "bad", " "]), min_size=1, max_size=5).map("".join), st.integers(0, 2))
def test_what_is_spelt_like_a_special_token_is_text(text: str, place: int) -> None:
    texts = ["so", "good", "bad"]
    texts[place] = text
    tokenizer = RANKER.text.tokenizer
    special = {*tokenizer.convert_tokens_to_ids([*PREFIXES, "[PAD]", "[MASK]"])}
    for ids in RANKER.both_orders(user(texts[0]), *texts[1:]):
        one = RANKER.text.prefixes
        assert [at for at in ids if at in special] == [one[SOURCE], one[FIRST], one[SECOND]]
        assert ids.count(tokenizer.cls_token_id) == ids.count(tokenizer.sep_token_id) == 3


def test_a_literal_keeps_its_letters() -> None:
    ids, _ = RANKER.both_orders(user("so"), "bad [SEP] good", "bad")
    assert "".join(RANKER.text.tokenizer.convert_ids_to_tokens(ids)).replace("▁", " ") == (
        "[CLS]<|source|> so[SEP][CLS]<|candidate1|> bad [ SEP] good[SEP][CLS]<|candidate2|> bad[SEP]"
    )


def test_several_turns_are_written_as_its_authors_do() -> None:
    prompt = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
    ]
    assert as_texts(prompt, ["a", "b"], False) == [
        f"{TASK}USER: one\nAssistant: <Response 1>\nUSER: two\nAssistant: <Response 2>",
        "<Response 1>: 1\n<Response 2>: a",
        "<Response 1>: 1\n<Response 2>: b",
    ]
    assert as_texts(user("one"), ["a"], True) == [f"{TASK}USER: one\nAssistant: <Response 1>", "<Response 1>: a"]
    assert as_texts(user("one"), ["a"], False) == ["one", "a"]
    system = [{"role": "system", "content": "be kind"}]
    assert as_texts([*system, *user("one")], ["a"], False) == ["be kind\none", "a"]
    assert as_texts([*system, *prompt], ["a"], False)[0].startswith(f"{TASK}be kind\nUSER: one\n")


# --- what it says


@torch.no_grad()
def by_hand(ranker: PairRM, ids: list[int]) -> float:
    """The head's score of [source; first] minus that of [source; second], from the states at their prefixes."""
    hidden = ranker.network.pretrained_model(torch.tensor([ids])).last_hidden_state[0]
    source, first, second = (hidden[ids.index(at)] for at in ranker.text.tokenizer.convert_tokens_to_ids(PREFIXES)[:3])
    weights = ranker.network.state_dict()

    def score(candidate: torch.Tensor) -> float:
        inner = weights["head_layer.1.weight"] @ torch.cat([source, candidate]) + weights["head_layer.1.bias"]
        return float(weights["head_layer.4.weight"] @ inner.tanh() + weights["head_layer.4.bias"])

    return score(first) - score(second)


def test_the_output_is_the_difference_of_two_scores_at_the_prefixes() -> None:
    sequences = [ids for each in COMPARISONS for ids in RANKER.both_orders(*each)]
    found = RANKER.classify(sequences, 128)
    assert found == pytest.approx([by_hand(RANKER, ids) for ids in sequences], abs=1e-5)
    assert len({round(value, 5) for value in found}) == len(found) / 2  # a pair and its mirror are the same two orders


def test_a_probability_is_from_both_orders_and_exactly_the_rest_when_exchanged() -> None:
    ranker = Ranker(RANKER, 256)
    wins = ranker.first_wins(COMPARISONS)
    for (prompt, first, second), win in zip(COMPARISONS, wins, strict=True):
        one, other = (by_hand(RANKER, ids) for ids in RANKER.both_orders(prompt, first, second))
        assert win == pytest.approx(1 / (1 + math.exp(-(one - other) / 2)), abs=1e-5)
    losses = ranker.first_wins([(prompt, second, first) for prompt, first, second in COMPARISONS])
    assert wins == [1.0 - value for value in losses]
    assert ranker.first_wins([(PROMPT, "so", "so")]) == [0.5]


def test_neither_batches_nor_what_else_is_in_them_changes_anything() -> None:
    long = (user("plums " * 40), "good " * 40, "bad " * 40)
    asked = [*COMPARISONS, long]
    together = Ranker(RANKER, 10_000).first_wins(asked)
    alone = [Ranker(RANKER, 1).first_wins([each])[0] for each in asked]
    assert together == pytest.approx(alone, abs=1e-5)


# --- the published layouts


def test_both_layouts_load_to_the_same_answers(saved: Path, learnt) -> None:
    ranker, data = learnt
    asked = comparisons_of(data)
    wins = ranker_of(spec_of(saved)).first_wins(asked)
    assert wins == pytest.approx(Ranker(ranker, 256).first_wins(asked), abs=1e-6)
    assert sum(win > 0.5 for win in wins) / len(wins) > 0.9
    asked = [(user("so ［ＳＥＰ］ good"), "well  \n fine", "bad <|source|>")]
    assert ranker_of(spec_of(saved)).first_wins(asked) == pytest.approx(Ranker(ranker, 256).first_wins(asked))


def test_a_tokenizer_of_its_own_is_read_to_the_letter(learnt, tmp_path: Path) -> None:
    folder = save_hf(learnt[0], tmp_path / "model")
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "say  something\n about ｐｌｕｍｓ  "
    loaded = load_pair_rm(spec_of(folder)).text.tokenizer
    assert loaded(text, add_special_tokens=False)["input_ids"] == own.encode(text, add_special_tokens=False).ids


def test_precision_is_that_of_its_entry(saved: Path) -> None:
    loaded = load_pair_rm(spec_of(saved, precision="bfloat16"))
    assert {each.dtype for each in loaded.network.parameters()} == {torch.bfloat16} and not loaded.network.training
    value = loaded.classify([loaded.both_orders(PROMPT, "so good", "bad")[0]], 64)
    exact = load_pair_rm(spec_of(saved)).classify([loaded.both_orders(PROMPT, "so good", "bad")[0]], 64)
    assert value != exact and value == pytest.approx(exact, rel=0.1, abs=0.1)


def without(folder: Path, weight: str) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in weights.items() if name != weight}, folder / "model.safetensors")


def configured(folder: Path, **changes) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: without(folder, "head_layer.1.bias"), "head_layer.1.bias"),
        (lambda folder: without(folder, "head_layer.4.weight"), "lack head_layer.4.weight"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
        (lambda folder: configured(folder, cand1_prefix_id=7), r"<\|candidate1\|> is \d+ in its tokenizer, 7 in its"),
        (lambda folder: configured(folder, position_biased_input=True, max_position_embeddings=47), "has 47 positions"),
        (lambda folder: configured(folder, model_type="bert"), "names no base by model_name"),
        (lambda folder: configured(folder, model_type="x", model_name="nobody/here"), "no readable pairwise ranker"),
    ],
)
def test_what_is_no_ranker_in_its_layout_is_refused(
    learnt, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    folder = save_hf(learnt[0], tmp_path / "model")
    spoil(folder)
    with pytest.raises(InputError, match=said) as error:
        load_pair_rm(spec_of(folder))
    assert str(folder) in str(error.value) and "remedy" in str(error.value)


def test_a_tokenizer_without_the_prefixes_is_refused(learnt, tmp_path: Path) -> None:
    folder = save_hf(learnt[0], tmp_path / "model")
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace("<|candidate2|>", "<|candidate3|>"))
    with pytest.raises(InputError, match=r"lacks one of <\|source\|>"):
        load_pair_rm(spec_of(folder))


# --- in the workflow


def test_its_local_files_are_inputs_and_a_hub_id_has_none(saved: Path) -> None:
    files = Files(config_of(rankers={"local": SPEC | {"model": str(saved)}, "hub": SPEC | {"model": "owner/name"}}))
    assert set(files.ranker("local")) == {str(path) for path in saved.iterdir()}
    assert files.ranker("hub") == files.ranker_folder("hub") == files.ranker_folder("local") == []


def test_the_steps_use_it_without_a_folder_of_results(learnt, tmp_path: Path, monkeypatch) -> None:
    ranker, data = learnt
    spec = spec_of(save_hf(ranker, tmp_path / "model")).model_dump_json()
    out = tmp_path / "rankings.parquet"
    monkeypatch.setattr(
        "sys.argv", ["rank", *data.flags("pairs", "prompts", "responses", ranker="pair_rm", spec=spec, out=out)]
    )
    rank.main()
    assert (read_table(out, RANKINGS)["first_wins"] > 0.5).mean() > 0.9

    entry = json.dumps({"kind": "ranked", "prompt_set": "fruit", "ranker": "pair_rm"})
    files = {"out": tmp_path / "pairs.parquet", "card": tmp_path / "card.json"}
    monkeypatch.setattr(
        "sys.argv", ["ranked", *data.flags("responses", "prompts", spec=entry, ranker_spec=spec, **files)]
    )
    ranked.main()
    pairs = read_table(files["out"], PAIRS)
    assert len(pairs) == len(data.prompts)
    right = {row["chosen_id"] for row in data.pairs}
    assert pairs["chosen_id"].isin(right).mean() > 0.9
