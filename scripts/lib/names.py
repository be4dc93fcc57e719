"""What a pairs dataset is called, for the steps that are given files of several."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict

from scripts.lib import cli
from scripts.lib.config.base import Spec
from scripts.lib.errors import InputError


class PairsName(Spec):
    """What tables and figures call a pairs dataset: its data, and whose chosen and rejected responses it has.

    on_policy: the share of on-policy pairs in a mixture, in percent; blank where nothing was mixed in.
    """

    model_config = ConfigDict(str_min_length=0)

    dataset: str
    chosen: str
    rejected: str
    on_policy: str = ""

    @property
    def configuration(self) -> str:
        """Chosen/Rejected, as the paper writes it; one name where both are of one kind."""
        sides = self.chosen if self.chosen == self.rejected else f"{self.chosen}/{self.rejected}"
        return f"{sides}, {self.on_policy} % on-policy" if self.on_policy else sides


def add_names(parser: argparse.ArgumentParser) -> None:
    """Let a step take the names."""
    parser.add_argument(
        "--names",
        type=cli.spec_of(dict[str, PairsName]),
        required=True,
        help='JSON: pairs dataset -> {"dataset", "chosen", "rejected", "on_policy"}',
    )


def name_of(path: Path, dataset: str, names: Mapping[str, PairsName]) -> PairsName:
    """The name of a pairs dataset that a file holds or was trained on."""
    if dataset not in names:
        raise InputError(path, f"--names has no entry {dataset}", "name every pairs dataset")
    return names[dataset]
