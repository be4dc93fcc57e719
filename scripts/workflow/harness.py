"""Which suites of lm-eval are asked in one process.

A process that asks questions takes seconds to start, so a policy is asked all that is wanted of it at once. But a
Snakemake job runs as a whole or not at all: were the suites that a policy has answered a part of a new job, one more
suite would ask it all of them again. So suites stay together as they were asked, which Snakemake's own records say,
and what is new is asked by itself.
"""

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.persistence.file import FilePersistence

Suites = tuple[str, ...]
Asked = Callable[[str, str], Suites]
"""(policy, suite) -> the suites that were asked in the process that asked this one; none where it never was."""


def together(policies: Mapping[str, Sequence[str]], asked: Asked) -> dict[Suites, list[str]]:
    """Suites that one process asks -> the policies that it asks them of.

    policies: policy -> the suites wanted of it. Every wanted suite of a policy is in exactly one process; one that
    was asked together with others stays with them, wanted today or not.
    """
    found: dict[Suites, list[str]] = {}
    for policy, wanted in policies.items():
        parts: list[Suites] = []
        for suite in wanted:
            if not any(suite in part for part in parts):
                before = asked(policy, suite)
                if suite in before and not any(set(before) & set(part) for part in parts):
                    parts.append(before)
        new = tuple(suite for suite in wanted if not any(suite in part for part in parts))
        for part in [*parts, *([new] if new else [])]:
            found.setdefault(part, []).append(policy)
    return found


def asked_in(folder: Path, known: Sequence[str]) -> Asked:
    """What Snakemake's records in a working folder say; suites that the configuration has no more are left out."""
    records = FilePersistence(nolock=True, path=folder / ".snakemake")

    def asked(policy: str, suite: str) -> Suites:
        record = records._read_record(f"results/evaluations/{policy}/{suite}.json")
        suites = _suites_in(record.params if record else [])
        return suites if all(each in known for each in suites) else ()

    return asked


def _suites_in(params: Sequence[Any]) -> Suites:
    """The suites in the parameters of a job of rule harness, as Snakemake keeps them."""
    for param in params or []:
        try:
            value = json.loads(ast.literal_eval(param))
        except (ValueError, SyntaxError, TypeError):
            continue
        if isinstance(value, dict):
            return tuple(value)
    return ()


@dataclass(frozen=True)
class Asking:
    """A rule: its name, the suites that one process of it asks, and the wildcard constraint of its policies."""

    name: str
    suites: Suites
    policies: str


def rules(parts: Mapping[Suites, Sequence[str]], any_policy: str) -> list[Asking]:
    """One rule for each set of suites that is asked together; the most common one is of every policy not named.

    parts: as together() gives them. any_policy: the wildcard constraint of a policy.
    """
    if not parts:
        return []
    common = max(parts, key=lambda suites: len(parts[suites]))
    others = {policy for suites, policies in parts.items() if suites != common for policy in policies}
    not_common = _one_of(others - set(parts[common]))
    found = [Asking("harness", common, rf"(?!{not_common}/){any_policy}" if not_common else any_policy)]
    rest = [suites for suites in parts if suites != common]
    return found + [
        Asking(f"harness_{number}", suites, _one_of(parts[suites])) for number, suites in enumerate(rest, start=2)
    ]


def _one_of(policies: Sequence[str] | set[str]) -> str:
    return f"({'|'.join(map(re.escape, sorted(policies)))})" if policies else ""


def as_harness(workflow: Any, name: str) -> None:
    """Let what a profile says of rule harness (threads, resources, group) go for another of its rules too."""
    settings = workflow.resource_settings
    said_of = [
        settings._parsed_overwrite_threads,
        settings._parsed_overwrite_resources,
        workflow.group_settings.overwrite_groups,
    ]
    for said in said_of:
        if name != "harness" and "harness" in said:
            said.setdefault(name, said["harness"])
