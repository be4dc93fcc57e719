"""Every claim of "What Matters in Data for DPO?" that the configuration has tables for."""

from scripts.lib.config.studies import WhatMattersStudy
from scripts.studies.claim import Claim, Inputs
from scripts.studies.what_matters import contrast_claims, tier_claims


def claims(spec: WhatMattersStudy, inputs: Inputs) -> list[Claim]:
    """Table by table."""
    return tier_claims.claims(spec, inputs) + contrast_claims.claims(spec, inputs)
