"""A configuration of the study over two prompt sets with the paper's seven tier pairs each."""

from pathlib import Path

from scripts.lib.config.pairs import TierPairs
from studies.what_matters.config import Config

PUBLISHED = Path("studies/what_matters/published")
SUITES = ["gsm8k", "mmlu"]
STUDY = Config(
    policy="base",
    seeds=[0, 1],
    datasets=[{"prompt_set": "oa", "name": "Open Assistant 2"}, {"prompt_set": "uf", "name": "UltraFeedback"}],
    benchmarks=SUITES,
)
TIERS = ["worst", "low", "medium", "high", "best"]
SEVEN = [("best", rejected) for rejected in TIERS[:4]] + [(chosen, "worst") for chosen in TIERS[1:4]]


def tier_pairs(prompt_sets=("oa", "uf"), tiers=SEVEN, scorer="rm"):
    return {
        f"{name}_{chosen}_{rejected}": TierPairs(
            kind="tiers", prompt_set=name, scorer=scorer, chosen=chosen, rejected=rejected
        )
        for name in prompt_sets
        for chosen, rejected in tiers
    }
