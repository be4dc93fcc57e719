"""Claims about data: what each stage favours, are own samples likelier, and does a blend beat the switch."""

import numpy as np
import pandas as pd

from scripts.lib.claims import Claim
from scripts.lib.ids import seed_of
from scripts.studies.findings import Words
from scripts.studies.statistics.direction import positive
from scripts.studies.statistics.estimates import Estimate
from scripts.studies.statistics.resampling import REPLICATES
from studies.alignment_stages.config import Base
from studies.alignment_stages.discrepancy import says_off
from studies.alignment_stages.judging import STUDY, Judging
from studies.alignment_stages.layout import BLEND, COMPARED, FOREIGN, OFF, ON, Row, compared, row, trained_from
from studies.alignment_stages.stage_claims import in_stage

LEAST_LIKELIER = 84.32
"""The lowest of the paper's nine shares of Table 8, in points."""


def characteristics(of: Judging) -> list[Claim]:
    """diversity and quality, each if any initial policy of Table 2 is in its stage."""
    found = []
    for name, injected, data, other in (("diversity", True, OFF, FOREIGN), ("quality", False, FOREIGN, OFF)):
        paper = published_mean(of, data, other, injected)
        found += in_stage(of, name, compared(of.spec), "initial policies of Table 2", injected, data, other, paper)
    return found


def published_mean(of: Judging, data: str, other: str, injected: bool) -> float | None:
    """The paper's mean over the initial policies of its Table 2 in a stage."""
    values = [
        of.published.difference(model, objective, path, data, other)
        for (model, objective, first), score in of.published.scores.items()
        if says_off(score) == injected and (path := (first,) if first else ()) in COMPARED
    ]
    known = [each for each in values if each is not None]
    return float(np.mean(known)) if known else None


def distinct(of: Judging, table: pd.DataFrame) -> list[Claim]:
    """table: distinct.csv, one row per initial policy."""
    value = float(table["by_sequence"].mean()) - LEAST_LIKELIER
    error = float(table["by_sequence_se"].mean())  # as if all initial policies, on the same prompts, erred together
    drawn = value + error * np.random.default_rng(seed_of(STUDY, "distinct")).standard_normal((2, REPLICATES))
    words = Words(
        f"The likelihood of own samples, over the paper's least share of {LEAST_LIKELIER} %",
        f"{len(table)} initial policies give their own samples the higher likelihood as often as in the paper",
        f"{len(table)} initial policies give their own samples the higher likelihood less often than in the paper",
        f"points above {LEAST_LIKELIER} %",
    )
    statement = "Policies give their own samples the higher likelihood in at least 84.3 % of comparisons (points above)"
    paper = table.drop_duplicates(["policy", "iteration_1"])["by_sequence_published"].mean()
    published = None if pd.isna(paper) else float(paper) - LEAST_LIKELIER
    return [of.claim("distinct", statement, words, positive(Estimate(value, *drawn)), published)]


def switch(of: Judging, base: Base, variant: str) -> Row:
    """What two iterations on whichever data the score recommends lead to."""
    reached = row(of.spec, base, variant, ())
    for _ in range(2):
        reached = trained_from(of.spec, reached, OFF if of.is_injected(reached) else ON)
    return reached


def blend(of: Judging) -> list[Claim]:
    spec = of.spec
    gains = [
        of.of(row(spec, base, variant, (BLEND, BLEND))) - of.of(switch(of, base, variant))
        for variant in spec.variants
        for base in spec.policies
    ]
    words = Words(
        "Two iterations on blends over two iterations on what the score recommends",
        "two iterations on blends lead further than two on what the score recommends",
        "two iterations on blends lead no further than two on what the score recommends",
        "points",
    )
    statement = "Blends in the share of the boundary score beat the switch at 0.5 (points after two iterations, mean)"
    return [of.claim("blend", statement, words, positive(Estimate.of(np.mean(gains, axis=0))), None)]
