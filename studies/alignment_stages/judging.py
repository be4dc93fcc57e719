"""What claims are judged by: every row's mean with the chance in it, and a claim from a judged statistic."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scripts.lib.claims import Claim
from scripts.lib.ids import seed_of
from scripts.studies.findings import Words, claim_of
from scripts.studies.statistics.resampling import Trained, resampled_means
from scripts.studies.verdicts import Judged
from studies.alignment_stages.config import Config
from studies.alignment_stages.discrepancy import says_off
from studies.alignment_stages.layout import Row, rows, table2, trained_from
from studies.alignment_stages.measured import Answers
from studies.alignment_stages.published_numbers import Published

STUDY = "alignment_stages"


@dataclass(frozen=True)
class Judging:
    """A study's results, and the paper's."""

    spec: Config
    answers: Answers
    published: Published

    @cached_property
    def means(self) -> dict[tuple[str, ...], np.ndarray]:
        """Runs of each trained row -> its mean, (1 + 2 replicates,): as measured, drawn, repeated (resampling.py)."""
        trained = {each.runs: each for each in [*rows(self.spec), *table2(self.spec)] if each.path}
        values = np.stack([self.answers.controlled(each) for each in trained.values()])
        kinds = [Trained(self.spec.off_policy, each.variant) for each in trained.values()]
        drawn = resampled_means([values], kinds, np.random.default_rng(seed_of(STUDY, self.spec.win_rate)))[..., 0]
        found = np.concatenate([values.mean(axis=(1, 2, 3))[None], drawn])
        return {runs: found[:, place] for place, runs in enumerate(trained)}

    def of(self, trained: Row) -> np.ndarray:
        return self.means[trained.runs]

    def difference(self, start: Row, data: str, other: str) -> np.ndarray:
        """The increase from a start on some data minus that on other data: the start's own mean cancels."""
        return self.of(trained_from(self.spec, start, data)) - self.of(trained_from(self.spec, start, other))

    def is_injected(self, start: Row) -> bool:
        """Whether a start's measured score says off-policy data."""
        return says_off(self.answers.score(start)[0])

    def claim(self, name: str, statement: str, words: Words, judged: Judged, published: float | None) -> Claim:
        spec = self.spec
        return claim_of(STUDY, name, statement, words, judged, published, len(spec.seeds), spec.draws)
