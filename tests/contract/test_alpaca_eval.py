"""Our win rates are alpaca-eval's own, whatever the order of the rows and whichever are missing."""

import alpaca_eval
import huggingface_hub.constants as hub
import numpy as np
import pandas as pd
import pytest
from alpaca_eval import constants, metrics

from scripts.evaluation.control_files import DIFFICULTY, GAMED, MINIMAL, LengthControl, fitted, gamed_rows, published
from scripts.evaluation.local_judges import LocalAnnotator
from scripts.evaluation.rates import in_order, win_rates
from scripts.lib.errors import InputError

N = 120
IDS = [f"prompt {at}" for at in range(N)]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """(judgements of a model whose wins depend on difficulty and length, control folder, hub cache of the same)."""
    rng = np.random.default_rng(1)
    difficulty = 3 * rng.normal(size=N)
    reference, length = rng.integers(50, 400, size=N), rng.integers(80, 600, size=N)
    logits = -0.5 + difficulty + 0.004 * (length - reference) + 0.3 * rng.normal(size=N)
    judgements = pd.DataFrame(
        {
            "prompt_id": IDS,
            "reference_length": reference,
            "length": length,
            "preference": 1 + 1 / (1 + np.exp(-logits)),
        }
    )
    gamed = {
        model: (1 / (1 + np.exp(lengths)), lengths)
        for model, lengths in (("verbose", rng.normal(-1, 0.5, size=N)), ("concise", rng.normal(1, 0.5, size=N)))
    }
    folder, cache = tmp_path_factory.mktemp("lc"), tmp_path_factory.mktemp("hub")
    snapshot = cache / "datasets--tatsu-lab--alpaca_eval" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    refs = cache / "datasets--tatsu-lab--alpaca_eval" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    for place in (folder, snapshot):
        gamed_rows(gamed, difficulty).to_csv(place / GAMED, index=False)
        pd.DataFrame({"index": range(N), "instruction_difficulty": difficulty}).to_csv(place / DIFFICULTY, index=False)
    return judgements, folder, cache


@pytest.fixture
def in_cache(board, monkeypatch):
    monkeypatch.setattr(constants, "DEFAULT_CACHE_DIR", str(board[2]))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)


def outputs(lengths, generator):
    rows = zip(IDS, lengths, strict=True)
    return pd.DataFrame(
        [{"instruction": each, "output": generator[0] * int(n), "generator": generator} for each, n in rows]
    )


def ours(judgements, control):
    return win_rates(in_order(judgements, IDS), control)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_we_give_what_the_packages_leaderboard_says(board, in_cache):
    judgements, folder, _ = board
    preferences = dict(zip(IDS, judgements["preference"], strict=True))
    leaderboard, annotations = alpaca_eval.evaluate(
        model_outputs=outputs(judgements["length"], "model"),
        reference_outputs=outputs(judgements["reference_length"], "reference"),
        Annotator=lambda **_: LocalAnnotator(lambda rows: [preferences[instruction] for instruction, *_ in rows]),
        annotators_config="local",
        precomputed_leaderboard=None,
        output_path=None,
        metric_kwargs={"save_weights_dir": None},
        is_return_instead_of_print=True,
    )
    theirs = leaderboard.loc["model"]
    rates = ours(judgements, fitted(folder))
    assert [each["instruction"] for each in annotations] == IDS
    for metric in ("win_rate", "standard_error", "length_controlled_winrate", "discrete_win_rate"):
        assert rates.metrics[metric] == pytest.approx(theirs[metric], abs=1e-9), metric
    assert int(rates.metrics["avg_length"]) == theirs["avg_length"]
    assert rates.metrics["n"] == theirs["n_total"] == N
    assert abs(rates.metrics["length_controlled_winrate"] - rates.metrics["win_rate"]) > 1, "else this shows nothing"
    assert np.mean(rates.win_rate) == pytest.approx(rates.metrics["win_rate"])
    assert np.mean(rates.length_controlled) == pytest.approx(rates.metrics["length_controlled_winrate"])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_neither_order_nor_gaps_move_an_instruction(board, in_cache):
    judgements, folder, _ = board
    control = fitted(folder)
    whole = ours(judgements, control)
    shuffled = judgements.sample(frac=1, random_state=3)
    assert ours(shuffled, control) == whole

    missing = judgements.drop(index=[5])
    rates = ours(missing.sample(frac=1, random_state=3), control)
    without = np.delete(whole.predicted, 5)
    assert np.corrcoef(rates.predicted, without)[0, 1] > 0.9999
    by_position = pd.DataFrame(
        {
            "preference": missing["preference"].tolist(),
            "output_1": ["a" * n for n in missing["reference_length"]],
            "output_2": ["a" * n for n in missing["length"]],
            "generator_1": "reference",
            "generator_2": "model",
        }
    )
    naive = metrics.get_length_controlled_winrate(by_position, save_weights_dir=None)["length_controlled_winrate"]
    error, naive_error = (abs(value - without.mean()) for value in (rates.metrics["length_controlled_winrate"], naive))
    assert error < 0.2 < 1 < naive_error, "the package takes the position for the instruction"


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_row_without_a_preference_is_predicted_and_not_counted(board, in_cache):
    judgements, folder, _ = board
    silent = judgements.assign(preference=judgements["preference"].where(judgements.index != 5))
    rates = ours(silent, fitted(folder))
    assert rates.metrics["n"] == len(rates.win_rate) == N - 1
    assert len(rates.length_controlled) == len(rates.predicted) == N
    assert rates.length_controlled[5] == pytest.approx(rates.metrics["length_controlled_winrate"])
    frame = in_order(silent, IDS)
    theirs = pd.DataFrame(
        {
            "preference": frame["preference"],
            "output_1": ["a" * n for n in frame["reference_length"]],
            "output_2": ["a" * n for n in frame["length"]],
            "generator_1": "reference",
            "generator_2": "model",
        }
    )
    found = metrics.get_length_controlled_winrate(theirs, save_weights_dir=None)
    for metric in ("win_rate", "length_controlled_winrate"):
        assert rates.metrics[metric] == pytest.approx(found[metric], abs=1e-9)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_without_difficulties_the_minimal_formula_is_the_packages(board, in_cache):
    judgements, _, _ = board
    rates = ours(judgements, LengthControl(MINIMAL))
    frame = pd.DataFrame(
        {
            "preference": judgements["preference"],
            "output_1": ["a" * n for n in judgements["reference_length"]],
            "output_2": ["a" * n for n in judgements["length"]],
            "generator_1": "reference",
            "generator_2": "model",
        }
    )
    found = metrics.get_length_controlled_winrate(frame, glm_name="length_controlled_minimal", save_weights_dir=None)
    assert rates.metrics["length_controlled_winrate"] == pytest.approx(found["length_controlled_winrate"], abs=1e-9)
    assert np.mean(rates.length_controlled) == pytest.approx(found["length_controlled_winrate"])
    assert np.ptp(frame["glm_preference"]) < 1e-12, "one prediction for all, without a standard error to its name"
    assert rates.metrics["lc_standard_error"] == pytest.approx(rates.metrics["standard_error"])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_published_files_are_read_where_the_package_reads_them(board, in_cache, tmp_path, monkeypatch):
    judgements, folder, _ = board
    assert ours(judgements, published()) == ours(judgements, fitted(folder))
    monkeypatch.setattr(constants, "DEFAULT_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError, match="published files"):
        ours(judgements, published())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_values_spread_as_the_length_controlled_win_rate_does_over_other_answers(board, in_cache):
    """Judge outputs of equal quality repeatedly: the fit varies as much as the spread of the values says."""
    judgements, folder, _ = board
    draw = np.random.default_rng(0)
    chance = draw.uniform(0.1, 0.6, len(judgements))
    found = [
        ours(judgements.assign(preference=1.0 + (draw.random(len(judgements)) < chance)), fitted(folder))
        for _ in range(24)
    ]
    spread = np.std([np.mean(rates.length_controlled) for rates in found], ddof=1)
    claimed, naive = (
        np.mean([np.std(getattr(rates, name), ddof=1) for rates in found]) / np.sqrt(len(judgements))
        for name in ("length_controlled", "predicted")
    )
    assert 0.6 < spread / claimed < 1.5
    assert naive < 0.7 * spread, "predictions spread too little"
