"""Table 2: does a policy need diverse pairs, good pairs, or its own?

Each of some policies before any training and after off-policy pairs, trained on off-policy pairs (diverse), on pairs of
a strong policy's samples (good, and no more its own than the off-policy ones), or on pairs of its own samples; and on
blends. Columns are those of iterations.csv.
"""

from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from studies.alignment_stages.iterations import cells
from studies.alignment_stages.layout import KEY, table2
from studies.alignment_stages.measured import Answers, parser_of
from studies.alignment_stages.published_numbers import Published

COLUMNS = ["policy", *KEY, "n_seeds", "n_draws", "lc_win_rate", "lc_win_rate_se", "lc_win_rate_published"]
COLUMNS += ["increase", "increase_se", "increase_published", "win_rate", "win_rate_se", "win_rate_published"]
COLUMNS += ["true_reward", "true_reward_se", "boundary_score", "boundary_score_se", "boundary_score_published"]


def main() -> None:
    arguments = parser_of("studies.alignment_stages.table2", __doc__).parse_args()
    spec = arguments.spec
    answers, published = Answers(spec, arguments.evaluations), Published(arguments.published)
    write_csv([cells(spec, answers, of, published) for of in table2(spec)], COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
