"""Names of families: the responses of one generator over one prompt set, or all of a prompt set's."""

import re
from collections.abc import Sequence

from scripts.lib.errors import InputError

LONGEST = 128
"""The most characters of a generator's name in a file name; file systems allow 255 bytes for the whole name."""


def slug(text: str) -> str:
    """A generator's name as part of a path: letters, digits, - and _ stay; every run of other characters becomes _."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")
    if not name:
        raise InputError(f"generator {text!r}", "has no letter or digit to name a family by", "rename it in the data")
    if len(name) > LONGEST:
        raise InputError(
            f"generator {text[:40]!r}…", f"a name of more than {LONGEST} characters", "rename it in the data"
        )
    return name


def family_of(prompt_set: str, generator: str) -> str:
    """The family of one generator's responses in a prompt set that is divided by generator."""
    return f"{prompt_set}.{slug(generator)}"


def families(prompt_set: str, generators: Sequence[str]) -> list[str]:
    """The families of a prompt set, in its generators' order; without generators, one family named after the set."""
    named: dict[str, str] = {}
    for generator in generators:
        family = family_of(prompt_set, generator)
        if family in named:
            raise InputError(
                f"prompt set {prompt_set}",
                f"the generators {named[family]!r} and {generator!r} would be one family, {family}",
                "list each generator once, or rename one of them in the data",
            )
        named[family] = generator
    return list(named) or [prompt_set]
