"""Checks of all runs together: each must be trainable from its start, and its name must fit a file system."""

from collections.abc import Iterator, Mapping

from scripts.lib.config.behind import model_behind
from scripts.lib.config.root import AtlasConfig
from scripts.lib.config.studies import Location, Problem
from scripts.lib.lineage import Run, lineage_of, pairs_for, sample_sets_behind, sampled_family
from scripts.lib.study import Study

LONGEST = 255
"""The most bytes of a file name on most file systems."""
ROOM = 40
"""Bytes reserved for the longest suffix of a name, including that of a hidden temporary file."""


def runs_behind(policies: list[str]) -> list[Run]:
    """Every run behind some policies, once, after the run that it starts from."""
    return list(dict.fromkeys(run for policy in policies for run in lineage_of(policy)))


def problems(atlas: AtlasConfig, rooms: Mapping[str, Study]) -> Iterator[Problem]:
    """The problems of all runs of the studies."""
    seen: set[str] = set()
    for study, room in rooms.items():
        for policy, _ in room.measured:
            for run in runs_behind([policy]):
                if run.name not in seen:
                    seen.add(run.name)
                    yield from _problems_of(atlas, run, (study,))


def _problems_of(atlas: AtlasConfig, run: Run, at: Location) -> Iterator[Problem]:
    base = model_behind(atlas, run.policy)
    variant = atlas.training.variant(run.variant)
    if getattr(base, "trust_remote_code", False):
        yield (
            ("policies", run.policy, "trust_remote_code"),
            f"runs start from {run.policy}, and what they train could not carry its code",
            "start from a model that transformers knows; other policies may bring code, to be sampled and scored",
        )
    if variant.max_length > base.max_length:
        yield (
            ("training", "max_length"),
            f"runs of {variant.max_length} tokens need more than the {base.max_length} of policy {run.policy}",
            f"lower it, or raise policies.{run.policy}.max_length",
        )
    if name := too_long(atlas, run):
        yield (
            at,
            f"the lineage {run.name} makes a file name of {len(name.encode()) + ROOM} bytes ({name}…), "
            f"and file systems take {LONGEST}",
            "shorten the names of its policy, pairs, variants or sample sets, or train fewer times in a row",
        )


def too_long(atlas: AtlasConfig, run: Run) -> str | None:
    """The longest file name that a run has or needs, if it is too long for a file system."""
    sampled = [sampled_family(atlas, each, run.start) for each in sample_sets_behind(atlas, run.pairs)]
    longest = max([run.name, pairs_for(atlas, run.pairs, run.start), *sampled], key=len)
    return longest if len(longest.encode()) + ROOM > LONGEST else None
