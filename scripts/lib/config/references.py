"""Checks across parts of the configuration: names must refer to an entry, and parts must fit together."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from scripts.lib.config import checks_of_pairs, checks_of_policies, checks_of_suites
from scripts.lib.config.base import Reference, Spec
from scripts.lib.config.behind import drawn_from
from scripts.lib.config.studies import Location, Problem


def problems(config: Any) -> list[Problem]:
    """Every contradiction between parts of an AtlasConfig; parts are checked only once all names are known."""
    found = list(_unknown_names(config))
    found = found or [*_pairs_in_a_circle(config), *checks_of_policies.in_a_circle(config)]
    return found or [problem for check in CHECKS for problem in check(config)]


def _unknown_names(config: Any) -> Iterator[Problem]:
    for at, name, section in _references(config, type(config), ()):
        known = list(_section(config, section))
        if name not in known:
            yield (
                at,
                f"no {section} {name!r}",
                f"use one of {', '.join(known) or 'none yet'}, or define it under {section}",
            )


def _references(value: Any, hint: Any, at: Location) -> Iterator[tuple[Location, str, str]]:
    """Every field marked as a Reference, as (location, the name in it, the section that it refers to)."""
    if isinstance(value, Spec):
        for field, inner in get_type_hints(type(value), include_extras=True).items():
            if field != "model_config":
                yield from _references(getattr(value, field), inner, (*at, field))
        return
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        for mark in arguments[1:]:
            if isinstance(mark, Reference) and isinstance(value, str):
                yield at, value, mark.section
        yield from _references(value, arguments[0], at)
    elif isinstance(value, dict) and arguments:
        for key, item in value.items():
            yield from _references(item, arguments[1], (*at, key))
    elif isinstance(value, list) and arguments:
        for index, item in enumerate(value):
            yield from _references(item, arguments[0], (*at, index))
    elif value is not None:
        for option in arguments:
            yield from _references(value, option, at)


def _section(config: Any, section: str) -> Any:
    for part in section.split("."):
        config = getattr(config, part)
    return config


def _pairs_in_a_circle(config: Any) -> Iterator[Problem]:
    def goes_back_to(start: str) -> bool:
        seen, ahead = set(), drawn_from(config, start)
        while ahead:
            each = ahead.pop()
            if each == start:
                return True
            if each not in seen:
                seen.add(each)
                ahead += drawn_from(config, each)
        return False

    for name in config.pairs:
        if goes_back_to(name):
            yield ("pairs", name), f"{name} is made from itself", "name datasets that do not lead back to it"


def _studies_that_cannot_be(config: Any) -> Iterator[Problem]:
    for study in config.studies:
        spec = getattr(config, study, None)
        if spec is None:
            yield (
                ("studies", config.studies.index(study)),
                f"study {study} is on, and the configuration has no key {study}",
                f"add one, as in studies/{study}/, or take {study} out of the list",
            )
            continue
        for at, problem, remedy in spec.problems(config):
            yield (at[1:] if at[:1] == ("",) else (study, *at)), problem, remedy


CHECKS = (*checks_of_policies.CHECKS, *checks_of_pairs.CHECKS, *checks_of_suites.CHECKS, _studies_that_cannot_be)
