"""The rows of the tables of runs: what each policy was trained on and how, with the runs behind each row.

Light enough to be imported by the workflow, which asks here what to train.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from scripts.lib.config.root import AtlasConfig
from scripts.lib.lineage import Run, in_draw
from studies.three_d.config import Base, Experiments, Forms, PairSet, RewardModels

SCENARIOS = {"Scenario 1": "on_on", "Scenario 2": "off_on", "Scenario 3": "on_off", "Scenario 4": "off_off"}
"""The paper's name -> the field of the configuration: chosen, then rejected, on- or off-policy."""
BASE_MODEL = "basemodel"
FORM_PARTS = ("row_number", "words_per_row", "rhythm", "tone_pattern", "title", "word_count", "content")
"""The columns of the paper's Table 2."""
MODELS = ("rm", "dpo")
"""What learns from the pairs of Figures 5 and 7 to 9."""


@dataclass(frozen=True)
class Row:
    """A row of a table: a policy as it is, or trained on some pairs with a variant.

    setting: as the paper calls the row. runs: by draw of the data, then by seed; an untrained policy by itself.
    """

    base: Base
    setting: str
    runs: tuple[str, ...]
    pairs: str = ""
    variant: str = ""


def trained(
    spec: Experiments, base: Base, setting: str, pairs: str, variant: str, seeds: Sequence[int] | None = None
) -> Row:
    """The row of one policy on some pairs. seeds: those of the experiments, if none are given."""
    runs = tuple(
        Run(base.policy, in_draw(pairs, draw, spec.draws), variant, seed).name
        for draw, seed in product(range(1, spec.draws + 1), seeds or spec.seeds)
    )
    return Row(base, setting, runs, pairs, variant)


def scenario(spec: Experiments, base: Base, name: str) -> Row:
    return trained(spec, base, name, getattr(spec.scenarios, SCENARIOS[name]), spec.variant)


def scenarios(spec: Experiments) -> list[Row]:
    """Tables 1, 7 and 8: each policy as it is, then after each scenario."""
    return [
        row
        for base in spec.policies
        for row in (Row(base, BASE_MODEL, (base.policy,)), *(scenario(spec, base, name) for name in SCENARIOS))
    ]


def regularised(spec: Experiments) -> list[Row]:
    """Table 9: the last policy as it is, then after DPO and its variants on scenario 1's pairs."""
    base, pairs = spec.policies[-1], spec.scenarios.on_on
    variants = dict.fromkeys([spec.variant, *spec.regularised])
    return [Row(base, BASE_MODEL, (base.policy,)), *(trained(spec, base, each, pairs, each) for each in variants)]


def sweep(spec: Experiments, atlas: AtlasConfig) -> list[tuple[float, Row]]:
    """Figure 4: (beta of the rejected, row), from the smallest; plain DPO has one beta for both."""
    base, pairs = spec.policies[-1], spec.scenarios.on_on
    betas = {spec.variant: atlas.training.variant(spec.variant).beta}
    betas |= {name: atlas.training.variant(name).options["beta_rejected"] for name in spec.beta_sweep}
    return sorted(
        ((beta, trained(spec, base, name, pairs, name)) for name, beta in betas.items()), key=lambda each: each[0]
    )


def reward_models(spec: Experiments) -> list[tuple[PairSet, str, list[str]]]:
    """(pairs, kind, the names of its curves) of every set and kind of model; by draw of the data, then by seed."""
    if spec.reward_models is None:
        return []
    base = spec.policies[-1].policy
    repeats = list(product(range(1, spec.draws + 1), seeds_of(spec, spec.reward_models)))
    return [
        (each, kind, [curve(base, in_draw(each.pairs, draw, spec.draws), kind, seed) for draw, seed in repeats])
        for each in spec.reward_models.sets
        for kind in MODELS
    ]


def forms(spec: Experiments) -> list[Row]:
    """Table 2: the policy as it is, after PPO on the learned reward, after DPO, and further rows."""
    if spec.forms is None:
        return []
    of = spec.forms
    variants = {"PPO": of.ppo, "DPO": of.dpo, **of.others}
    return [
        Row(of.policy, "Base", (of.policy.policy,)),
        *(
            trained(spec, of.policy, setting, of.pairs, variant, seeds_of(spec, of))
            for setting, variant in variants.items()
        ),
    ]


def seeds_of(spec: Experiments, part: Forms | RewardModels | None) -> list[int]:
    """The seeds of a part of the experiments: its own, if it has any."""
    return (part and part.seeds) or spec.seeds


def curve(policy: str, pairs: str, kind: str, seed: int) -> str:
    """The name of a curve of reward_model/run.py."""
    return f"{policy}.{pairs}.{kind}.s{seed}"


def policies_of(rows: Sequence[Row]) -> list[str]:
    """The runs and policies behind some rows, once each."""
    return list(dict.fromkeys(run for each in rows for run in each.runs))
