"""Figure: the distribution of scores in each tier, one panel per prompt set and scorer."""

from pathlib import Path

import numpy as np
import pandas as pd

from scripts.lib import cli
from scripts.lib.schemas import TIERS
from scripts.lib.tables import read_table
from scripts.lib.vocabulary import TIERS as TIER_NAMES
from scripts.report import style

GRID = 400


def density(scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel density of scores on an even grid, bandwidth by Silverman's rule, from a fine histogram."""
    step = grid[1] - grid[0]
    spread = min(scores.std(), np.subtract(*np.quantile(scores, [0.75, 0.25])) / 1.349) or scores.std()
    width = max(0.9 * spread * len(scores) ** -0.2, step)
    counts, _ = np.histogram(scores, bins=np.append(grid - step / 2, grid[-1] + step / 2))
    reach = np.arange(-len(grid) + 1, len(grid)) * step
    kernel = np.exp(-((reach / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
    return np.convolve(counts, kernel)[len(grid) - 1 : 2 * len(grid) - 1] / len(scores)


def grid_over(scores: np.ndarray) -> np.ndarray:
    """GRID evenly spaced points over the scores and a tenth of their range on both sides."""
    low, high = scores.min(), scores.max()
    room = 0.1 * (high - low) or 1.0
    return np.linspace(low - room, high + room, GRID)


def figure(tables: dict[str, pd.DataFrame]) -> style.Figure:
    """One ridge per tier, best on top, with its median; tables by title."""
    rows, columns = style.grid_shape(len(tables), 2)
    drawn, axes = style.panels(rows, columns, 2.6)
    for axis, (title, tiers) in zip(style.flat(axes, len(tables)), tables.items(), strict=True):
        grid = grid_over(tiers["score"].to_numpy())
        found = [tier for tier in TIER_NAMES if (tiers["tier"] == tier).any()]
        curves = {tier: density(tiers.loc[tiers["tier"] == tier, "score"].to_numpy(), grid) for tier in found}
        tallest = max(curve.max() for curve in curves.values())
        for place, tier in enumerate(reversed(found)):
            colour = style.CHOSEN_TIERS[tier]
            curve = place + 0.92 * curves[tier] / tallest
            axis.fill_between(grid, place, curve, color=colour, alpha=0.75, linewidth=0)
            axis.plot(grid, curve, color=colour, linewidth=1.2)
            median = float(tiers.loc[tiers["tier"] == tier, "score"].median())
            axis.plot([median] * 2, [place, place + 0.3], color=style.INK, linewidth=1.3)
        axis.set_yticks(range(len(found)), list(reversed(found)))
        axis.grid(False)
        axis.spines["left"].set_visible(False)
        axis.set_title(style.titled(title, style.WIDTH / columns - 0.8))
        axis.set_xlabel("score")
    style.heading(drawn, "Scores by tier", "Each prompt gives one response to each tier. Black tick: median.")
    return drawn


def main() -> None:
    parser = cli.parser_of("scripts.report.tier_scores", __doc__)
    parser.add_argument("--tiers", type=Path, nargs="+", required=True)
    parser.add_argument("--titles", nargs="+", required=True, help="one per tiers file")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    tables = {title: read_table(path, TIERS) for title, path in zip(arguments.titles, arguments.tiers, strict=True)}
    with style.drawing():
        style.save(figure(tables), arguments.out)


if __name__ == "__main__":
    cli.run(main)
