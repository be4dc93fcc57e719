"""Figure: the base policies, before any preference training, on every suite."""

from pathlib import Path

from scripts.lib import cli
from scripts.lib.results import read_evaluation
from scripts.report import style
from scripts.report.labels import benchmark as benchmark_label


def figure(values: dict[str, dict[str, tuple[float, float]]]) -> style.Figure:
    """values: policy -> suite -> (value, standard error), points. A group of lines per suite, a line per policy."""
    suites = list(next(iter(values.values())))
    drawn, axes = style.panels(1, 1, 0.5 + (0.3 + 0.13 * len(values)) * len(suites))
    axis = axes[0][0]
    at = {suite: len(suites) - 1 - place for place, suite in enumerate(suites)}
    spacing = 0.5 / max(1, len(values) - 1)
    colours = {policy: style.SERIES[order % len(style.SERIES)] for order, policy in enumerate(values)}
    for order, (policy, by_suite) in enumerate(values.items()):
        for suite, (value, error) in by_suite.items():
            look = {"color": colours[policy]}
            height = at[suite] + 0.25 - spacing * order
            axis.plot([0, value], [height] * 2, linewidth=3.5, alpha=0.3, solid_capstyle="butt", **look)
            axis.errorbar(value, height, xerr=error, marker="o", markersize=5, elinewidth=1.2, **look)
    axis.axvline(0, color=style.FAINT, linewidth=0.9, zorder=0)
    axis.set_yticks(list(at.values()), [benchmark_label(suite) for suite in at])
    axis.set_ylim(-0.6, len(suites) - 0.4)
    style.across(axis)
    axis.set_xlabel("points")
    style.heading(
        drawn,
        "Before any preference training",
        "Bars: ± 1 standard error over questions.",
        [style.entry(policy, color=colour, marker="o") for policy, colour in colours.items()],
    )
    return drawn


def main() -> None:
    parser = cli.parser_of("scripts.report.base_policies", __doc__)
    parser.add_argument("--evaluations", type=Path, required=True, help="folder of <policy>/<suite>.json")
    parser.add_argument("--policies", nargs="+", required=True)
    parser.add_argument("--suites", nargs="+", required=True)
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()

    values = {}
    for policy in arguments.policies:
        found = {suite: read_evaluation(arguments.evaluations / policy / f"{suite}.json") for suite in arguments.suites}
        values[policy] = {suite: (each.value, each.standard_error) for suite, each in found.items()}
    with style.drawing():
        style.save(figure(values), arguments.out)


if __name__ == "__main__":
    cli.run(main)
