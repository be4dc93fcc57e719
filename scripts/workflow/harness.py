"""Groups the lm-eval suites that are evaluated in one process.

A process takes seconds to start, so a policy is evaluated on all its suites at once. But a Snakemake job runs as a
whole or not at all: if suites that a policy has already answered became part of a new job, adding one suite would
repeat all of them. So suites stay grouped as they were evaluated, according to Snakemake's own records, and new suites
form a group of their own.
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
"""(policy, suite) -> the suites evaluated in the same process as this one; empty if it never was evaluated."""


def together(policies: Mapping[str, Sequence[str]], asked: Asked) -> dict[Suites, list[str]]:
    """Suites of one process -> the policies that it evaluates on them.

    policies: policy -> its suites. Every suite of a policy is in exactly one process; one that was evaluated together
    with others stays with them, whether those are still wanted or not.
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
    """The groups in a working folder's Snakemake records; those with unconfigured suites are ignored."""
    records = FilePersistence(nolock=True, path=folder / ".snakemake")

    def asked(policy: str, suite: str) -> Suites:
        record = records._read_record(f"results/evaluations/{policy}/{suite}.json")
        suites = _suites_in(record.params if record else [])
        return suites if all(each in known for each in suites) else ()

    return asked


def _suites_in(params: Sequence[Any]) -> Suites:
    """The suites in the parameters of a job of rule harness, as Snakemake stores them."""
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
    """A rule: its name, the suites of one process, and the wildcard constraint of its policies."""

    name: str
    suites: Suites
    policies: str


def rules(parts: Mapping[Suites, Sequence[str]], any_policy: str) -> list[Asking]:
    """One rule per group of suites; the rule of the most common group applies to every policy not named by another.

    parts: from together(). any_policy: the wildcard constraint of a policy.
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
    """Apply a profile's settings for rule harness (threads, resources, group) to another of its rules too."""
    settings = workflow.resource_settings
    said_of = [
        settings._parsed_overwrite_threads,
        settings._parsed_overwrite_resources,
        workflow.group_settings.overwrite_groups,
    ]
    for said in said_of:
        if name != "harness" and "harness" in said:
            said.setdefault(name, said["harness"])
