"""Claims about two iterations from records whose numbers are known, and from the paper's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.alignment_stages import data_claims
from studies.alignment_stages.claims import claims
from studies.alignment_stages.config import Config
from studies.alignment_stages.discrepancy import is_hit
from studies.alignment_stages.judging import Judging
from studies.alignment_stages.measured import Answers
from studies.alignment_stages.published_numbers import Published
from studies.alignment_stages.stage_claims import advantage, published_mean
from tests.studies.alignment_stages.data import PUBLISHED, STUDY, record_all

TWO = Config.model_validate(
    STUDY.model_dump()
    | {
        "policies": [{"policy": "weak", "model": "Phi-2-2.7B"}, {"policy": "strong", "model": "Zephyr-7B"}],
        "variants": ["dpo", "slic"],
    }
)
DISTINCT = pd.DataFrame(
    {
        "policy": ["weak", "weak"],
        "iteration_1": [None, "off"],
        "by_sequence": [90.0, 86.0],
        "by_sequence_se": [1.0, 1.0],
        "by_sequence_published": [86.96, 84.32],
    }
)
ALWAYS = ["prediction", "diversity", "quality", "distinct", "blend"]


def judging(folder: Path, spec: Config) -> Judging:
    return Judging(spec, Answers(spec, record_all(folder, spec)), Published(PUBLISHED))


def judged(folder: Path, spec: Config):
    return {claim.claim: claim for claim in claims(judging(folder, spec), DISTINCT)}


def test_each_statistic_is_the_mean_that_its_sentence_says(tmp_path) -> None:
    """Weak's off − on: 2, after off −5, after on 4; strong's are −2, after off −4, after on 5; scores 40, 60, 45."""
    found = judged(tmp_path, TWO)
    of_stages = ["discrepancy", "discrepancy.dpo", "discrepancy.slic", "injection", "fine_tuning"]
    assert list(found) == [*of_stages, *ALWAYS]
    assert found["discrepancy.dpo"].measured == found["discrepancy"].measured == pytest.approx(2 + 2)
    assert found["injection"].measured == pytest.approx((2 + 4 - 2 + 5) / 4)
    assert found["fine_tuning"].measured == pytest.approx((5 + 4) / 2)
    assert all(claim.ci_low <= claim.measured <= claim.ci_high for claim in found.values())
    assert found["discrepancy.dpo"].published == pytest.approx(0.16 + 1.60 - (12.65 - 5.58))
    assert found["discrepancy.slic"].published == pytest.approx(0.16 + 0.49 - (9.61 - 7.14))
    assert found["discrepancy"].published == found["discrepancy.dpo"].published


def test_claims_about_data_by_hand(tmp_path) -> None:
    found = judged(tmp_path, TWO)
    assert found["diversity"].measured == pytest.approx(14 - 13.5)  # weak before training, 40
    assert found["quality"].measured == pytest.approx(19 - 13)  # after off, 60
    assert found["diversity"].published == pytest.approx(12.65 - 5.41)
    assert found["quality"].published == pytest.approx(8.55 - 3.00)
    # the switch: weak off (40), then on (60): 18; strong off, then on: 15
    assert found["blend"].measured == pytest.approx(((21 - 18) + (21 - 15)) / 2) and found["blend"].published is None
    distinct = found["distinct"]
    assert distinct.measured == pytest.approx(88 - 84.32) and distinct.verdict == "holds"
    assert distinct.ci_high - distinct.ci_low == pytest.approx(2 * 1.96, rel=0.05)
    assert distinct.published == pytest.approx((86.96 + 84.32) / 2 - 84.32)


def test_the_score_is_compared_with_the_better_constant(tmp_path) -> None:
    """Weak: three hits of three. Strong: gains more from on-policy data at 40, else hits. Off-policy is right in 3."""
    claim = judged(tmp_path, TWO)["prediction"]
    assert claim.measured == pytest.approx(100 * (5 / 6 - 3 / 6))
    assert claim.published == pytest.approx(100 * (22 - 16) / 24)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(-2, 2)), min_size=1, max_size=8))
def test_an_advantage_is_a_difference_of_hits(cases) -> None:
    scores, differences = zip(*cases, strict=True)
    share = {
        name: np.mean([bool(is_hit(said(score), difference, 0)) for score, difference in cases])
        for name, said in {"score": lambda x: x, "off": lambda x: 0.0, "on": lambda x: 1.0}.items()
    }
    expected = 100 * (share["score"] - max(share["off"], share["on"]))
    assert advantage(scores, np.array(differences, dtype=float)) == pytest.approx(expected)
    both = np.stack([np.array(differences, dtype=float), -np.array(differences, dtype=float)], axis=1)
    assert advantage(scores, both)[0] == pytest.approx(expected)


def test_one_policy_has_no_discrepancy_and_one_seed_decides_nothing(tmp_path) -> None:
    assert list(judged(tmp_path, STUDY)) == ["injection", "fine_tuning", *ALWAYS]
    one = judged(tmp_path / "one", STUDY.model_copy(update={"seeds": [0]}))
    assert {claim.verdict for claim in one.values()} == {"undecided"}


def test_a_stage_that_no_policy_is_in_is_not_judged(tmp_path, monkeypatch) -> None:
    of = judging(tmp_path, STUDY)
    monkeypatch.setattr(Answers, "score", lambda self, row: (0.3, 0.1))
    found = [claim.claim for claim in claims(of, DISTINCT)]
    assert found == ["injection", "prediction", "diversity", "distinct", "blend"]
    assert data_claims.switch(of, STUDY.policies[0], "dpo").path == ("off", "off")


def test_the_paper_s_means_are_over_all_its_initial_policies() -> None:
    published = Published(PUBLISHED)
    injection = [key for key, score in published.scores.items() if score < 0.5]
    assert (len(injection), len(published.scores)) == (14, 24)
    total = sum(
        published.difference(*key[:2], (key[2],) if key[2] else (), "off", "on") * (1 if key in injection else -1)
        for key in published.scores
    )
    assert total == pytest.approx(14 * published_mean(published, True) + 10 * published_mean(published, False))
