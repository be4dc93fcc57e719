"""What a run reports of likelihoods: of its pairs, and of responses that it watches; and that it trains as without."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from scripts.lib.chat import Answer
from scripts.lib.encoding import Encoder
from scripts.lib.ids import response_id
from scripts.lib.likelihood_gradients import LOG_GRADIENTS
from scripts.lib.logprobs import token_logprobs
from scripts.lib.objectives import PairLogps
from scripts.lib.schemas import LIKELIHOODS, RESPONSES, TRAINING
from scripts.lib.tables import read_json, read_table, write_table
from scripts.training import train as step
from scripts.training.likelihoods import columns_of
from scripts.training.loop import train
from scripts.training.reading import read_store
from scripts.training.watch import BACKWARD, SHARE, Watch, read_watched
from tests.pairs_data import Data, spec_of


@pytest.fixture
def data(tmp_path, tiny_policy) -> Data:
    return Data(tmp_path, tiny_policy)


def a_watch(data: Data, examples, spec, tokens: float = 1e9) -> Watch:
    return Watch([each.chosen for each in examples[:4]], spec, data.tokenizer.pad_token_id, tokens)


def step_of(logps: PairLogps, objective: str) -> dict:
    """The columns of a step with these log-probs; loss and rewards are not read."""
    none = torch.full_like(logps.chosen, torch.nan)
    given = logps.ref_chosen, logps.ref_rejected, logps.chosen_length, logps.rejected_length
    per_pair = torch.stack([none, logps.chosen, logps.rejected, none, none, *given])
    return columns_of(per_pair, spec_of(objective=objective))


def test_a_step_reports_means_per_token_and_changes_from_the_reference() -> None:
    columns = [[-4.0, -9.0], [-8.0, -2.0], [-6.0, -9.0], [-4.0, -3.0], [2.0, 3.0], [4.0, 1.0]]
    logps = PairLogps(*(torch.tensor(each) for each in columns))
    found = step_of(logps, "dpo")
    assert tuple(found) == LIKELIHOODS[:6]
    pulls = LOG_GRADIENTS["dpo"](logps, 0.5)
    expected = [(-2.0 - 3.0) / 2, (-2.0 - 2.0) / 2, (1.0 + 0.0) / 2, (-1.0 + 1.0) / 2, *(each.mean() for each in pulls)]
    assert list(found.values()) == pytest.approx([float(each) for each in expected])


def test_a_gradient_of_zero_has_no_logarithm() -> None:
    """slic beyond its margin on one of two pairs, then on both."""
    one = PairLogps(*(torch.tensor(each) for each in ([-1.0, -1.0], [-2.0, -20.0], *[[-1.0, -1.0]] * 4)))
    found = step_of(one, "slic")
    assert found["rejected_log_gradient"] == pytest.approx(2.0)  # 1 / pi-
    both = PairLogps(*(each[1:] for each in vars(one).values()))
    assert step_of(both, "slic")["rejected_log_gradient"] is None


def test_watching_changes_no_weight_and_no_other_column(data) -> None:
    examples, spec = data.examples(), spec_of(epochs=3)
    start = {name: value.clone() for name, value in data.model.state_dict().items()}
    plain = train(data.model, examples, spec, 1, 0)
    weights = {name: value.clone() for name, value in data.model.state_dict().items()}
    data.model.load_state_dict(start)
    watched = train(data.model, examples, spec, 1, 0, watch=a_watch(data, examples, spec))
    assert all(torch.equal(value, weights[name]) for name, value in data.model.state_dict().items())
    pd.testing.assert_frame_equal(watched.drop(columns="watched_token_logp"), plain)


def test_it_is_the_mean_log_prob_before_the_update_at_every_so_many_steps(data) -> None:
    examples, spec = data.examples(), spec_of(epochs=3)
    watch = a_watch(data, examples, spec)
    watch.every = 5
    with torch.no_grad():
        before = [token_logprobs(data.model, [each], 0)[0].mean().item() for each in watch.responses]
    column = train(data.model, examples, spec, 1, 0, watch=watch)["watched_token_logp"]
    assert column.dropna().index.tolist() == [0, 5, 8]  # and the last
    assert column[0] == pytest.approx(np.mean(before), abs=1e-5)
    assert column[8] > column[0]  # these are chosen ones


def test_the_rarer_the_more_it_costs(data) -> None:
    examples, spec = data.examples(), spec_of()
    tokens = sum(len(each.chosen) for each in examples[:4])
    for of_step in (tokens / 10, tokens, 10 * tokens, 1e9):
        every = a_watch(data, examples, spec, of_step).every
        assert tokens / BACKWARD / every <= SHARE * of_step and (
            every == 1 or tokens / BACKWARD / (every - 1) > SHARE * of_step
        )


def watchable(data: Data) -> pd.DataFrame:
    """Samples of five of the pairs' prompts and of one other: two each, of which one is in a pair."""
    rows = []
    for at, pair in enumerate(data.pairs[:5]):
        chosen = next(each for each in data.responses if each["response_id"] == pair["chosen_id"])
        rows += [
            chosen | {"finished": True},
            {"prompt_id": pair["prompt_id"], "response": f"a b {at}", "finished": at > 0},
        ]
    rows.append({"prompt_id": "other", "response": "c", "finished": True})
    ids = [response_id(each["prompt_id"], each["response"], each["finished"]) for each in rows]
    return pd.DataFrame(rows).assign(response_id=ids, family="own")


def test_what_is_watched_is_of_the_runs_prompts_and_in_no_pair(data, tmp_path) -> None:
    data.write()
    table = watchable(data)
    write_table(table, tmp_path / "own.parquet", RESPONSES)
    files = [[tmp_path / f"{name}.parquet"] for name in ("prompts", "responses", "logprobs")]
    store = read_store(pd.DataFrame(data.pairs), *files)

    def found(**changes):
        return read_watched(tmp_path / "own.parquet", store, data.tokenizer, data.card, spec_of(**changes))

    wanted = table[table["response"].str.startswith("a b ")].sort_values("response_id")
    prompt = {each["prompt_id"]: each["prompt"] for each in data.prompts}
    answers = [Answer(prompt[of], *rest) for of, *rest in wanted[["prompt_id", "response", "finished"]].to_numpy()]
    encoded = Encoder(data.tokenizer, data.card.rules).answers(answers, str)
    assert found() == encoded and found(batch_pairs=3) == encoded[:3]
    assert all(len(each) <= 18 and each.response_ids for each in found(max_length=18))


def test_the_step_watches_and_says_so(data, tmp_path, monkeypatch) -> None:
    data.write()
    write_table(watchable(data), tmp_path / "own.parquet", RESPONSES)
    for run, more in (("plain", []), ("watched", ["--watched", str(tmp_path / "own.parquet")])):
        monkeypatch.setattr("sys.argv", ["train", *data.arguments(run, spec_of()), *more])
        step.main()
    plain, watched = (read_table(tmp_path / f"{run}.parquet", TRAINING) for run in ("plain", "watched"))
    assert plain["watched_token_logp"].isna().all() and watched["watched_token_logp"].notna().any()
    assert (
        plain["rejected_change"].iloc[0] == pytest.approx(0.0, abs=1e-6) and plain["rejected_change"].iloc[-1] < -0.01
    )
    assert math.isfinite(plain["chosen_log_gradient"].sum())
    card = read_json(tmp_path / "watched.card.json")["watched"]
    assert card["responses"] == 5 and card["every"] >= 1
    assert json.loads((tmp_path / "plain.card.json").read_text())["watched"] == {"responses": 0, "every": None}
    names = ["plain", "watched"]
    assert len({(tmp_path / name / "model.safetensors").read_bytes() for name in names}) == 1
