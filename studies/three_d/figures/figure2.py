"""Figure 2: likelihoods and both gradients along training with DPO, scenario 1."""

from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from studies.three_d.figures import curves

SCENARIO = 1


def figure(path: Path) -> style.Figure:
    """Likelihoods, the gradients' magnitudes, log-likelihoods."""
    rows = curves.of(curves.read_curves(path), "dpo", SCENARIO)
    drawn, (axes,) = style.panels(1, 3, 2.7)
    curves.draw(axes[0], rows)
    axes[0].set_title("Likelihood")
    for side, colour in (("chosen", style.CHOSEN), ("rejected", style.REJECTED)):
        axes[1].plot(rows["epoch"], rows[f"log_gradient_{side}"], color=colour)
        axes[2].plot(rows["epoch"], rows[f"log_{side}"], color=colour)
    axes[1].set_title("log10 of |gradient by pi|")
    axes[2].set_title("Mean log-likelihood, nats")
    for axis in axes:
        axis.set_xlabel("epoch")
    style.heading(
        drawn,
        "Likelihoods and gradients of the toy model under DPO",
        "Scenario 1, means over seeds. Middle: of the loss by pi+ (blue) and by pi- (red), as free coordinates; by "
        "log-likelihood the two are equal and opposite.",
        curves.KEY,
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.figure2", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
