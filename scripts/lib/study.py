"""The contract of a study: what the code in studies/<study>/ tells the workflow. Nothing else knows any study.

A study's folder (room) ``studies/<study>/`` has ``config.py`` with ``Config``, the type of its key in the configuration
(scripts/lib/config/studies.py), and ``study.py`` with ``Room``, a Study. From these the workflow derives the runs and
their lineages, pairs, references, samples and evaluations, the plan, the counts of shared work, and the report page.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from scripts.lib.config.base import Spec
from scripts.lib.config.root import AtlasConfig
from scripts.lib.names import PairsName


@dataclass(frozen=True)
class Step:
    """How a table, figure, claims file or section is made: ``python -m <module> <arguments> --out <file>``.

    reads: its input files; a change of one runs the step again. arguments: words of the command line: everything that
    the output depends on besides files, as text or JSON, and the flags with the files' names or folders.
    """

    module: str
    reads: Sequence[str] = ()
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Work:
    """What a model does for a study apart from its runs and their evaluations: one file, for ``snakemake plan``.

    out: the file. of: a family, or ``<prompt set>/prompts``, each with an average response. times: how often it is
    worked through.
    """

    kind: Literal["score", "sample", "logprobs"]
    out: str
    of: str
    times: int = 1


class Study(ABC):
    """One study under one configuration. ``name`` is that of its room, its key, and its folder under results/.

    Must be cheap to import and to call: the workflow does both whenever Snakemake reads its rules.
    """

    title: ClassVar[str]
    """The page's heading: the paper's title, or the study's question."""

    def __init__(self, name: str, spec: Any, atlas: AtlasConfig) -> None:
        self.name = name
        self.spec = spec
        self.atlas = atlas

    @property
    @abstractmethod
    def lead(self) -> str:
        """What ran, in one sentence."""

    @cached_property
    def measured(self) -> list[tuple[str, str]]:
        """(policy or run, suite): everything to evaluate; runs and everything before them follow from it."""
        return []

    @cached_property
    def tables(self) -> dict[str, Step]:
        """Table -> how results/tables/<study>/<table>.csv is made."""
        return {}

    @cached_property
    def figures(self) -> dict[str, Step]:
        """Figure -> how results/figures/<study>/<figure>.svg and .png are made (``--out`` takes both)."""
        return {}

    @property
    def work(self) -> list[Work]:
        """What models do for the study's own rules; what other studies or its runs need, too, is done once."""
        return []

    @property
    def made(self) -> list[str]:
        """Files made by the study's own rules.smk that no other rule needs."""
        return []

    @property
    def claims(self) -> Step | None:
        """How results/claims/<study>.csv is made; None if the study has no claims."""
        return None

    @property
    @abstractmethod
    def section(self) -> Step:
        """How results/sections/<study>.html, the study's part of the page, is made."""

    @cached_property
    def names(self) -> dict[str, PairsName]:
        """Pairs dataset -> its name in tables and figures; for every dataset that a run of the study trains on."""
        return {}

    def evaluations(self, policies: Sequence[str] | None = None) -> list[str]:
        """The evaluation files of all policies, or of some."""
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
    """Entries of the configuration by name, as JSON for a step's command line."""
    return json.dumps({name: entry.model_dump() for name, entry in entries.items()})
