"""Runs that learn from samples with scores: what a draw makes, and what training does with it."""

import pytest
import torch

from scripts.lib.config.scorers import OracleScorer, ScratchScorer
from scripts.lib.config.training import Hyperparameters
from scripts.lib.errors import InputError
from scripts.lib.logprobs import token_logprobs
from scripts.training.lessons import Example, Rollout, lesson_of, loss_at_reference
from scripts.training.loop import train
from scripts.training.reading import read_store
from scripts.training.rewarded import Rewarded
from scripts.training.step import accumulate, head_of
from scripts.training.train import PAIRS, Prepared, one_of_each_prompt, read_table
from scripts.training.train_online import sampled_by
from tests.pairs_data import Data, spec_of

ONLINE = {"scorer": "words", "samples": 4, "max_new_tokens": 8, "batch_tokens": 512}


def share_of_short_words(text: str) -> float:
    """The share of words of one character."""
    words = text.split()
    return sum(len(word) == 1 for word in words) / max(1, len(words))


class Words:
    """Scores by share_of_short_words; None for responses that hold ``unscored``."""

    def __init__(self, unscored: str | None = None) -> None:
        self.unscored = unscored

    def score(self, items):
        return [None if self.unscored and self.unscored in text else share_of_short_words(text) for _, text in items]


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


def prepared(data: Data, spec: Hyperparameters) -> Prepared:
    examples = data.examples()
    paths = [[data.folder / f"{name}.parquet"] for name in ("prompts", "responses", "logprobs")]
    store = read_store(read_table(data.folder / "pairs.parquet", PAIRS), *paths)
    assert examples
    return Prepared(spec, 1, data.card, data.tokenizer, data.model, store)


def moved(data: Data) -> None:
    """A policy that differs from its reference."""
    with torch.no_grad():
        for parameter in data.model.parameters():
            parameter.mul_(1.05)


def test_a_draw_holds_all_samples_with_their_log_probs_rewards_and_advantages(data) -> None:
    spec = spec_of(objective="ppo", online=ONLINE, beta=0.2)
    renewal = Rewarded(prepared(data, spec), Words())
    moved(data)
    batches = [data.examples()[:3], data.examples()[3:5]]
    made = renewal(data.model, 4, batches)
    assert [len(each.items) for each in made] == [3, 2]
    for batch, before in zip(made, batches, strict=True):
        assert batch.columns["samples"] == 4 * len(before)
        samples = [(item, at) for item in batch.items for at in range(len(item.samples))]
        rewards = [item.rewards[at] for item, at in samples]
        kl = [(item.old[at] - item.ref[at]).sum().item() for item, at in samples]
        assert batch.columns["reward"] == pytest.approx(sum(rewards) / len(rewards))
        assert batch.columns["kl"] == pytest.approx(sum(kl) / len(kl), abs=1e-5)
        for item, at in samples:
            text = data.tokenizer.decode(item.samples[at].response_ids, skip_special_tokens=True)
            assert item.rewards[at] == pytest.approx(share_of_short_words(text))
            for model, found in ((data.model, item.old), (renewal.reference, item.ref)):
                with torch.no_grad():
                    expected = token_logprobs(model, [item.samples[at]], data.tokenizer.pad_token_id)[0]
                torch.testing.assert_close(found[at], expected, rtol=1e-4, atol=1e-4)
        for item in batch.items:
            whole = [r - 0.2 * (o - f).sum().item() for r, o, f in zip(item.rewards, item.old, item.ref, strict=True)]
            for at, mine in enumerate(whole):
                others = [each for index, each in enumerate(whole) if index != at]
                assert item.advantages[at].tolist() == pytest.approx(
                    [mine - sum(others) / len(others)] * len(item.samples[at].response_ids), abs=1e-4
                )


def test_pairs_are_the_best_sample_against_the_worst_and_count_if_far_enough_apart(data) -> None:
    for objective, gap in (("dpo", 0.0), ("dpo", 0.3), ("sft", 0.3)):
        spec = spec_of(objective=objective, online=ONLINE | {"min_gap": gap})
        rollouts = Rewarded(prepared(data, spec_of(objective="reinforce", online=ONLINE)), Words())
        (of_all,) = rollouts(data.model, 0, [data.examples()])
        (of_pairs,) = Rewarded(prepared(data, spec), Words())(data.model, 0, [data.examples()])
        assert of_pairs.columns == of_all.columns
        gaps = []
        for pair, item in zip(of_pairs.items, of_all.items, strict=True):
            assert isinstance(pair, Example) and isinstance(item, Rollout)
            assert (pair.chosen, pair.rejected) == (item.chosen, item.rejected)
            assert pair.ref_chosen == pytest.approx(item.ref_chosen, abs=1e-4)
            gaps.append(max(item.rewards) - min(item.rewards))
            assert pair.counts == (objective == "sft" or gaps[-1] > gap)
        assert any(each <= 0.3 for each in gaps) and any(each > 0.3 for each in gaps)


def test_a_pair_that_does_not_count_has_no_gradient_and_no_loss(data) -> None:
    spec = spec_of(online=ONLINE | {"min_gap": 2.0})  # no score is above 1
    rows = train(
        data.model,
        data.examples(),
        spec,
        1,
        data.tokenizer.pad_token_id,
        renewal=Rewarded(prepared(data, spec), Words()),
    )
    assert rows["loss"].tolist() == [0.0] * len(rows) == rows["gradient_norm"].tolist()
    assert (rows["chosen_logp"] < 0).all()


def test_samples_without_a_score_are_left_out_and_prompts_without_samples_too(data) -> None:
    renewal = Rewarded(prepared(data, spec_of(objective="reinforce", online=ONLINE)), Words(unscored="b"))
    (batch,) = renewal(data.model, 0, [data.examples()])
    counts = [len(each.samples) for each in batch.items]
    assert all(1 <= each <= 4 for each in counts) and min(counts) < 4
    assert all("b" not in data.tokenizer.decode(each.response_ids) for item in batch.items for each in item.samples)
    renewal = Rewarded(prepared(data, spec_of(objective="reinforce", online=ONLINE)), Words(unscored=" "))
    again = Rewarded(prepared(data, spec_of(objective="reinforce", online=ONLINE)), Words())
    batches = again(data.model, 0, [data.examples()[:4], data.examples()[2:6]])  # two prompts are in both
    assert [each.columns["samples"] for each in batches] == [16, 8]
    assert batches[0].items[2].samples == batches[1].items[0].samples
    with pytest.raises(InputError, match="no sample of its prompts"):
        renewal(data.model, 0, [data.examples()[:1]] * 2)


@pytest.mark.parametrize("objective", ["ppo", "reinforce", "reward_weighted"])
def test_a_packed_step_of_samples_is_a_padded_one(data, objective) -> None:
    spec = spec_of(objective=objective, online=ONLINE)
    (batch,) = Rewarded(prepared(data, spec), Words())(data.model, 0, [data.examples()[:6]])
    moved(data)
    found = []
    for budget, packed in ((100_000, False), (1, False), (100_000, True), (1, True)):
        data.model.zero_grad()
        cut = spec.model_copy(update={"batch_tokens": budget})
        head = head_of(data.model, cut) if packed else None
        measured = accumulate(data.model, batch.items, lesson_of(cut), cut, data.tokenizer.pad_token_id, head)
        found.append((measured.mean(1), torch.cat([each.grad.flatten() for each in data.model.parameters()])))
    assert found[0][1].norm() > 1e-3
    for values, gradient in found[1:]:
        torch.testing.assert_close(values, found[0][0], rtol=1e-4, atol=1e-4, equal_nan=True)
        assert (gradient - found[0][1]).norm() <= 1e-4 * found[0][1].norm()


def test_on_the_samples_of_its_own_policy_ppo_is_reinforce(data) -> None:
    spec = spec_of(objective="ppo", online=ONLINE)
    moved(data)
    (batch,) = Rewarded(prepared(data, spec), Words())(data.model, 0, [data.examples()[:6]])
    found = []
    for objective in ("ppo", "reinforce"):
        of = spec_of(objective=objective, online=ONLINE)
        data.model.zero_grad()
        accumulate(data.model, batch.items, lesson_of(of), of, data.tokenizer.pad_token_id, head_of(data.model, of))
        found.append(torch.cat([each.grad.flatten() for each in data.model.parameters()]))
    assert found[0].norm() > 1e-3
    assert (found[0] - found[1]).norm() <= 1e-4 * found[0].norm()


def test_a_step_of_samples_at_the_reference_says_so(data) -> None:
    spec = spec_of(objective="ppo", online=ONLINE)
    rows = train(
        data.model,
        data.examples(),
        spec,
        1,
        data.tokenizer.pad_token_id,
        renewal=Rewarded(prepared(data, spec), Words()),
    )
    assert rows["kl"][0] == pytest.approx(0.0, abs=1e-4) and rows["kl"].iloc[1:].abs().max() > 1e-4
    assert rows["margin"][0] == pytest.approx(0.0, abs=1e-4)
    assert rows["samples"].tolist() == [32, 32, 16] * 2


def test_the_loss_at_the_reference_is_that_of_the_samples_advantages(data) -> None:
    """Ratios are 1: minus the sum of a sample's advantages; conftest.py compares it with every run's first loss."""
    spec = spec_of(objective="ppo", online=ONLINE)
    (batch,) = Rewarded(prepared(data, spec), Words())(data.model, 0, [data.examples()])
    means = [-sum(worth.sum().item() for worth in item.advantages) / len(item.samples) for item in batch.items]
    assert loss_at_reference(batch.items, spec) == pytest.approx(sum(means) / len(means), abs=1e-5)


@pytest.mark.parametrize(
    ("objective", "more"),
    [
        ("ppo", {"reuse": 3}),
        ("ppo", {"baseline": "value"}),
        ("reinforce", {}),
        ("reward_weighted", {}),
        ("dpo", {}),
        ("sft", {}),
    ],
)
@pytest.mark.slow
def test_every_objective_raises_the_reward(data, objective, more) -> None:
    spec = spec_of(
        objective=objective, online=ONLINE | more, epochs=8 if "reuse" not in more else 4, beta=0.05, batch_pairs=10
    )
    renewal = Rewarded(prepared(data, spec), Words())
    rows = train(data.model, data.examples(), spec, 1, data.tokenizer.pad_token_id, renewal=renewal)
    assert rows["reward"].iloc[-4:].mean() > rows["reward"].iloc[:2].mean() + 0.1
    assert rows["kl"].iloc[-1] > 0.1


def test_a_run_with_a_scorer_takes_each_prompt_once(data) -> None:
    examples = data.examples()
    run = prepared(data, spec_of(online=ONLINE))
    assert one_of_each_prompt([*examples, *examples[::-1]], run.store) == examples


def test_the_scorer_counts_for_what_a_run_is(tmp_path) -> None:
    scored, unscored = spec_of(online=ONLINE), spec_of(online={})
    learned = ScratchScorer(
        kind="scratch",
        pairs=["x"],
        tokenizer="words",
        vocabulary=9,
        hidden_size=8,
        layers=1,
        heads=2,
        epochs=1,
        batch_size=1,
        learning_rate=1.0,
    )
    oracle = OracleScorer(kind="oracle")
    assert not sampled_by(unscored, None, None).told and not sampled_by(unscored, None, None).prompts_only
    assert sampled_by(scored, oracle, None).told and sampled_by(scored, oracle, None).prompts_only
    with pytest.raises(InputError, match="give both or neither"):
        sampled_by(unscored, oracle, None)
    with pytest.raises(InputError, match="give both or neither"):
        sampled_by(scored, None, None)
    with pytest.raises(FileNotFoundError):
        sampled_by(scored, learned, tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"objective": "ppo"}, "learns from scored samples"),
        ({"objective": "ppo", "online": {}}, "learns from scored samples"),
        ({"online": {"samples": 2}}, "no scorer tells them apart"),
        ({"online": {"scorer": "oracle"}}, "one sample has no others"),
        ({"online": {"scorer": "oracle", "baseline": "value"}}, "the best and the worst"),
        ({"objective": "ppo", "online": ONLINE, "options": {"clip": 0.2, "delta": 1.0}}, "no option delta"),
    ],
)
def test_what_cannot_be_is_refused(changes, problem) -> None:
    with pytest.raises(ValueError, match=problem):
        spec_of(**changes)
    spec_of(objective="ppo", online={"scorer": "oracle", "baseline": "value"})
