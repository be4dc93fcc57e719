"""Sampling: the policy's distribution, one seed per response, and where responses end."""

import sys
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from transformers import GenerationConfig, LlamaForCausalLM

from scripts.lib.chat import encode_prompt
from scripts.lib.config.policies import Architecture
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.ids import prompt_id, response_id
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.noise import gumbel
from scripts.lib.sampling import Row, TransformersSampler, cut, stop_ids
from scripts.lib.schemas import PROMPTS, RESPONSES, SAMPLES
from scripts.lib.scratch import tiny_llama_config, train_tokenizer
from scripts.lib.tables import read_json, read_table, write_table
from scripts.lib.vllm_backend import VllmSampler
from scripts.samples import gather
from scripts.samples import sample as step

PROMPT = [{"role": "user", "content": "sort b a"}]
PROMPTS_OF_MANY_LENGTHS = [[{"role": "user", "content": "sort " + "a b " * (at % 7)}] for at in range(20)]
IDS = [f"p{at}" for at in range(20)]


def spec_of(**changes) -> SamplingSpec:
    return SamplingSpec(**({"precision": "float32", "max_new_tokens": 10} | changes))


@pytest.fixture(scope="module")
def sampler(tiny_policy):
    card = read_policy(tiny_policy / "policy.json")
    return TransformersSampler(load_causal(card), load_tokenizer(card), card.max_length)


@torch.no_grad()
def next_token(sampler, ids: list[int], temperature: float = 1.0, top_p: float = 1.0) -> torch.Tensor:
    """p(next token) by the definition of temperature and of nucleus sampling."""
    p = sampler.model(input_ids=torch.tensor([ids])).logits[0, -1].double().div(temperature).softmax(-1)
    ranked, order = p.sort(descending=True)
    p[order[ranked.cumsum(0) - ranked >= top_p]] = 0
    return p / p.sum()


@torch.no_grad()
def by_generate(sampler, ids: list[int], **options) -> torch.Tensor:
    """p(next token) as transformers' own ``generate`` would draw it."""
    options = {"top_k": 0, "do_sample": True, "max_new_tokens": 1, **options}
    config = GenerationConfig(output_scores=True, return_dict_in_generate=True, **options)
    drawn = sampler.model.generate(torch.tensor([ids]), generation_config=config)
    return drawn.scores[0][0].double().softmax(-1)


def fits(texts: list[str], expected: Counter) -> bool:
    """Whether counts of texts agree with the probabilities (chi-square; rare texts are pooled)."""
    counts = Counter(texts)
    assert set(counts) <= {text for text, p in expected.items() if p > 0}
    common = [text for text, p in expected.items() if p * len(texts) >= 5]
    observed = [counts[text] for text in common]
    wanted = [expected[text] * len(texts) for text in common]
    rest = sum(expected.values()) * len(texts) - sum(wanted)
    if rest > 1e-6:
        observed.append(len(texts) - sum(observed))
        wanted.append(rest)
    return chisquare(observed, wanted).pvalue > 1e-3


@pytest.mark.parametrize("options", [{}, {"temperature": 0.6}, {"top_p": 0.7}, {"temperature": 1.5, "top_p": 0.9}])
def test_one_token_is_drawn_from_the_models_distribution(sampler, options):
    ids = encode_prompt(sampler.tokenizer, PROMPT)
    expected = Counter()
    for token, p in enumerate(next_token(sampler, ids, **options).tolist()):
        expected[sampler.tokenizer.decode([token], skip_special_tokens=True)] += p
    drawn = sampler.sample([PROMPT], ["p"], spec_of(max_new_tokens=1, samples=5000, **options))
    assert fits([each.text for each in drawn], expected)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("options", [{"top_k": 5}, {"top_k": 2}, {"temperature": 1.5, "top_p": 0.9, "top_k": 8}])
def test_top_k_draws_as_generate_does(sampler, options, beams):
    ids = encode_prompt(sampler.tokenizer, PROMPT)
    p = by_generate(sampler, ids, **options)
    assert 0 < (p > 0).sum() <= options["top_k"]
    expected = Counter()
    for token, each in enumerate(p.tolist()):
        expected[sampler.tokenizer.decode([token], skip_special_tokens=True)] += each
    spec = spec_of(max_new_tokens=1, samples=3000 if beams == 1 else 200, num_beams=beams, **options)
    texts = [each.text for each in sampler.sample([PROMPT], ["p"], spec)]
    if beams == 1:
        assert fits(texts, expected)
    else:
        assert set(texts) <= {text for text, each in expected.items() if each > 0}


@pytest.mark.parametrize(("top_k", "asked"), [(50, 50), (None, 0)])
def test_top_k_reaches_vllm(monkeypatch, top_k, asked):
    """Without vLLM: the settings that a row would be sampled with; 0 is all tokens there."""
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(SamplingParams=dict))
    parameters = VllmSampler._parameters(
        SimpleNamespace(stop=[2]), Row([], "p", 0, 7, [1], 9, (2,)), spec_of(top_k=top_k)
    )
    assert parameters["top_k"] == asked and parameters["seed"] == 7


def test_two_tokens_are_drawn_one_after_the_other(sampler):
    """The joint distribution: a later step's noise is independent of an earlier one's."""
    ids = encode_prompt(sampler.tokenizer, PROMPT)
    stop = stop_ids(sampler.model.generation_config, sampler.tokenizer)
    expected = Counter()
    for first, p in enumerate(next_token(sampler, ids).tolist()):
        if first in stop:
            expected[""] += p
            continue
        for second, q in enumerate(next_token(sampler, [*ids, first]).tolist()):
            new = [first] if second in stop else [first, second]
            expected[sampler.tokenizer.decode(new, skip_special_tokens=True)] += p * q
    drawn = sampler.sample([PROMPT], ["p"], spec_of(max_new_tokens=2, samples=6000))
    assert fits([each.text for each in drawn], expected)


@pytest.mark.parametrize("options", [{}, {"temperature": 0.7, "top_p": 0.9}, {"temperature": 0}])
def test_batches_and_their_order_change_nothing(sampler, options):
    texts = {}
    for batch_tokens, order in [(10_000, 1), (60, 1), (1, 1), (10_000, -1)]:
        spec = spec_of(samples=2, batch_tokens=batch_tokens, **options)
        drawn = sampler.sample(PROMPTS_OF_MANY_LENGTHS[::order], IDS[::order], spec)
        texts[batch_tokens, order] = {(each.prompt_id, each.sample): (each.seed, each.text) for each in drawn}
    assert all(each == texts[10_000, 1] for each in texts.values())
    subset = sampler.sample(PROMPTS_OF_MANY_LENGTHS[3:5], IDS[3:5], spec_of(samples=1, **options))
    assert {(each.prompt_id, 0): (each.seed, each.text) for each in subset}.items() <= texts[10_000, 1].items()


@pytest.mark.parametrize("company", ["any", "as long", "none"])
def test_a_model_is_asked_for_what_follows_prompts_that_do_not_disturb_each_other(sampler, company, monkeypatch):
    """The texts are the same, as this model's prompts never do."""
    expected = sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(samples=2))
    other = TransformersSampler(sampler.model, sampler.tokenizer, sampler.max_length)
    assert other.company == "any"
    other.company = company
    widths: list[set[int]] = []
    draw = other.draw

    def see(rows, spec):
        widths.append({len(row.ids) for row in rows})
        return draw(rows, spec)

    monkeypatch.setattr(other, "draw", see)
    assert other.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(samples=2)) == expected
    assert (max(map(len, widths)) == 1) == (company != "any")
    assert (len(widths) == len(expected)) == (company == "none")


def test_samples_come_in_the_order_of_the_prompts_with_seeds_of_their_own(sampler):
    drawn = sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(samples=3))
    assert [(each.prompt_id, each.sample) for each in drawn] == [(name, at) for name in IDS for at in range(3)]
    assert len({each.seed for each in drawn}) == len(drawn)
    other = sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(samples=3, seed=1))
    assert not {each.seed for each in drawn} & {each.seed for each in other}
    assert sum(one.text != two.text for one, two in zip(drawn, other, strict=True)) > len(drawn) // 2
    assert len({each.text for each in drawn}) > len(drawn) // 2


@pytest.mark.parametrize("beams", [1, 3])
def test_temperature_zero_is_generates_own_search(sampler, beams):
    drawn = sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(temperature=0, num_beams=beams))
    for prompt, each in zip(PROMPTS_OF_MANY_LENGTHS, drawn, strict=True):
        ids = torch.tensor([encode_prompt(sampler.tokenizer, prompt)])
        out = sampler.model.generate(ids, max_new_tokens=10, do_sample=False, num_beams=beams)
        assert each.text == sampler.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_beams_are_drawn_again_from_the_same_seed_and_leave_torchs_generator_alone(sampler):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(num_beams=3))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    assert sampler.sample(PROMPTS_OF_MANY_LENGTHS[::-1], IDS[::-1], spec_of(num_beams=3))[::-1] == one
    assert sampler.sample(PROMPTS_OF_MANY_LENGTHS, IDS, spec_of(num_beams=3, seed=1)) != one


def test_beams_draw_from_the_whole_vocabulary():
    """generate's own default, the 50 likeliest tokens, must not be applied."""
    tokenizer = train_tokenizer("words", [" ".join(f"w{at}" for at in range(80))], 200)
    shape = Architecture(tokenizer="words", vocabulary=200, hidden_size=16, layers=1, heads=2)
    model = LlamaForCausalLM(tiny_llama_config(shape, tokenizer, 16)).eval()
    spec = spec_of(num_beams=2, temperature=100.0, samples=300, max_new_tokens=2)
    drawn = TransformersSampler(model, tokenizer, 16).sample([[{"role": "user", "content": "w0"}]], ["p"], spec)
    assert len({word for each in drawn for word in each.text.split()}) > 70


@given(
    st.lists(st.integers(0, 4), max_size=10),
    st.integers(0, 10),
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.sets(st.integers(0, 4), max_size=2),
)
def test_a_response_ends_at_its_room_its_end_of_turn_or_a_stop_token(tokens, room, turn_end, stop):
    """Whichever comes first; tokens after it, as of a batch whose other rows have more room, are not its own."""
    within = tokens[:room]
    ends = [(len(within) + 1, 0, len(within))]  # (tokens read when it ends, stop before turn, its own tokens)
    ends += [(at + 1, 0, at) for at, token in enumerate(within) if token in stop]
    width = len(turn_end)
    ends += [(at + width, 1, at) for at in range(len(within)) if within[at : at + width] == turn_end]
    found = cut(Row([], "p", 0, 0, [1], room, tuple(turn_end)), tokens, sorted(stop))
    assert found == (tokens[: min(ends)[2]], len(ends) > 1)


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(50, 62))
def test_no_response_goes_beyond_its_room(sampler, max_new_tokens, words):
    prompt = [{"role": "user", "content": " ".join(["a"] * words)}]
    drawn = sampler.sample([prompt, PROMPT], ["long", "short"], spec_of(max_new_tokens=max_new_tokens, samples=4))
    for each in drawn:
        used = len(encode_prompt(sampler.tokenizer, prompt if each.prompt_id == "long" else PROMPT))
        assert len(each.text.split()) <= max(0, min(max_new_tokens, 64 - used))


def test_a_prompt_without_room_has_the_empty_response(sampler, caplog):
    prompt = [{"role": "user", "content": " ".join(["a"] * 70)}]
    drawn = sampler.sample([prompt, PROMPT], ["long", "short"], spec_of(samples=2))
    assert [each.text for each in drawn[:2]] == ["", ""]
    assert drawn[2:] == sampler.sample([PROMPT], ["short"], spec_of(samples=2))
    assert "1 prompts leave no room" in caplog.text


@pytest.mark.parametrize("end", ["yes", "yes no"])
def test_a_response_stops_at_the_templates_end_of_turn(tiny_policy, end, monkeypatch):
    """Whether a turn ends with one token or several: no response contains them, and the text before is unchanged."""

    def drawn(template: str) -> list[str]:
        tokenizer = load_tokenizer(card)
        tokenizer.chat_template = template
        decode = tokenizer.decode
        monkeypatch.setattr(tokenizer, "decode", lambda ids, **_: decode(ids))  # special tokens shown
        spec = spec_of(samples=300, max_new_tokens=40)
        return [each.text for each in TransformersSampler(model, tokenizer, 64).sample([PROMPT], ["p"], spec)]

    card = read_policy(tiny_policy / "policy.json")
    model = load_causal(card)
    template = load_tokenizer(card).chat_template
    before = drawn(template)
    after = drawn(template.replace("{{ eos_token }}", f" {end}"))
    assert after == [f" {text} ".partition(f" {end} ")[0].strip() for text in before]
    assert after != before


def test_noise_is_gumbel_and_differs_by_key():
    noise = gumbel(torch.arange(200), 500)
    assert noise.dtype == torch.float64
    assert kstest(noise.flatten().numpy(), "gumbel_r").pvalue > 1e-3
    assert len(noise.unique()) == noise.numel()
    assert torch.equal(gumbel(torch.tensor([7]), 500)[0], noise[7])
    assert torch.equal(gumbel(torch.tensor([7]), 20)[0], noise[7, :20])


def test_noise_is_splitmix64():
    """Compared with the generator in integer arithmetic, as printed in its paper."""

    def outputs(state: int, count: int):
        for _ in range(count):
            state = (state + 0x9E3779B97F4A7C15) % 2**64
            z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
            yield z ^ (z >> 31)

    assert next(outputs(0, 1)) == 0xE220A8397B1DCDAF  # its published first output for seed 0
    for key in (0, 1, 2**63 - 1):
        uniform = torch.tensor([((bits >> 12) + 0.5) * 2.0**-52 for bits in outputs(key, 50)], dtype=torch.float64)
        torch.testing.assert_close(gumbel(torch.tensor([key]), 50)[0], -(-uniform.log()).log())


def test_the_step_writes_a_row_for_every_prompt_and_sample(tiny_policy, tmp_path, monkeypatch):
    prompts = [*PROMPTS_OF_MANY_LENGTHS[:3], [{"role": "user", "content": "a " * 70}]]
    ids = [prompt_id(prompt) for prompt in prompts]
    frame = pd.DataFrame({"prompt_id": ids, "prompt": prompts, "source": "here", "split": "test"})
    write_table(frame, tmp_path / "prompts.parquet", PROMPTS)
    flags = ["--policy", tiny_policy / "policy.json", "--family", "tiny", "--prompts", tmp_path / "prompts.parquet"]
    flags += ["--spec", spec_of(samples=2).model_dump_json(), "--out", tmp_path / "out.parquet"]
    flags += ["--responses", tmp_path / "responses.parquet", "--checkpoints", tmp_path / "checkpoints"]
    monkeypatch.setattr(sys, "argv", ["sample", *map(str, flags)])
    step.main()
    first = (tmp_path / "out.parquet").read_bytes()
    drawn = read_table(tmp_path / "out.parquet", SAMPLES)
    assert drawn["prompt_id"].tolist() == [name for name in ids for _ in range(2)]
    assert drawn["response"].tolist()[-2:] == ["", ""]
    assert set(drawn["family"]) == {"tiny"}
    of_text = [response_id(*row) for row in zip(drawn["prompt_id"], drawn["response"], drawn["finished"], strict=True)]
    assert drawn["response_id"].tolist() == of_text
    step.main()
    assert (tmp_path / "out.parquet").read_bytes() == first
    responses = (tmp_path / "responses.parquet").read_bytes()
    distinct = read_table(tmp_path / "responses.parquet", RESPONSES)
    said = drawn[drawn["response"] != ""]
    assert list(distinct["response_id"]) == list(dict.fromkeys(said["response_id"]))
    assert set(distinct["response"]) == set(said["response"]) and set(distinct["family"]) == {"tiny"}

    shards = [tmp_path / f"{shard}.parquet" for shard in range(1, 6)]  # of four prompts
    for shard, path in enumerate(shards, start=1):
        more = ["--shard", shard, 5, "--out", path, "--checkpoints", tmp_path / f"{shard}"]
        monkeypatch.setattr(sys, "argv", ["sample", *map(str, [*flags[:8], *more])])
        step.main()
    files = ["--out", tmp_path / "gathered.parquet", "--responses", tmp_path / "distinct.parquet"]
    monkeypatch.setattr(sys, "argv", ["gather", "--shards", *map(str, [*shards, *files])])
    gather.main()
    assert (tmp_path / "gathered.parquet").read_bytes() == first
    card = read_json(tmp_path / "gathered.card.json")
    assert card == read_json(tmp_path / "out.card.json")
    unfinished = drawn[~drawn["finished"]]
    assert card["cut_at_max_new_tokens"] == (unfinished["response"] != "").sum() > 0
    assert (card["samples"], card["empty"]) == (len(drawn), (drawn["response"] == "").sum())
    assert (tmp_path / "distinct.parquet").read_bytes() == responses


@given(st.sets(st.text("abc", max_size=4)), st.none() | st.integers(1, 9))
def test_a_limit_takes_the_prompts_with_the_smallest_ids(ids, limit):
    table = pd.DataFrame({"prompt_id": list(ids)}, dtype=object)
    kept = step.some_of(table, limit)["prompt_id"].tolist()
    assert set(kept) == set(sorted(ids)[:limit]) and kept == [each for each in table["prompt_id"] if each in kept]


@given(st.integers(0, 50), st.integers(1, 9))
def test_shards_are_all_of_a_table_in_order(rows, shards):
    table = pd.DataFrame({"row": range(rows)})
    parts = [step.shard_of(table, shard, shards) for shard in range(1, shards + 1)]
    assert pd.concat(parts)["row"].tolist() == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
