"""The contract of a study: what a room under studies/ says of itself. The spine knows nothing more of any study.

A room ``studies/<study>/`` has in ``config.py`` a ``Config``, the type of its key in the configuration
(scripts/lib/config/studies.py), and in ``study.py`` a ``Room``, a Study. From what it says the spine derives the runs
with their lineages, pairs, references, samples and evaluations, the plan, the counts of what is shared, and the page.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from scripts.lib.config.base import Spec
from scripts.lib.config.root import AtlasConfig
from scripts.lib.names import PairsName


@dataclass(frozen=True)
class Step:
    """How a table, figure, claims file or section is made: ``python -m <module> <arguments> --out <file>``.

    reads: the files that it reads; a change of one runs it again. arguments: words of the command line: all that it
    depends on beside files, as text or JSON, and the flags that name the files or their folders.
    """

    module: str
    reads: Sequence[str] = ()
    arguments: Sequence[str] = ()


class Study(ABC):
    """One study under one configuration. ``name`` is its room's, its key's and its folder's under results/.

    Light to import and to ask: the workflow does both whenever Snakemake reads its rules.
    """

    title: ClassVar[str]
    """The page's heading: the paper's title, or what the study asks."""

    def __init__(self, name: str, spec: Any, atlas: AtlasConfig) -> None:
        self.name = name
        self.spec = spec
        self.atlas = atlas

    @property
    @abstractmethod
    def lead(self) -> str:
        """What ran, in one sentence."""

    @cached_property
    @abstractmethod
    def measured(self) -> list[tuple[str, str]]:
        """(policy or run, suite): everything that is to be evaluated; runs and what they rest on follow from it."""

    @cached_property
    @abstractmethod
    def tables(self) -> dict[str, Step]:
        """Table -> how results/tables/<study>/<table>.csv is made."""

    @cached_property
    def figures(self) -> dict[str, Step]:
        """Figure -> how results/figures/<study>/<figure>.svg and .png are made (``--out`` takes both)."""
        return {}

    @property
    def made(self) -> list[str]:
        """The files that the study's own rules.smk makes, and nothing else asks for."""
        return []

    @property
    def claims(self) -> Step | None:
        """How results/claims/<study>.csv is made; None where the study judges nothing."""
        return None

    @property
    @abstractmethod
    def section(self) -> Step:
        """How results/sections/<study>.html, the study's part of the page, is made."""

    @cached_property
    @abstractmethod
    def names(self) -> dict[str, PairsName]:
        """Pairs dataset -> what tables and figures call it; of every dataset that a run of the study trains on."""

    def evaluations(self, policies: Sequence[str] | None = None) -> list[str]:
        """The files of what is measured: of all policies, or of some."""
        return [
            f"results/evaluations/{policy}/{suite}.json"
            for policy, suite in self.measured
            if policies is None or policy in policies
        ]

    def table(self, name: str) -> str:
        return f"results/tables/{self.name}/{name}.csv"

    def figure(self, name: str) -> list[str]:
        """A figure's two files: SVG for pages, PNG for everything else."""
        return [f"results/figures/{self.name}/{name}.{kind}" for kind in ("svg", "png")]


def as_json(entries: Mapping[str, Spec]) -> str:
    """Entries of the configuration by name, as the JSON that a step takes."""
    return json.dumps({name: entry.model_dump() for name, entry in entries.items()})
