"""The warning of the 3D signature: tables that have it and tables that have not, and runs of either kind."""

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.objectives import OBJECTIVES, PairLogps
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import write_table
from scripts.report.signature import changes_of, signs_of, warnings
from scripts.training.loop import train
from tests.pairs_data import Data, spec_of

CHANGE = st.floats(-3, 3)


def table(chosen: float, rejected: float, watched: float | None, steps: int = 20) -> pd.DataFrame:
    """A run that ends at these changes, having gone there in a straight line for four fifths of its steps."""
    way = [min(1.0, at / (0.75 * steps)) for at in range(steps)]
    rows = pd.DataFrame({name: 0.0 for name in TRAINING.required}, index=range(steps)).assign(step=range(steps))
    return rows.assign(
        chosen_change=[chosen * each for each in way],
        rejected_change=[rejected * each for each in way],
        watched_token_logp=[None if watched is None or at % 4 else -1 + watched * way[at] for at in range(steps)],
    )


@pytest.mark.parametrize(
    ("ends", "signs"),
    [
        ((-0.2, -1.0, 0.1), ["drop", "degradation", "dispersion"]),
        ((-0.2, -1.0, -0.1), ["drop", "degradation"]),
        ((-0.2, -1.0, None), ["drop", "degradation"]),
        ((-0.6, -1.0, 0.1), ["degradation", "dispersion"]),  # the chosen move by more than half as much
        ((0.6, -1.0, 0.1), ["dispersion"]),
        ((0.2, -1.0, 0.0), ["drop"]),
        ((-0.02, -0.09, 0.0), ["degradation"]),  # too little for a drop
        ((0.0, 0.0, 0.0), []),
    ],
)
def test_signs_are_those_of_the_rule(ends, signs) -> None:
    assert signs_of(changes_of(table(*ends))) == signs


@given(CHANGE, CHANGE, st.none() | CHANGE)
def test_changes_are_those_at_the_end(chosen, rejected, watched) -> None:
    found = changes_of(table(chosen, rejected, watched))
    assert found == pytest.approx({"chosen": chosen, "rejected": rejected, "watched": watched}, abs=1e-9)


def test_a_table_without_the_columns_gives_no_warning(tmp_path) -> None:
    rows = table(-1.0, -4.0, None).drop(columns=["chosen_change", "rejected_change", "watched_token_logp"])
    write_table(rows, tmp_path / "p.d.dpo.s0.parquet", TRAINING)
    assert warnings([tmp_path / "p.d.dpo.s0.parquet"]) == []


def test_draws_and_seeds_share_a_card(tmp_path) -> None:
    ends = {"p.d+1of2.dpo.s0": (-0.2, -1.0, 0.1), "p.d+2of2.dpo.s0": (0.2, -1.0, -0.1), "p.e.dpo.s0": (0.1, -1.0, 0.0)}
    for run, of in ends.items():
        write_table(table(*of), tmp_path / f"{run}.parquet", TRAINING)
    (card,) = warnings([tmp_path / f"{run}.parquet" for run in ends])
    assert card["name"] == "dpo on d, from p"
    assert card["facts"] == {
        "runs": "1 of 2",
        "signs": "drop, degradation, dispersion",
        "chosen": 0.0,
        "rejected": -1.0,
        "watched": 0.0,
    }


def suppress(logps: PairLogps) -> torch.Tensor:
    """Lowers both sides, the rejected more."""
    return logps.rejected + 0.2 * logps.chosen


def test_a_run_that_suppresses_is_warned_of_and_one_that_teaches_is_not(tmp_path, tiny_policy, monkeypatch) -> None:
    for loss, shown in ((suppress, {"drop", "degradation"}), (OBJECTIVES["sft"], set())):
        monkeypatch.setitem(OBJECTIVES, "sft", loss)
        data = Data(tmp_path, tiny_policy)
        examples = data.examples()
        spec = spec_of(objective="sft", epochs=8, learning_rate=1e-3, batch_pairs=len(examples))
        rows = train(data.model, examples, spec, 1, 0)
        signs = signs_of(changes_of(rows.assign(watched_token_logp=None)))
        assert set(signs) == shown, changes_of(rows.assign(watched_token_logp=None))
