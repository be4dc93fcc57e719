"""Display names of pairs datasets, for steps that read files of several datasets."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict

from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.errors import InputError


class PairsName(Spec):
    """The name of a pairs dataset in tables and figures: its data, and the kind of its chosen and rejected responses.

    on_policy: the share of on-policy pairs in a mixture, in percent; blank for datasets that are not mixtures.
    """

    model_config = ConfigDict(str_min_length=0)

    dataset: str
    chosen: str
    rejected: str
    on_policy: str = ""

    @property
    def configuration(self) -> str:
        """Chosen/Rejected, as the paper writes it; a single name if both are of one kind."""
        sides = self.chosen if self.chosen == self.rejected else f"{self.chosen}/{self.rejected}"
        return f"{sides}, {self.on_policy} % on-policy" if self.on_policy else sides

    def of_start(self, start: str) -> "PairsName":
        """The same for one start, where several starts are shown."""
        return self.model_copy(update={"dataset": f"{self.dataset}, from {start}"})


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add the argument with the names to a step's command line."""
    parser.add_argument(
        "--names",
        type=cli.spec_of(dict[str, PairsName]),
        required=True,
        help='JSON: pairs dataset -> {"dataset", "chosen", "rejected", "on_policy"}',
    )


def name_of(path: Path, dataset: str, names: Mapping[str, PairsName]) -> PairsName:
    """The name of the pairs dataset that a file contains or that a run was trained on."""
    if dataset not in names:
        raise InputError(path, f"--names has no entry {dataset}", "name every pairs dataset")
    return names[dataset]
