"""Step: judges the paper's claims about two iterations, and one of ours.

Statistics were fixed on 2026-11-29, those of prediction and below on 2026-11-30, before any run of this study had been
trained at full size. Everything but distinct and prediction is in points of the length-controlled win rate; off − on is
the increase with off-policy data minus that with on-policy data, from one initial policy (which cancels).

discrepancy (section 4.2). "The effectiveness discrepancy between PC_off and PC_on exists among different models."
    Statistic, by objective: off − on of the study's first policy, the weakest, minus that of its last, both before any
    training. Holds above zero, for every objective.
injection (section 5.4, Table 3). "A score less than 0.5 indicates the policy in the preference injection stage", where
    off-policy data is more effective. Statistic: the mean off − on over all initial policies, of both iterations and
    every objective, whose measured score is below 0.5. Holds above zero. No claim if there are none.
fine_tuning. "Otherwise, it is in preference fine-tuning stage": the mean of on − off over all others.
prediction. The score is of use if it names the better data more often than a constant does. Statistic: the share of
    initial policies for which it does (a hit, as in predictions.csv), minus the larger of the shares of always
    off-policy and always on-policy. Holds above zero. The hits are counted in every draw of the answers.
diversity (section 4.3, Table 2). "High diversity is more effective for models in the preference injection stage":
    the mean, over the initial policies of Table 2 with a score below 0.5, of the increase with off-policy data minus
    that with a strong policy's data. Holds above zero. No claim if there are none.
quality. "High quality will be more effective for models in the preference fine-tuning stage": the mean of the reverse
    over the others. That the one dataset is more diverse and the other better is in diversity.csv and quality.csv.
distinct (Appendix F.1, Table 8). Policies give their own samples the higher likelihood in 84.3 to 96.5 % of
    comparisons. Statistic: the mean share over initial policies, by sequence, minus 84.32. Holds above zero.
blend (ours). Two iterations on blends, each in the share of its start's score, against two iterations on whichever data
    that score recommends: the mean difference over policies and objectives. Holds above zero.

Which initial policies are in which stage is taken as measured. Runs from one initial policy share its chance, which
cancels in differences from it; intervals count it, so that they are too wide rather than too short.
"""

from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.claims import Claim, write_claims
from scripts.report.table import read_rows
from studies.alignment_stages import data_claims, stage_claims
from studies.alignment_stages.judging import Judging
from studies.alignment_stages.measured import Answers, parser_of
from studies.alignment_stages.published_numbers import Published


def claims(of: Judging, distinct: pd.DataFrame) -> list[Claim]:
    """All of them, in the order of the docstring. distinct: distinct.csv."""
    of_stages = stage_claims.discrepancy(of) + stage_claims.stages(of) + stage_claims.prediction(of)
    return of_stages + data_claims.characteristics(of) + data_claims.distinct(of, distinct) + data_claims.blend(of)


def main() -> None:
    parser = parser_of("studies.alignment_stages.claims", __doc__)
    parser.add_argument("--distinct", type=Path, required=True, help="distinct.csv")
    arguments = parser.parse_args()
    answers = Answers(arguments.spec, arguments.evaluations)
    of = Judging(arguments.spec, answers, Published(arguments.published))
    write_claims(claims(of, read_rows(arguments.distinct)), arguments.out)


if __name__ == "__main__":
    cli.run(main)
