"""What every study's own key in the configuration has in common."""

from collections.abc import Iterator
from typing import Any

from scripts.lib.config.base import Spec

Location = tuple[str | int, ...]
Problem = tuple[Location, str, str]
"""Where, what, and the remedy."""


class StudyConfig(Spec):
    """A study's own key in the configuration; its room's ``config.py`` has the type."""

    def problems(self, atlas: Any) -> Iterator[Problem]:
        """What in it contradicts other parts of the configuration, an AtlasConfig in which all names are known.

        A place within the study's own key is relative to it; one elsewhere opens with the empty string.
        """
        yield from ()
