"""Tables 1, 3, 4 and 5: every policy after no, one and two iterations on off-policy or on-policy pairs, or a blend.

win_rate, lc_win_rate, true_reward: points. avg_length: characters. increase: of lc_win_rate over the initial policy of
the row's last iteration. boundary_score: of that initial policy, from 0 to 1: the share of on-policy pairs of a blend.
On rows whose last data are off-policy,
delta: this row's increase over that of the row with on-policy data from the same initial policy (discrepancy.py has the
paper's conventions); off_minus_on: their difference in points, which has a standard error.

`_se` is the standard error over questions and over draws, or seeds where there is one draw; differences are paired in
all of these. `_published` is the paper's number; what it does not print is computed from its win rates.
"""

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.alignment_stages.config import Config
from studies.alignment_stages.discrepancy import delta, written
from studies.alignment_stages.layout import KEY, OFF, ON, Row, row, rows, start_of
from studies.alignment_stages.measured import Answers, Measured, mean_of, parser_of
from studies.alignment_stages.published_numbers import Published

LABELS = ["policy", *KEY, "n_seeds", "n_draws"]
NUMBERS = ["win_rate", "lc_win_rate", "avg_length", "true_reward", "increase", "boundary_score", "off_minus_on"]
COLUMNS = [*LABELS, *(f"{each}{twin}" for each in NUMBERS for twin in ("", "_se", "_published"))]
COLUMNS += ["delta", "delta_published"]
UNPUBLISHED = ("true_reward_published",)


def cells(spec: Config, answers: Answers, of: Row, published: Published) -> dict[str, object]:
    """One row of the table."""
    controlled = answers.controlled(of)
    found: dict[str, object] = dict.fromkeys(COLUMNS)
    found |= {"policy": of.base.policy, "objective": of.variant, "model": of.base.model}
    found |= dict(zip(KEY[2:], of.iterations, strict=True))
    found |= {"n_draws": controlled.shape[0], "n_seeds": controlled.shape[1]}
    measured: dict[str, Measured] = {
        "win_rate": mean_of(answers.plain(of)),
        "lc_win_rate": mean_of(controlled),
        "avg_length": mean_of(answers.lengths(of)),
    }
    if spec.true_reward:
        measured["true_reward"] = mean_of(answers.rewards(of))
    if of.path:
        start = start_of(spec, of)
        measured["increase"] = mean_of(controlled - answers.controlled(start))
        measured["boundary_score"] = answers.score(start)
    if of.path[-1:] == (OFF,):
        beside = answers.controlled(row(spec, of.base, of.variant, (*of.path[:-1], ON)))
        measured["off_minus_on"] = mean_of(controlled - beside)
        on = float((beside - answers.controlled(start)).mean())
        found["delta"] = written(delta(measured["increase"][0], on))
    for name, (value, error) in measured.items():
        found |= {name: value, f"{name}_se": error}
    return found | published.of(of)


def main() -> None:
    arguments = parser_of("studies.alignment_stages.iterations", __doc__).parse_args()
    spec = arguments.spec
    answers, published = Answers(spec, arguments.evaluations), Published(arguments.published)
    table = [cells(spec, answers, of, published) for of in rows(spec)]
    write_csv(table, [each for each in COLUMNS if each not in UNPUBLISHED], arguments.out)


if __name__ == "__main__":
    cli.run(main)
