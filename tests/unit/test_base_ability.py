"""What policies can do before training, next to the data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.report.base_ability import COLUMNS, ability

ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=20)


def table(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["prompt_id", "score"])


def test_each_column_by_hand() -> None:
    samples = table([("a", 0.0), ("a", 1.0), ("b", 0.2), ("b", np.nan), ("c", 1.0)])
    found = ability(samples, table([("a", 0.4), ("a", 0.8), ("b", 0.1), ("b", 0.3)]))
    assert found == pytest.approx(
        {
            **{"prompts": 2, "samples": 3, "unscored": 1, "mean": 0.35, "best": 0.6, "worst": 0.1},
            **{"data_mean": 0.4, "data_best": 0.55, "beats_data_mean": 0.0, "beats_data_best": 0.5},
        }
    )
    assert list(found) == COLUMNS[1:]
    with pytest.raises(InputError, match="none of their prompts"):
        ability(samples, table([("z", 1.0)]))


@given(ROWS)
def test_the_data_s_own_responses_neither_beat_nor_trail_it(rows) -> None:
    found = ability(table(rows), table(rows))
    assert found["mean"] == found["data_mean"] and found["best"] == found["data_best"]
    assert found["beats_data_mean"] == found["beats_data_best"] == 0
    assert found["worst"] <= found["mean"] <= found["best"]
