"""What a pairs dataset is called, for the steps that are given files of several."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from scripts.lib import cli
from scripts.lib.config.studies import PairsName
from scripts.lib.errors import InputError


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
