"""The didactic world as a source: its prompts, answered by generators of various competences."""

import random
from collections.abc import Iterable, Iterator

from scripts.lib.config.sources import WorldSource
from scripts.lib.ids import seed_of
from scripts.lib.world.generators import respond
from scripts.lib.world.skills import SKILLS, make_prompts
from scripts.sources.records import Record
from scripts.sources.row import Row


def rows(spec: WorldSource) -> Iterator[Row]:
    """One prompt per row; equal seeds give equal prompts, whatever the generators."""
    for at, prompt in enumerate(make_prompts(spec.prompts, spec.seed, tuple(spec.skills) or SKILLS)):
        yield Row(f"world, prompt {at}", {"prompt": prompt})


def records(rows: Iterable[Row], spec: WorldSource) -> Iterator[Record]:
    """Each generator's response to each prompt, from a seed of its own: one more of either changes no other."""
    for row in rows:
        prompt = row.text("prompt")
        for generator, competence in spec.generators.items():
            rng = random.Random(seed_of("respond", spec.seed, generator, prompt))
            own = rng.uniform(*competence) if isinstance(competence, tuple) else competence
            yield Record(row.messages("prompt"), respond(prompt, own, rng), generator)
