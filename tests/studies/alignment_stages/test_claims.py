"""Claims about two iterations from records whose numbers are known, and from the paper's."""

from pathlib import Path

import pytest

from studies.alignment_stages.claims import claims, published_mean
from studies.alignment_stages.config import Config
from studies.alignment_stages.measured import Answers
from studies.alignment_stages.published_numbers import Published
from tests.studies.alignment_stages.data import PUBLISHED, STUDY, record_all

TWO = Config.model_validate(
    STUDY.model_dump()
    | {
        "policies": [{"policy": "weak", "model": "Phi-2-2.7B"}, {"policy": "strong", "model": "Zephyr-7B"}],
        "variants": ["dpo", "slic"],
    }
)


def judged(folder: Path, spec: Config):
    found = claims(spec, Answers(spec, record_all(folder, spec)), Published(PUBLISHED))
    return {claim.claim: claim for claim in found}


def test_each_statistic_is_the_mean_that_its_sentence_says(tmp_path) -> None:
    """Weak's off − on: 2, after off −5, after on 4; strong's are −2, after off −4, after on 5; scores 40, 60, 45."""
    found = judged(tmp_path, TWO)
    assert list(found) == ["discrepancy", "discrepancy.dpo", "discrepancy.slic", "injection", "fine_tuning"]
    assert found["discrepancy.dpo"].measured == found["discrepancy"].measured == pytest.approx(2 + 2)
    assert found["injection"].measured == pytest.approx((2 + 4 - 2 + 5) / 4)
    assert found["fine_tuning"].measured == pytest.approx((5 + 4) / 2)
    assert all(claim.ci_low <= claim.measured <= claim.ci_high for claim in found.values())
    assert found["discrepancy.dpo"].published == pytest.approx(0.16 + 1.60 - (12.65 - 5.58))
    assert found["discrepancy.slic"].published == pytest.approx(0.16 + 0.49 - (9.61 - 7.14))
    assert found["discrepancy"].published == found["discrepancy.dpo"].published


def test_one_policy_has_no_discrepancy_and_one_seed_decides_nothing(tmp_path) -> None:
    assert list(judged(tmp_path, STUDY)) == ["injection", "fine_tuning"]
    one = judged(tmp_path / "one", STUDY.model_copy(update={"seeds": [0]}))
    assert {claim.verdict for claim in one.values()} == {"undecided"}


def test_a_stage_that_no_policy_is_in_is_not_judged(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(Answers, "score", lambda self, row: (0.3, 0.1))
    assert list(judged(tmp_path, STUDY)) == ["injection"]


def test_the_paper_s_means_are_over_all_its_initial_policies() -> None:
    published = Published(PUBLISHED)
    injection = [key for key, score in published.scores.items() if score < 0.5]
    assert (len(injection), len(published.scores)) == (14, 24)
    total = sum(
        published.off_minus_on(*key[:2], (key[2],) if key[2] else ()) * (1 if key in injection else -1)
        for key in published.scores
    )
    assert total == pytest.approx(14 * published_mean(published, True) - 10 * published_mean(published, False))
