"""Every claim of "What Matters in Data for DPO?" that the configuration has tables for."""

from scripts.lib.config.studies import WhatMattersStudy
from scripts.studies.claim import Claim, Inputs
from scripts.studies.what_matters import contrast_claims, tier_claims
from scripts.studies.what_matters.layout import STUDY
from scripts.studies.what_matters.theory_claims import read_theory, theory_claims


def claims(spec: WhatMattersStudy, inputs: Inputs) -> list[Claim]:
    """Table by table, then those of section 4."""
    theory = theory_claims(read_theory(inputs.tables / STUDY / "theory.csv"))
    return tier_claims.claims(spec, inputs) + contrast_claims.claims(spec, inputs) + theory
