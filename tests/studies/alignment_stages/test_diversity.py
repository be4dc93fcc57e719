"""Equation 12 against its direct evaluation, and the two tables of a dataset's characteristics."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evaluation.control_files import MINIMAL, LengthControl
from scripts.evaluation.rates import win_rates
from scripts.lib.schemas import LOGPROBS, PAIRS, TRAINING
from scripts.lib.tables import write_table
from scripts.lib.texts import PairTexts
from scripts.report import style
from studies.alignment_stages.diversity import Case, Trained, along, before, differences, during, intra_diversity
from studies.alignment_stages.figures import figure3
from studies.alignment_stages.layout import FOREIGN, OFF, ON
from studies.alignment_stages.quality import cases, rates_of

logprobs = st.lists(st.integers(-30, 0).map(lambda each: each / 8), min_size=1, max_size=4)


def pairs_of(count: int) -> pd.DataFrame:
    rows = [(f"p{at}", f"w{at}", f"l{at}", 0.6, 0.4, "ranked") for at in range(count)]
    return pd.DataFrame(rows, columns=list(PAIRS.columns))


def steps_of(order: list[int], chosen: list[float]) -> pd.DataFrame:
    """TRAINING of some steps, with rejected log-probs of 0."""
    steps = pd.DataFrame(dict.fromkeys(TRAINING.columns, 0.0), index=range(len(order)))
    steps = steps.assign(step=order, chosen_logp=chosen, pairs=2)
    return steps.astype({"step": "int32", "pairs": "int32", "tokens": "int64"})


@given(st.lists(st.tuples(logprobs, logprobs), min_size=1, max_size=6), st.booleans())
def test_equation_12_is_the_mean_over_pairs_of_sums_over_tokens(drawn, lacks_one: bool) -> None:
    likelihoods = {}
    for at, (chosen, rejected) in enumerate(drawn):
        likelihoods |= {f"w{at}": (sum(chosen), len(chosen)), f"l{at}": (sum(rejected), len(rejected))}
    pairs = pairs_of(len(drawn) + lacks_one)  # the last pair has no log-probs
    total = 0.0
    for chosen, rejected in drawn:
        pi_chosen, pi_rejected = (math.prod(math.exp(token) for token in side) for side in (chosen, rejected))
        total += math.log(pi_chosen) - math.log(pi_rejected)
    assert intra_diversity(differences(pairs, likelihoods)) == pytest.approx(total / len(drawn))


def test_signs_cancel_in_the_equation_and_not_in_the_size(tmp_path) -> None:
    """Differences of 3 and −1 in one run; 4 and 0 in a second one of the same pairs: means over runs."""
    write_table(pairs_of(2), tmp_path / "pairs.parquet", PAIRS)
    runs = []
    for run, chosen in enumerate(([-1.0, -3.0], [0.0, -2.0])):
        values = {"w0": [chosen[0]], "w1": [chosen[1] / 2] * 2, "l0": [-4.0], "l1": [-2.0]}
        table = pd.DataFrame({"response_id": list(values), "token_logprobs": list(values.values()), "tokens": 0})
        write_table(table, tmp_path / f"{run}.parquet", LOGPROBS)
        steps = steps_of([1, 0, 2], [-1.0, -2.0 - run, 5.0])
        write_table(steps, tmp_path / f"steps{run}.parquet", TRAINING)
        files = {"logprobs": [str(tmp_path / f"{run}.parquet")], "steps": str(tmp_path / f"steps{run}.parquet")}
        runs.append(Trained(pairs=str(tmp_path / "pairs.parquet"), **files))
        assert along(steps).tolist() == [-2.0 - run, -1.0, 5.0]
    found = before(runs)
    assert (found["n_pairs"], found["diversity"], found["size"]) == (2, (1 + 2) / 2, (2 + 2) / 2)
    assert found["spread"] == pytest.approx(math.sqrt(8)) and found["diversity_se"] == pytest.approx(2)
    found = during(runs)
    assert (found["in_training"], found["lowest"], found["highest"]) == (pytest.approx((2 / 3 + 1 / 3) / 2), -2.5, 5)
    assert found["fluctuation"] == pytest.approx(np.mean([np.std([-2, -1, 5]), np.std([-3, -1, 5])]))


def test_figure_3_draws_each_run_and_its_average(tmp_path) -> None:
    """A panel per policy and start; in each, a line of steps and one of their average for each kind of data."""
    cases = []
    for place, (policy, start, data) in enumerate(product(("weak", "medium"), (None, "off"), (OFF, FOREIGN, ON))):
        path = tmp_path / f"{place}.parquet"
        write_table(steps_of(list(range(60)), [float(place)] * 60), path, TRAINING)
        runs = [Trained(pairs="none", logprobs=["none"], steps=str(path))]
        cases.append(Case(policy=policy, model=None, iteration_1=start, data=data, runs=runs))
    with style.drawing():
        drawn = figure3.figure(cases)
        times = ("first iteration", "after off-policy pairs")
        titles = [f"{policy}, {when}" for policy, when in product(("weak", "medium"), times)]
        assert [axis.get_title(loc="left") for axis in drawn.axes] == titles
        for place, axis in enumerate(drawn.axes):
            heights = [line.get_ydata()[-1] for line in axis.lines if len(line.get_xdata()) == 60]
            assert heights == [3.0 * place + each for each in (0, 0, 1, 1, 2, 2)]


# --- quality


def texts(prompts: list[int], side: str) -> list[PairTexts]:
    return [
        PairTexts(
            f"p{n}", f"{side}{n}w", f"{side}{n}l", [{"role": "user", "content": f"q{n}"}], f"{side}{n}+", f"{side}{n}-"
        )
        for n in prompts
    ]


@given(
    st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9), unique=True), st.integers(1, 6), st.randoms()
)
def test_a_random_answer_meets_the_chosen_one_on_shared_prompts(one, other, most, random) -> None:
    answers, references = texts(one, "own"), texts(other, "off")
    found = cases(answers, references, most)
    shared = set(one) & set(other)
    assert len(found) == min(most, len(shared)) and {int(text[1:]) for text, *_ in found} <= shared
    for text, reference, answer in found:
        assert reference == f"off{text[1:]}+" and answer in (f"own{text[1:]}+", f"own{text[1:]}-")
    random.shuffle(answers)
    assert cases(answers, references, most) == found


def test_both_answers_of_a_pair_are_drawn() -> None:
    found = cases(texts(list(range(200)), "own"), texts(list(range(200)), "off"), 200)
    assert 70 < sum(answer.endswith("+") for *_, answer in found) < 130


def test_rates_are_those_of_the_same_judgements_in_a_suite() -> None:
    rng = np.random.default_rng(0)
    rows = [(f"q{at}", "r" * int(rng.integers(1, 30)), "a" * int(rng.integers(1, 30))) for at in range(40)]
    preferences = [float(each) for each in rng.uniform(1, 2, size=40)]
    found = rates_of(rows, [*preferences[:-1], None])
    assert found["n_prompts"] == 39
    assert found["win_rate"] == pytest.approx(100 * (np.mean(preferences[:-1]) - 1))
    lengths = {"reference_length": [len(each[1]) for each in rows], "length": [len(each[2]) for each in rows]}
    judged = pd.DataFrame({"index": range(40), "preference": [*preferences[:-1], np.nan]} | lengths)
    assert found["lc_win_rate"] == win_rates(judged, LengthControl(MINIMAL)).metrics["length_controlled_winrate"]
