"""Makes a prompt set: merges sources; drops evaluation prompts, near-duplicates, and prompts with few responses.

In this order: sources are merged, a text belonging to the first source that has it; prompts missing from any of
``prompts_in`` are dropped; responses of other generators are dropped; then prompts that occur in an evaluation, prompts
with too few responses, near-duplicates of a prompt that is kept (the first source's prompts come first, then by
prompt_id), and everything over the limit. Near-duplicates are removed late, so that no prompt is dropped in favour of
one that is dropped too.

Selection works on ids; texts are read one batch at a time, to be compared and to be written.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib import cli
from scripts.lib.config.sources import PromptSetSpec
from scripts.lib.errors import InputError
from scripts.lib.families import family_of
from scripts.lib.schemas import ANNOTATIONS, PROMPTS, RESPONSES
from scripts.lib.tables import read_batches, read_table, write_json, writing
from scripts.sources.contamination import Found, contaminated, text_of
from scripts.sources.gather import gathered
from scripts.sources.near_duplicates import incidence, repeated, rows_of

log = logging.getLogger(__name__)

BATCH = 2048
"""Prompts whose texts are read at a time."""
ANNOTATED = 1 << 19
"""Annotations read and written at a time."""


@dataclass(frozen=True)
class Stored:
    """The files of a source's or prompt set's tables: PROMPTS, RESPONSES (family: generator), ANNOTATIONS."""

    name: str
    prompts: Path
    responses: Path
    annotations: Path


class Draft:
    """The sources' remaining prompts and responses, by ids, and what was dropped, by reason.

    prompts: (prompt_id, source, split, at, row): ``at`` is the position of the source, ``row`` that of the row in its
    file.
    responses: (prompt, generator, at, row): ``prompt`` is the position in ``prompts``; response_ids: their ids.
    """

    def __init__(self, sources: Sequence[Stored], generators: Sequence[str]) -> None:
        """Merge the sources, a text belonging to the first one with it, and keep the generators (default: all)."""
        self.sources = sources
        self.dropped_prompts: Counter[str] = Counter()
        self.dropped_responses: Counter[str] = Counter()
        parts = [read_table(source.prompts, PROMPTS, ["prompt_id", "source", "split"]) for source in sources]
        self.prompts_read = sum(map(len, parts))
        self.prompts = _placed(parts).drop_duplicates("prompt_id", ignore_index=True)
        self.dropped_prompts["in_an_earlier_source"] += self.prompts_read - len(self.prompts)
        self.left = np.ones(len(self.prompts), dtype=bool)
        parts, ids, known = [], [], pa.array(self.prompts["prompt_id"], pa.string())
        for source in sources:
            part = read_table(source.responses, RESPONSES, ["response_id", "prompt_id", "family"])
            of = pc.index_in(pa.array(part["prompt_id"], pa.string()), value_set=known)
            if of.null_count:
                row = pc.index(of.is_null(), True).as_py()
                raise InputError(
                    f"{source.responses}, row {row}",
                    f"responds to {part['prompt_id'].iloc[row]}, which {source.prompts} does not have",
                    "delete the source's tables and run snakemake again",
                )
            ids.append(pa.array(part["response_id"], pa.string()))
            parts.append(pd.DataFrame({"prompt": of.to_numpy(), "generator": part["family"].astype("category")}))
        self.responses_read = sum(map(len, parts))
        every = sorted(set().union(*(part["generator"].cat.categories for part in parts)))
        for part in parts:
            part["generator"] = part["generator"].cat.set_categories(every)
        self.responses, self.response_ids = _placed(parts), pa.chunked_array(ids)
        if generators:
            if strangers := [generator for generator in generators if generator not in every]:
                raise InputError(
                    f"sources {', '.join(source.name for source in sources)}",
                    f"no response by {', '.join(strangers)}",
                    f"choose generators from {', '.join(every)}",
                )
            ours = self.responses["generator"].isin(generators).to_numpy()
            self.dropped_responses["other_generator"] += int((~ours).sum())
            self._keep(ours)
        codes = self.response_ids.combine_chunks().dictionary_encode().indices.to_numpy()
        again = pd.Series(codes).duplicated().to_numpy()
        self.dropped_responses["in_an_earlier_source"] += int(again.sum())
        self._keep(~again)

    def _keep(self, mask: np.ndarray) -> None:
        self.responses = self.responses[mask].reset_index(drop=True)
        self.response_ids = self.response_ids.filter(pa.array(mask))

    def drop(self, prompts: np.ndarray, reason: str) -> None:
        """Drop prompts, given by position, and their responses."""
        gone = np.zeros(len(self.prompts), dtype=bool)
        gone[prompts] = True
        self.left &= ~gone
        theirs = gone[self.responses["prompt"]]
        self.dropped_prompts[reason] += int(gone.sum())
        self.dropped_responses[reason] += int(theirs.sum())
        self._keep(~theirs)

    def ids(self) -> pd.Series:
        """The ids of the remaining prompts, by position."""
        return self.prompts.loc[self.left, "prompt_id"]

    def texts(self) -> Iterator[str]:
        """The texts of the remaining prompts, in order."""
        for at, source in enumerate(self.sources):
            rows = self.prompts.loc[self.left & (self.prompts["at"] == at), "row"].to_numpy()
            first = 0
            for batch in read_batches(source.prompts, PROMPTS, ["prompt"], rows=BATCH):
                here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + len(batch))] - first
                yield from (text_of(prompt) for prompt in batch.column("prompt").take(pa.array(here)).to_pylist())
                first += len(batch)

    def not_everywhere(self, places: Sequence[int]) -> np.ndarray:
        """Prompts missing from at least one of these sources."""
        missing = np.zeros(len(self.prompts), dtype=bool)
        for at in places:
            theirs = read_table(self.sources[at].prompts, PROMPTS, ["prompt_id"])["prompt_id"]
            missing |= ~self.prompts["prompt_id"].isin(theirs).to_numpy()
        return np.flatnonzero(missing)

    def too_few_responses(self, least: int) -> np.ndarray:
        """Prompts with fewer than ``least`` responses."""
        counts = np.bincount(self.responses["prompt"], minlength=len(self.prompts))
        return np.flatnonzero(self.left & (counts < least))

    def near_duplicates(self, threshold: float) -> np.ndarray:
        """Prompts similar to one from an earlier source, or to one from the same source with a lower id."""
        places = np.flatnonzero(self.left)
        order = self.prompts.iloc[places].reset_index().sort_values(["at", "prompt_id"]).index.to_numpy()
        again = repeated(rows_of(incidence(self.texts()), order), threshold)
        return places[order[list(again)]]

    def over_limit(self, limit: int) -> np.ndarray:
        """All prompts except the ``limit`` lowest ids."""
        return self.ids().sort_values().index[limit:].to_numpy()


def _placed(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The parts concatenated, each row with the position of its part and its own position in it."""
    placed = [part.assign(at=np.int16(at), row=np.arange(len(part))) for at, part in enumerate(parts)]
    return pd.concat(placed, ignore_index=True)


def curate(
    name: str,
    spec: PromptSetSpec,
    sources: Sequence[Stored],
    suites: Sequence[tuple[str, pd.DataFrame]],
    out: Stored,
) -> dict:
    """Write a prompt set from sources, without prompts of suites (name, PROMPTS); returns its card.

    sources: in the order of ``spec.sources``. The card accounts for everything read: ``prompts_read == prompts +
    sum(dropped["prompts"].values())``, and likewise for responses. Raises InputError if nothing is left or a generator
    has no response.
    """
    draft = Draft(sources, spec.generators)
    everywhere = [at for at, source in enumerate(sources) if source.name in spec.prompts_in]
    draft.drop(draft.not_everywhere(everywhere), "not_in_all_of_prompts_in")
    ids = draft.ids()
    found = contaminated(ids.tolist(), draft.texts(), suites, spec.near_duplicates)
    for exactly, reason in ((True, "in_an_evaluation"), (False, "nearly_in_an_evaluation")):
        there = [its_id for its_id, at in found.items() if at.exactly == exactly]
        draft.drop(ids.index[ids.isin(there)].to_numpy(), reason)
    draft.drop(draft.too_few_responses(spec.min_responses), "too_few_responses")
    if spec.near_duplicates is not None:
        draft.drop(draft.near_duplicates(spec.near_duplicates), "near_duplicate")
    if spec.limit is not None:
        draft.drop(draft.over_limit(spec.limit), "over_limit")
    if not draft.left.any():
        raise InputError(
            f"prompt set {name}",
            f"no prompt is left; dropped: {_counts(draft.dropped_prompts)}",
            "relax what drops the most: prompts_in, generators, min_responses, near_duplicates or unseen_by",
        )

    prompts = draft.prompts[draft.left].sort_values("prompt_id")
    families = {generator: family_of(name, generator) for generator in spec.generators}
    responses = _write_texts(name, draft, prompts, families, sources, out)
    annotations = _write_annotations(sources, draft.response_ids, out.annotations)
    per_prompt = np.bincount(draft.responses["prompt"], minlength=len(draft.prompts))
    by_family = responses.groupby("family")["prompt"]
    return {
        "prompt_set": name,
        "prompts_read": draft.prompts_read,
        "responses_read": draft.responses_read,
        "prompts": len(prompts),
        "responses": len(responses),
        "sources": _counts(Counter(prompts["source"].value_counts().to_dict())),
        "generators": _counts(Counter(responses["generator"].value_counts().to_dict())),
        "families": {family: {"prompts": int(rows.nunique()), "responses": len(rows)} for family, rows in by_family},
        "responses_per_prompt": {
            str(n): count for n, count in _counts(Counter(per_prompt[per_prompt > 0].tolist())).items()
        },
        "annotations": annotations,
        "found_in": {
            suite: {
                "exactly": sum(at == Found(suite, exactly=True) for at in found.values()),
                "nearly": sum(at == Found(suite, exactly=False) for at in found.values()),
            }
            for suite, _ in suites
        },
        "dropped": {"prompts": _counts(draft.dropped_prompts), "responses": _counts(draft.dropped_responses)},
    }


def _write_texts(
    name: str,
    draft: Draft,
    prompts: pd.DataFrame,
    families: dict[str, str],
    sources: Sequence[Stored],
    out: Stored,
) -> pd.DataFrame:
    """Write prompts and responses, both sorted by id; returns the responses' positions, each with its family.

    families: generator -> family; if empty, all responses are one family, named after the prompt set.
    """
    with writing(out.prompts, PROMPTS) as written:
        for part, _ in gathered([source.prompts for source in sources], PROMPTS, prompts):
            written.write(part)
    rank = np.zeros(len(draft.prompts), dtype=np.int64)
    rank[prompts.index] = np.arange(len(prompts))
    order = pc.sort_indices(
        pa.table({"prompt": rank[draft.responses["prompt"]], "id": draft.response_ids}),
        sort_keys=[("prompt", "ascending"), ("id", "ascending")],
    )
    responses = draft.responses.iloc[order.to_numpy()]
    family = responses["generator"].map(families).astype("str") if families else None
    with writing(out.responses, RESPONSES) as written:
        for part, here in gathered([source.responses for source in sources], RESPONSES, responses):
            names = pa.array(family.iloc[here]) if families else pa.repeat(name, len(part))
            written.write(part.set_column(part.schema.get_field_index("family"), "family", names))
    return responses.assign(family=family if families else name)


def _write_annotations(sources: Sequence[Stored], kept: pa.ChunkedArray, out: Path) -> dict[str, int]:
    """Write the kept responses' annotations, of equal ones the first source's; returns the count of each name."""
    ids = kept.take(pc.sort_indices(kept)).combine_chunks()
    names: dict[str, int] = {}
    of, name, score = [np.empty(0, np.int32)], [np.empty(0, np.int32)], [np.empty(0)]
    for source in sources:
        for batch in read_batches(source.annotations, ANNOTATIONS, rows=ANNOTATED):
            batch = batch.append_column("of", pc.index_in(batch["response_id"], value_set=ids))
            batch = batch.filter(pc.is_valid(batch["of"]))
            coded = batch["annotation"].combine_chunks().dictionary_encode()
            codes = np.array([names.setdefault(each, len(names)) for each in coded.dictionary.to_pylist()], np.int32)
            of.append(batch["of"].to_numpy())
            name.append(codes[coded.indices.to_numpy()] if len(batch) else np.empty(0, np.int32))
            score.append(batch["score"].to_numpy())
    of, name, score = np.concatenate(of), np.concatenate(name), np.concatenate(score)
    spelt = sorted(names)
    name = np.argsort([names[each] for each in spelt]).astype(np.int32)[name] if names else name
    order = np.lexsort((name, of))  # stable: the first source comes first
    of, name, score = of[order], name[order], score[order]
    first = np.r_[True, (of[1:] != of[:-1]) | (name[1:] != name[:-1])][: len(of)]
    of, name, score = of[first], name[first], score[first]
    labels = pa.array(spelt, pa.string())
    with writing(out, ANNOTATIONS) as written:
        for start in range(0, len(of), ANNOTATED):
            here = slice(start, start + ANNOTATED)
            columns = [ids.take(pa.array(of[here])), labels.take(pa.array(name[here])), pa.array(score[here])]
            written.write(pa.table(columns, names=list(ANNOTATIONS.columns)))
    counts = np.bincount(name, minlength=len(spelt))
    return {label: int(count) for label, count in zip(spelt, counts, strict=True) if count}


def _counts(counter: Counter) -> dict:
    return {key: int(count) for key, count in sorted(counter.items()) if count}


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
    paths = zip(spec.sources, arguments.prompts, arguments.responses, arguments.annotations, strict=True)
    sources = [Stored(*each) for each in paths]
    suites = [(suite, read_table(path, PROMPTS)) for suite, path in zip(spec.unseen_by, arguments.unseen, strict=True)]
    out = Stored(arguments.name, arguments.out_prompts, arguments.out_responses, arguments.out_annotations)
    card = curate(arguments.name, spec, sources, suites, out)
    write_json(card, arguments.card)
    log.info("%s: %d prompts, dropped %s", arguments.name, card["prompts"], card["dropped"]["prompts"])


if __name__ == "__main__":
    cli.run(main)
