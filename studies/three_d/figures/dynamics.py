"""Likelihoods along training: chosen, rejected, and the start's own samples that no pair holds, setting by setting."""

import math
from pathlib import Path

from scripts.lib import cli
from scripts.report import style
from scripts.report.figure import draw_table
from scripts.report.table import read_rows
from scripts.report.training_curves import smooth

LOOKS = {
    "chosen": ("chosen", style.CHOSEN),
    "rejected": ("rejected", style.REJECTED),
    "watched": ("own samples that no pair holds", style.SERIES[1]),
}
COLUMNS = 3


def figure(path: Path) -> style.Figure:
    """A panel per policy and setting."""
    table = read_rows(path, ["policy", "setting", "draw", "seed", "step", *LOOKS])
    several = table["policy"].nunique() > 1
    groups = list(table.groupby(["policy", "setting"], sort=False))
    columns = min(COLUMNS, len(groups))
    drawn, axes = style.panels(math.ceil(len(groups) / columns), columns, 1.6, sharex=True)
    flat = [axis for row in axes for axis in row]
    for axis, ((policy, setting), rows) in zip(flat, groups, strict=False):
        axis.set_title(f"{setting}, {policy}" if several else setting)
        axis.axhline(0, color=style.FAINT, linewidth=1)
        for column, (_, colour) in LOOKS.items():
            means = rows.groupby("step")[column].mean().dropna()
            values = means if column == "watched" else smooth(means.to_numpy())
            axis.plot(means.index, values, color=colour, marker="." if column == "watched" else None)
    for axis in flat[len(groups) :]:
        axis.set_visible(False)
    drawn.supxlabel("step", fontsize=8.5, color=style.MUTED)
    drawn.supylabel("change of the log-prob per token, nats", fontsize=8.5, color=style.MUTED)
    style.heading(
        drawn,
        "What training does to likelihoods",
        "Change of the mean log-prob per token since the start; means over runs, smoothed over a twentieth of the "
        "steps. Scenarios: DPO on chosen and rejected responses that are on- or off-policy; others: on scenario 1's.",
        [style.entry(label, color=colour) for label, colour in LOOKS.values()],
    )
    return drawn


def main() -> None:
    draw_table("studies.three_d.figures.dynamics", __doc__, figure)


if __name__ == "__main__":
    cli.run(main)
