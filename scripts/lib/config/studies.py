"""Base type of every study's own key in the configuration."""

from collections.abc import Iterator
from typing import Any

from scripts.lib.config.base import Spec

Location = tuple[str | int, ...]
Problem = tuple[Location, str, str]
"""(place, problem, remedy)."""


class StudyConfig(Spec):
    """A study's own key in the configuration; the type itself is in the study's ``config.py``."""

    def problems(self, atlas: Any) -> Iterator[Problem]:
        """Contradictions with other parts of the configuration, an AtlasConfig in which all names are known.

        A place inside the study's own key is relative to it; a place elsewhere begins with the empty string.
        """
        yield from ()
