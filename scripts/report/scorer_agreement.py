"""Figure: the agreement of two scorers, such as a trained reward model and the world's oracle."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from scripts.lib import cli
from scripts.lib.errors import InputError
from scripts.lib.schemas import RESPONSES, SCORES
from scripts.lib.tables import read_table
from scripts.report import style

RAMP = LinearSegmentedColormap.from_list("counts", ["#dbe7f2", "#5f9bc8", "#12578f"])
BINS = 60


def rank_correlation(first: pd.Series, second: pd.Series) -> float:
    """Spearman's: Pearson's correlation of the ranks, ties sharing their mean rank."""
    return float(np.corrcoef(first.rank(), second.rank())[0, 1])


def ordered_alike(both: pd.DataFrame) -> tuple[float, int]:
    """(share, number) of pairs of one prompt's responses that both scorers order the same way.

    Pairs with equal scores by the reference are left out; those with equal scores by the scorer count one half.
    """
    columns = both[["prompt_id", "response_id", "score", "reference"]]
    pairs = columns.merge(columns, on="prompt_id", suffixes=("_1", "_2"))
    pairs = pairs[(pairs["response_id_1"] < pairs["response_id_2"]) & (pairs["reference_1"] != pairs["reference_2"])]
    if pairs.empty:
        return float("nan"), 0
    by_scorer = np.sign(pairs["score_1"] - pairs["score_2"])
    by_reference = np.sign(pairs["reference_1"] - pairs["reference_2"])
    return float(((by_scorer * by_reference + 1) / 2).mean()), len(pairs)


def figure(panels: dict[str, pd.DataFrame], scorer: str, reference: str) -> style.Figure:
    """One panel per prompt set: counts of responses by both scores, and two measures of agreement."""
    rows, columns = style.grid_shape(len(panels), 3)
    drawn, axes = style.panels(rows, columns, 3.0)
    for axis, (title, both) in zip(style.flat(axes, len(panels)), panels.items(), strict=True):
        counts, x_edges, y_edges = np.histogram2d(both["reference"], both["score"], bins=BINS)
        axis.pcolormesh(
            x_edges, y_edges, np.ma.masked_equal(counts.T, 0), cmap=RAMP, norm=LogNorm(vmin=1), rasterized=True
        )
        share, number = ordered_alike(both)
        axis.set_title(style.titled(title, style.WIDTH / columns - 0.6))
        axis.text(
            0.03,
            0.97,
            f"rank correlation {rank_correlation(both['reference'], both['score']):.2f}\n"
            f"within a prompt, {100 * share:.0f} % of {number:,} pairs ordered alike",
            transform=axis.transAxes,
            va="top",
            fontsize=8,
        )
        axis.margins(y=0.15)
        axis.set_ylim(y_edges[0], y_edges[-1] + 0.22 * (y_edges[-1] - y_edges[0]))
        axis.set_xlabel(reference)
        axis.grid(False)
    axes[0][0].set_ylabel(scorer)
    style.heading(drawn, f"{scorer} against {reference}", "Responses by both scores; darker: more of them.")
    return drawn


def main() -> None:
    parser = cli.parser_of("scripts.report.scorer_agreement", __doc__)
    parser.add_argument("--scorer", required=True, help="its name")
    parser.add_argument("--reference", required=True, help="the other's name")
    parser.add_argument("--responses", type=Path, nargs="+", required=True, help="responses, one file per prompt set")
    parser.add_argument("--titles", nargs="+", required=True, help="one per prompt set")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="the scorer's, all families")
    parser.add_argument("--reference-scores", type=Path, nargs="+", required=True, help="the reference's, all families")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    scores = pd.concat([read_table(path, SCORES) for path in arguments.scores]).drop_duplicates("response_id")
    references = pd.concat([read_table(path, SCORES) for path in arguments.reference_scores])
    references = references.drop_duplicates("response_id").rename(columns={"score": "reference"})
    panels = {}
    for title, path in zip(arguments.titles, arguments.responses, strict=True):
        responses = read_table(path, RESPONSES)[["response_id", "prompt_id"]]
        panels[title] = responses.merge(scores, on="response_id").merge(references, on="response_id")
        if panels[title].empty:
            raise InputError(
                path, "no response is scored by both", "pass the score files of this prompt set's families"
            )
    with style.drawing():
        style.save(figure(panels, arguments.scorer, arguments.reference), arguments.out)


if __name__ == "__main__":
    cli.run(main)
