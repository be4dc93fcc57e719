"""Figure 3: intra-diversity (eq. 12) of the pairs of each training step."""

from pathlib import Path

from matplotlib.axes import Axes

from scripts.lib import cli
from scripts.lib.schemas import TRAINING
from scripts.lib.tables import read_table
from scripts.report import style
from scripts.report.training_curves import smooth
from studies.alignment_stages.diversity import Case, along
from studies.alignment_stages.layout import FOREIGN, OFF, ON

COLOURS = {OFF: style.SERIES[2], FOREIGN: style.SERIES[1], ON: style.SERIES[3]}
NAMES = {OFF: "off-policy pairs", FOREIGN: "pairs of a strong policy's samples", ON: "pairs of its own samples"}


def draw(axis: Axes, cases: list[Case]) -> None:
    """A thin line through every step of the first run, a thick one through its moving average."""
    for case in cases:
        values = along(read_table(Path(case.runs[0].steps), TRAINING))
        at = range(1, len(values) + 1)
        axis.plot(at, values, color=COLOURS[case.data], linewidth=0.7, alpha=0.45)
        axis.plot(at, smooth(values), color=COLOURS[case.data], linewidth=1.7)
    axis.axhline(0, color=style.MUTED, linewidth=0.8, zorder=1)


def figure(cases: list[Case]) -> style.Figure:
    """A row of panels per policy: before any training, and after off-policy pairs."""
    policies, starts = (
        list(dict.fromkeys(getattr(each, name) for each in cases)) for name in ("policy", "iteration_1")
    )
    drawn, axes = style.panels(len(policies), len(starts), 2.4, sharex=True, sharey="row")
    for row, policy in zip(axes, policies, strict=True):
        for axis, start in zip(row, starts, strict=True):
            draw(axis, [each for each in cases if (each.policy, each.iteration_1) == (policy, start)])
            axis.set_title(f"{policy}, after {start}-policy pairs" if start else f"{policy}, first iteration")
        row[0].set_ylabel("chosen − rejected, nats")
    drawn.supxlabel("step", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "How far apart does the policy hold the two responses of a pair?",
        "Mean difference of their log-probs over the pairs of a step (eq. 12), one run each; thick: moving average.",
        [style.entry(NAMES[each], color=colour) for each, colour in COLOURS.items()],
    )
    return drawn


def main() -> None:
    parser = cli.parser_of("studies.alignment_stages.figures.figure3", __doc__)
    parser.add_argument("--cases", type=cli.spec_of(list[Case]), required=True, help="JSON, as of diversity")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg and .png files")
    arguments = parser.parse_args()
    with style.drawing():
        style.save(figure(arguments.cases), arguments.out)


if __name__ == "__main__":
    cli.run(main)
