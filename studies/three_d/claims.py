"""Step: judges the paper's claims about language models; those about rewards are in rewards.py.

Statistics were fixed on 2026-11-30, before any run of this study. Log-probs are per token, in nats, and changes are
from the start's on the same pairs: by log-likelihood DPO's two gradients are equal and opposite (theory.csv), so that a
difference between the sides is one of models and data, not of coordinates. Each claim has parts, by scenario or by test
set, and holds if all hold. All are of the last policy.

rejected_first, rejected_fastest (Property 1). "The likelihood of a rejected response tends to shift much more rapidly
    than that of a chosen response." Statistic: the fall of the rejected minus the size of the chosen's change, mean
    over the first half of the steps, and over the last fifth. Holds above zero.
chosen_gradient_vanishes, rejected_gradient_grows (Property 2, Corollary 2, Figure 6). Statistic: how far ln |d loss /
    d pi+| falls, and ln |d loss / d pi-| rises, from the start's likelihoods of the same pairs to the last fifth of the
    steps. Holds above zero. These are derivatives by likelihoods as free coordinates.
dispersion (Property 3). "The likelihood of generating out-of-distribution (OOD) responses increases." Statistic: the
    change of the start's own samples that no pair holds, at the last two watches. Holds above zero.
mildest (section 4.2). "Scenario 1 shows the slowest decline in likelihood": the rejected's fall in scenario 2, 3 and 4
    minus that in scenario 1. Holds above zero.
best (Table 8). Answers with 5 points after scenario 1 minus those after 2, 3 and 4, by test set, in percent. Holds
    above zero.
flex_dpo (Table 9). Answers with 5 points after Flex-DPO with the paper's betas minus those after DPO, by test set.
beta_peak (Figure 4). "As beta- decreases, the performance initially improves, reaches the peak point, and subsequently
    declines": the mean over the betas between the ends of the sweep minus that at the highest, which is DPO, and minus
    that at the lowest, by test set. Holds if both are above zero.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from scripts.lib import cli
from scripts.lib.claims import Claim, write_claims
from scripts.studies.files import read_published
from scripts.studies.statistics.estimates import Estimate
from studies.three_d import layout
from studies.three_d.config import Experiments
from studies.three_d.drawn import Drawn
from studies.three_d.layout import SCENARIOS, Row
from studies.three_d.measured import Answers, Steps
from studies.three_d.parts import Part, claims_of, part
from studies.three_d.rewards import forms, reward_models
from studies.three_d.tables.table7 import pull

FIRST, *OTHERS = SCENARIOS
SCENARIOS_ALL, SETS_ALL = "in every scenario", "on all kinds of problems"
Known = Mapping[tuple[str, ...], dict[str, float]]


PROPERTIES = {
    "rejected_first": (
        "In the first half of training the rejected fall by {} than the chosen move",
        ("more", "no more"),
        "nats a token",
    ),
    "rejected_fastest": (
        "At the end the rejected have fallen by {} than the chosen have moved",
        ("more", "no more"),
        "nats a token",
    ),
    "chosen_gradient_vanishes": (
        "The gradient by the chosen's likelihood {}",
        ("shrinks", "does not shrink"),
        "in natural logarithm",
    ),
    "rejected_gradient_grows": (
        "The gradient by the rejected's likelihood {}",
        ("grows", "does not grow"),
        "in natural logarithm",
    ),
    "dispersion": ("Responses that no pair holds become {}", ("likelier", "no likelier"), "nats a token"),
}
"""Claim -> what is found, with its word if it holds and if it fails, and the unit."""


def likelihoods(spec: Experiments, steps: Steps, beta: float, table7: Known) -> list[Claim]:
    """Properties 1 to 3, and that scenario 1 is the mildest."""
    base = spec.policies[-1]
    rows = {name: layout.scenario(spec, base, name) for name in SCENARIOS}
    moved = {name: moves(table7, base.model or "", name) for name in SCENARIOS}
    leads = {name: None if of is None else -of[1] - abs(of[0]) for name, of in moved.items()}
    falls = {name: None if of is None else -of[1] for name, of in moved.items()}

    def parts(quantity: str, values: Callable[[Row], np.ndarray], paper: Mapping[str, float | None]) -> list[Part]:
        found = Drawn(quantity, {row: values(row) for row in rows.values()})
        return [
            part(slug(name), f"in {name.lower()}", [found.estimate(row)], [paper.get(name)])
            for name, row in rows.items()
        ]

    measured = {
        "rejected_first": parts("first", lambda row: lead(steps, row)[..., half(steps, row)], {}),
        "rejected_fastest": parts("fastest", lambda row: lead(steps, row)[..., end(steps, row)], leads),
        "chosen_gradient_vanishes": parts(
            "vanishes", lambda row: -pull(steps, row, "chosen", beta)[..., end(steps, row)], {}
        ),
        "rejected_gradient_grows": parts(
            "grows", lambda row: pull(steps, row, "rejected", beta)[..., end(steps, row)], {}
        ),
    }
    if all(steps.watched(row).size for row in rows.values()):
        measured["dispersion"] = parts("dispersion", steps.watched, {})
    found = []
    for name, of in measured.items():
        text, (holds, fails), unit = PROPERTIES[name]
        found += claims_of(spec, name, text.format(holds), text.format(fails), unit, SCENARIOS_ALL, of)
    return found + mildest(spec, steps, rows, falls)


def lead(steps: Steps, row: Row) -> np.ndarray:
    """By how much the rejected fall more than the chosen move, at every step of every run."""
    rejected, chosen = (steps.of(row, f"{side}_change") for side in ("rejected", "chosen"))
    return -rejected - np.abs(chosen)


def half(steps: Steps, row: Row) -> slice:
    """The first half of the steps, without the first, at which nothing has changed."""
    return slice(1, max(3, steps.of(row, "loss").shape[2] // 2))


def end(steps: Steps, row: Row) -> slice:
    """The last fifth of the steps."""
    return slice(-steps.at_end(row, "loss").shape[2], None)


def mildest(spec: Experiments, steps: Steps, rows: Mapping[str, Row], falls: Mapping[str, float | None]) -> list[Claim]:
    """The claim of that name. rows, falls: of each scenario, the runs, and how far the paper's rejected fall."""
    fall = Drawn("fall", {row: -steps.at_end(row, "rejected_change") for row in rows.values()})
    return claims_of(
        spec,
        "mildest",
        "The rejected fall by more than in scenario 1",
        "The rejected fall by no more than in scenario 1",
        "nats a token",
        "in each of the others",
        [
            part(
                slug(name),
                f"in {name.lower()}",
                [fall.difference(rows[name], rows[FIRST])],
                [None if falls[name] is None else falls[name] - falls[FIRST]],
            )
            for name in OTHERS
        ],
    )


def answers(spec: Experiments, of: Answers, betas: Mapping[str, float], table8: Known, table9: Known) -> list[Claim]:
    """best, flex_dpo and beta_peak, as far as the configuration has their runs."""
    base = spec.policies[-1]
    rows = {name: layout.scenario(spec, base, name) for name in SCENARIOS}
    swept = [layout.trained(spec, base, name, spec.scenarios.on_on, name) for name in betas]
    plain = layout.regularised(spec)[1]
    flex = next((row for row in layout.regularised(spec) if row.variant in betas and row != plain), None)
    best, better, peak = [], [], []
    for at, test_set in enumerate(spec.test_sets, start=1):
        every = dict.fromkeys([*rows.values(), plain, *swept, *([flex] if flex else [])])
        by_runs = {row.runs: row for row in every}  # scenario 1's row and plain DPO's are the same runs
        drawn = Drawn(f"answers {at}", {row: of.of(row, test_set, "five_points") for row in by_runs.values()})
        name, where = f"set_{at}", f"on {'the same kind of problems' if at == 1 else 'other problems'}"

        def paper(known: Known, one: str, other: str, test_set: str = test_set.name) -> float | None:
            values = [known.get((base.model or "", each, test_set), {}).get("five_points") for each in (one, other)]
            return None if None in values else values[0] - values[1]

        best.append(
            part(
                name,
                where,
                [drawn.difference(rows[FIRST], rows[each]) for each in OTHERS],
                [paper(table8, FIRST, each) for each in OTHERS],
            )
        )
        if flex:
            better.append(
                part(name, where, [drawn.difference(flex, plain)], [paper(table9, flex.setting, plain.setting)])
            )
        if len(swept) > 2:
            lowest, *between, highest = (drawn.of(row) for row in sorted(swept, key=lambda row: betas[row.variant]))
            inside = np.mean(between, axis=0)
            peak.append(part(name, where, [Estimate.of(inside - end) for end in (highest, lowest)]))
    points = "percentage points"
    found = claims_of(
        spec,
        "best",
        "Scenario 1 gives the most full marks",
        "Scenario 1 does not give the most full marks",
        points,
        SETS_ALL,
        best,
    )
    if better:
        found += claims_of(
            spec,
            "flex_dpo",
            "Flex-DPO gives more full marks than DPO",
            "Flex-DPO gives no more full marks than DPO",
            points,
            SETS_ALL,
            better,
        )
    if peak:
        found += claims_of(
            spec,
            "beta_peak",
            "Full marks peak at a beta of the rejected between those swept",
            "Full marks peak at no beta of the rejected between those swept",
            points,
            SETS_ALL,
            peak,
        )
    return found


def moves(table7: Known, model: str, setting: str) -> tuple[float, float] | None:
    """The paper's changes of chosen and rejected in a scenario."""
    of = table7.get((model, setting))
    return of and tuple(of[f"{side}_after"] - of[f"{side}_before"] for side in ("chosen", "rejected"))


def slug(name: str) -> str:
    return name.lower().replace(" ", "_")


def main() -> None:
    parser = cli.parser_of("studies.three_d.claims", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Experiments), required=True, help="JSON of the study's experiments")
    parser.add_argument("--beta", type=float, required=True, help="of plain DPO")
    parser.add_argument(
        "--betas", type=cli.spec_of(dict[str, float]), required=True, help="JSON: variant -> beta_rejected"
    )
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--training", type=Path, required=True, help="folder of <run>.parquet")
    parser.add_argument("--published", type=Path, required=True, help="folder of the paper's tables")
    parser.add_argument("--curves", type=Path, help="folder of the curves of reward models and DPO, if there are any")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    table7 = read_published(arguments.published / "table7.csv", ["model", "setting"])
    table8, table9 = (
        read_published(arguments.published / f"{name}.csv", ["model", "setting", "test_set"])
        for name in ("table8", "table9")
    )
    found = likelihoods(spec, Steps(spec, arguments.training), arguments.beta, table7)
    found += answers(spec, Answers(spec, arguments.evaluations), arguments.betas, table8, table9)
    if spec.forms:
        found += forms(spec, arguments.evaluations, read_published(arguments.published / "table2.csv", ["setting"]))
    if arguments.curves:
        found += reward_models(spec, arguments.curves)
    write_claims(found, arguments.out)


if __name__ == "__main__":
    cli.run(main)
