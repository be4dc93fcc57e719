"""The distinct assumption (Appendix F.1, Table 8): does a policy give its own samples the higher likelihood?

Algorithm 1 leaves the policy's likelihoods out, because it assumes so. One row per initial policy: of the four
comparisons of two own samples with both responses of an off-policy pair, the share, in points, in which the policy
gives its own sample the higher log-probability, by_sequence: summed over tokens, as in the paper; by_token: their mean,
since a longer response has a lower sum whatever it says. A tie counts as half. From stored log-probs: nothing is run.

n_prompts: prompts whose four comparisons all have log-probs; n_left_out: the others. Both are means over seeds and
draws. `_se`: over prompts and runs, as of boundary scores.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.evaluation.boundary import comparisons
from scripts.evaluation.preference import Likelihoods, read_likelihoods
from scripts.lib import cli
from scripts.lib.csv_files import write_csv
from scripts.lib.errors import InputError
from scripts.lib.lineage import at_start
from scripts.lib.schemas import PAIRS, SAMPLES
from scripts.lib.tables import read_table
from scripts.studies.files import read_published
from studies.alignment_stages.config import Config
from studies.alignment_stages.layout import starts
from studies.alignment_stages.measured import of_shares

SIDES = ("by_sequence", "by_token")
COLUMNS = ["policy", "model", "objective", "iteration_1", "n_prompts", "n_left_out", "by_sequence", "by_sequence_se"]
COLUMNS += ["by_sequence_published", "by_token", "by_token_se"]
PUBLISHED_OBJECTIVE = "dpo"


def shares(compared: pd.DataFrame, likelihoods: Likelihoods) -> pd.DataFrame:
    """by_sequence and by_token of each prompt whose comparisons all have log-probs, in points, by prompt_id.

    compared: (prompt_id, own_id, other_id), as of ``comparisons``.
    """
    known = compared["own_id"].isin(likelihoods) & compared["other_id"].isin(likelihoods)
    whole = compared[known.groupby(compared["prompt_id"]).transform("all")]
    own, other = (
        np.array([likelihoods[each] for each in whole[side]]).reshape(-1, 2) for side in ("own_id", "other_id")
    )
    found = pd.DataFrame({"prompt_id": whole["prompt_id"].to_numpy()})
    found["by_sequence"] = 50.0 * (1 + np.sign(own[:, 0] - other[:, 0]))
    found["by_token"] = 50.0 * (1 + np.sign(own[:, 0] / own[:, 1] - other[:, 0] / other[:, 1]))
    return found.groupby("prompt_id").mean()


def measured(run: str, own: str, others: list[str], pairs: pd.DataFrame, results: Path) -> tuple[pd.DataFrame, int]:
    """The shares of one policy, and how many prompts are left out. own: the family of its samples; others: of pairs."""
    family = at_start(own, run)
    samples = results / f"samples/{run}/{family}.parquet"
    compared, _ = comparisons(read_table(samples, SAMPLES), pairs)
    likelihoods = read_likelihoods([results / f"logprobs/{run}/{each}.parquet" for each in (family, *others)])
    found = shares(compared, likelihoods)
    if len(found) < 2:
        raise InputError(samples, f"{len(found)} prompts can be compared", "raise the max_length of the policy")
    return found, len(pairs) - len(found)


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.distinct", __doc__)
    parser.add_argument("--spec", type=cli.spec_of(Config), required=True, help="JSON of the study")
    parser.add_argument("--pairs", type=Path, required=True, help="the off-policy pairs")
    parser.add_argument("--own", required=True, help="the family of the starts' own samples, without a start")
    parser.add_argument("--others", nargs="+", required=True, help="the families of the off-policy pairs")
    parser.add_argument("--published", type=Path, required=True, help="the paper's Table 8")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    pairs = read_table(arguments.pairs, PAIRS)
    published = read_published(arguments.published, ("model", "iteration_1"))
    rows = []
    for start in starts(arguments.spec):
        found = [measured(run, arguments.own, arguments.others, pairs, Path("results")) for run in start.runs]
        row: dict[str, object] = {"policy": start.base.policy, "model": start.base.model, "objective": start.variant}
        row |= {"iteration_1": start.iterations[0], "n_prompts": np.mean([len(each) for each, _ in found])}
        row["n_left_out"] = np.mean([lost for _, lost in found])
        for side in SIDES:
            values = [each[side].mean() for each, _ in found]
            row[side], row[f"{side}_se"] = of_shares(values, [each[side].sem() for each, _ in found])
        of_paper = published.get((start.base.model or "", start.iterations[0]), {})
        is_theirs = not start.path or start.variant == PUBLISHED_OBJECTIVE
        row["by_sequence_published"] = of_paper.get("by_sequence") if is_theirs else None
        rows.append(row)
    write_csv(rows, COLUMNS, arguments.out)


if __name__ == "__main__":
    cli.run(main)
