"""Make a prompt set: merge sources, keep prompts that are unseen by evaluations, unlike one another and rich enough.

In this order: sources are merged, the first one that has a text being its source; prompts that are not in all of
``prompts_in`` go; responses of other generators go; then prompts that stand in an evaluation, prompts with too few
responses, near-duplicates of a prompt that is kept (of the first source's prompts, then by prompt_id), and what
is over the limit. Near-duplicates come late so that a prompt is never dropped in favour of one that goes too.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.lib import cli
from scripts.lib.config.sources import PromptSetSpec
from scripts.lib.errors import InputError
from scripts.lib.families import family_of
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_table, write_json, write_table
from scripts.sources.contamination import Found, contaminated, text_of
from scripts.sources.near_duplicates import near_duplicates

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One source's tables: PROMPTS, RESPONSES (family: generator), ANNOTATIONS."""

    name: str
    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame


@dataclass(frozen=True)
class PromptSet:
    """The prompt set's tables, of the same schemas (family: family), and its card."""

    prompts: pd.DataFrame
    responses: pd.DataFrame
    annotations: pd.DataFrame
    card: dict


class Draft:
    """What is left of the sources' prompts and responses, and what was dropped, by reason."""

    def __init__(self, sources: Sequence[Source], generators: Sequence[str]) -> None:
        """Merge the sources and keep the generators (all where none are named); the first that has a text keeps it."""
        self.dropped_prompts: Counter[str] = Counter()
        self.dropped_responses: Counter[str] = Counter()
        prompts = pd.concat([source.prompts for source in sources], ignore_index=True)
        responses = pd.concat([source.responses for source in sources], ignore_index=True)
        if generators:
            known = set(responses["family"])
            if strangers := [generator for generator in generators if generator not in known]:
                raise InputError(
                    f"sources {', '.join(source.name for source in sources)}",
                    f"no response by {', '.join(strangers)}",
                    f"choose generators from {', '.join(sorted(known))}",
                )
            ours = responses["family"].isin(generators)
            self.dropped_responses["other_generator"] += int((~ours).sum())
            responses = responses[ours]
        self.prompts = prompts.drop_duplicates("prompt_id")
        self.responses = responses.drop_duplicates("response_id")
        self.dropped_prompts["in_an_earlier_source"] += len(prompts) - len(self.prompts)
        self.dropped_responses["in_an_earlier_source"] += len(responses) - len(self.responses)

    def drop(self, reasons: dict[str, str]) -> None:
        """Drop prompts (prompt_id -> reason) and the responses to them."""
        self.dropped_prompts.update(reasons.values())
        gone = self.responses["prompt_id"].map(reasons)
        self.dropped_responses.update(gone.dropna())
        self.prompts = self.prompts[~self.prompts["prompt_id"].isin(reasons)]
        self.responses = self.responses[gone.isna()]

    def not_everywhere(self, sources: Sequence[Source]) -> list[str]:
        """Prompts that one of the sources lacks."""
        lacking = (~self.prompts["prompt_id"].isin(source.prompts["prompt_id"]) for source in sources)
        missing = pd.Series(False, index=self.prompts.index)
        for mask in lacking:
            missing |= mask
        return self.prompts.loc[missing, "prompt_id"].tolist()

    def too_few_responses(self, least: int) -> list[str]:
        """Prompts with fewer responses."""
        counts = self.prompts["prompt_id"].map(self.responses["prompt_id"].value_counts()).fillna(0)
        return self.prompts.loc[counts < least, "prompt_id"].tolist()

    def near_duplicates(self, threshold: float, sources: Sequence[str]) -> list[str]:
        """Prompts much like another one of an earlier source, or of the same source with a lower id."""
        place = self.prompts["source"].map({source: at for at, source in enumerate(sources)})
        ordered = self.prompts.assign(place=place).sort_values(["place", "prompt_id"])
        repeated = near_duplicates([text_of(prompt) for prompt in ordered["prompt"]], threshold)
        return ordered["prompt_id"].iloc[list(repeated)].tolist()

    def over_limit(self, limit: int) -> list[str]:
        """All prompts but the ``limit`` lowest ids."""
        return sorted(self.prompts["prompt_id"])[limit:]


def curate(
    name: str, spec: PromptSetSpec, sources: Sequence[Source], suites: Sequence[tuple[str, pd.DataFrame]]
) -> PromptSet:
    """A prompt set of sources (in the order of ``spec.sources``), unseen by suites (name, PROMPTS).

    The card accounts for all that was read: ``prompts_read == prompts + sum(dropped["prompts"].values())``, and so
    for responses. InputError when nothing is left or a generator has no response.
    """
    draft = Draft(sources, spec.generators)
    everywhere = [source for source in sources if source.name in spec.prompts_in]
    draft.drop(dict.fromkeys(draft.not_everywhere(everywhere), "not_in_all_of_prompts_in"))
    found = contaminated(draft.prompts, suites, spec.near_duplicates)
    draft.drop(
        {its_id: "in_an_evaluation" if at.exactly else "nearly_in_an_evaluation" for its_id, at in found.items()}
    )
    draft.drop(dict.fromkeys(draft.too_few_responses(spec.min_responses), "too_few_responses"))
    if spec.near_duplicates is not None:
        draft.drop(dict.fromkeys(draft.near_duplicates(spec.near_duplicates, spec.sources), "near_duplicate"))
    if spec.limit is not None:
        draft.drop(dict.fromkeys(draft.over_limit(spec.limit), "over_limit"))
    if draft.prompts.empty:
        raise InputError(
            f"prompt set {name}",
            f"no prompt is left; dropped: {_counts(draft.dropped_prompts)}",
            "relax what drops the most: prompts_in, generators, min_responses, near_duplicates or unseen_by",
        )

    prompts = draft.prompts.sort_values("prompt_id", ignore_index=True)
    responses = draft.responses.sort_values(["prompt_id", "response_id"], ignore_index=True)
    generators = responses["family"]
    families = {generator: family_of(name, generator) for generator in spec.generators}
    responses = responses.assign(family=generators.map(families) if families else name)
    annotations = pd.concat([source.annotations for source in sources], ignore_index=True)
    annotations = annotations[annotations["response_id"].isin(responses["response_id"])]
    annotations = annotations.drop_duplicates(["response_id", "annotation"])
    annotations = annotations.sort_values(["response_id", "annotation"], ignore_index=True)
    card = {
        "prompt_set": name,
        "prompts_read": sum(len(source.prompts) for source in sources),
        "responses_read": sum(len(source.responses) for source in sources),
        "prompts": len(prompts),
        "responses": len(responses),
        "sources": _counted(prompts["source"]),
        "generators": _counted(generators),
        "families": {
            family: {"prompts": int(rows["prompt_id"].nunique()), "responses": len(rows)}
            for family, rows in responses.groupby("family")
        },
        "responses_per_prompt": {str(n): count for n, count in _counted(responses["prompt_id"].value_counts()).items()},
        "annotations": _counted(annotations["annotation"]),
        "found_in": {
            suite: {
                "exactly": sum(at == Found(suite, exactly=True) for at in found.values()),
                "nearly": sum(at == Found(suite, exactly=False) for at in found.values()),
            }
            for suite, _ in suites
        },
        "dropped": {"prompts": _counts(draft.dropped_prompts), "responses": _counts(draft.dropped_responses)},
    }
    return PromptSet(prompts, responses, annotations, card)


def _counted(column: pd.Series) -> dict:
    return _counts(Counter(column.tolist()))


def _counts(counter: Counter) -> dict:
    return {key: count for key, count in sorted(counter.items()) if count}


def _same_number(option: str, paths: Sequence[Path], key: str, names: Sequence[str]) -> None:
    if len(paths) != len(names):
        raise InputError(
            option, f"{len(paths)} files for {len(names)} {key}", f"give one for each of the spec's {key}, in order"
        )


def main() -> None:
    parser = cli.parser_of("scripts.sources.curate", __doc__)
    parser.add_argument("--name", required=True, help="the prompt set's name in the configuration")
    parser.add_argument("--spec", type=cli.spec_of(PromptSetSpec), required=True, help="JSON of the prompt_sets entry")
    for option in ("--prompts", "--responses", "--annotations"):
        parser.add_argument(option, type=Path, nargs="+", required=True, help="of the spec's sources, in order")
    parser.add_argument("--unseen", type=Path, nargs="*", default=[], help="prompts of the spec's unseen_by, in order")
    parser.add_argument("--out-prompts", type=Path, required=True)
    parser.add_argument("--out-responses", type=Path, required=True)
    parser.add_argument("--out-annotations", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True)
    arguments = parser.parse_args()

    spec = arguments.spec
    for option in ("prompts", "responses", "annotations"):
        _same_number(f"--{option}", getattr(arguments, option), "sources", spec.sources)
    _same_number("--unseen", arguments.unseen, "unseen_by", spec.unseen_by)
    sources = [
        Source(
            source, read_table(prompts, PROMPTS), read_table(responses, RESPONSES), read_table(annotations, ANNOTATIONS)
        )
        for source, prompts, responses, annotations in zip(
            spec.sources, arguments.prompts, arguments.responses, arguments.annotations, strict=True
        )
    ]
    suites = [(suite, read_table(path, PROMPTS)) for suite, path in zip(spec.unseen_by, arguments.unseen, strict=True)]
    made = curate(arguments.name, spec, sources, suites)
    write_table(made.prompts, arguments.out_prompts, PROMPTS)
    write_table(made.responses, arguments.out_responses, RESPONSES)
    write_table(made.annotations, arguments.out_annotations, ANNOTATIONS)
    write_json(made.card, arguments.card)
    log.info("%s: %d prompts, dropped %s", arguments.name, len(made.prompts), made.card["dropped"]["prompts"])


if __name__ == "__main__":
    cli.run(main)
