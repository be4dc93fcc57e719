"""Paths of files by the configuration, for rules that need or make several files."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from snakemake.io import contains_wildcard

from scripts.lib import lineage
from scripts.lib.config.behind import entry_of, model_behind
from scripts.lib.config.endpoints import Endpoint, Paid
from scripts.lib.config.root import AtlasConfig
from scripts.lib.errors import InputError

CLASSIFIER = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
"""The files of a reward model or ranker, besides its card: lib/classifiers.py's, without importing torch."""
MODEL = [CLASSIFIER[0], "generation_config.json", *CLASSIFIER[1:]]
"""The files of a trained policy, besides policy.json: lib/models.py's, without importing torch."""


def of_kind(section: Mapping[str, Any], *kinds: str) -> list[str]:
    """The entries of a section of the configuration that are of the given kinds."""
    return [name for name, entry in section.items() if entry.kind in kinds]


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint that matches only these names."""
    return "|".join(names) or "(?!)"


def each_below_its_own(names: Mapping[str, Iterable[str]]) -> str:
    """A wildcard constraint that matches each folder's own names, directly below a folder of that name."""
    return one_of(rf"(?<=/{folder}/)({one_of(of_it)})" for folder, of_it in names.items())


def spec(section: Mapping[str, Any], name: str) -> str:
    """One entry of the configuration, as JSON for a step. Threads are no trigger: Snakemake passes them on."""
    return section[name].model_dump_json(exclude={"threads"})


def local_files(path: str | None) -> list[str]:
    """A local file, or the files in a local folder, as inputs, so that changes are noticed; empty for a hub id.

    Links to folders are followed; hidden files, which nothing reads, are left out. Raises InputError for a path that
    Snakemake would take for a pattern.
    """
    if not path or not os.path.exists(path):
        return []
    found = [_as_input(path)] if os.path.isfile(path) else sorted(_files_below(_as_input(path)))
    if patterns := [each for each in found if contains_wildcard(each)]:
        raise InputError(patterns[0], "Snakemake takes {...} in a path for a wildcard", "rename it without braces")
    return found


def _as_input(path: str) -> str:
    """The path in one spelling: relative below this folder, without the detours of ``.``, ``..`` and ``//``."""
    plain = os.path.normpath(path)
    if os.path.realpath(plain) != os.path.realpath(path):  # a .. after a link leaves the link's target
        plain = os.path.realpath(path)
    below = os.path.relpath(plain)
    return below if not below.startswith(os.pardir) else plain


def _files_below(folder: str) -> Iterator[str]:
    entered = set()
    for at, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(at)) in entered:  # links can lead in circles
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(at, name) for name in names if not name.startswith("."))


def python_for(gpus: int) -> str:
    """The command to run a module in one process, or in several, each with its own GPU if there are any."""
    if gpus < 2:
        return "python -m"
    # Without the last "--", torchrun takes the step's options for abbreviations of its own.
    several = f"python -m torch.distributed.run --standalone --nproc-per-node {gpus} -m --"
    return f"python -m scripts.lib.devices --count {gpus} -- {several}"


def inference_environment(entry: Any) -> str:
    """The environment of a step that runs a model forward, relative to a rules file."""
    return "../envs/vllm.yaml" if getattr(entry, "backend", None) == "vllm" else "../envs/train.yaml"


class Files:
    """The paths of one configuration's files."""

    def __init__(self, atlas: AtlasConfig) -> None:
        self.atlas = atlas

    # Policies and the small models trained here

    def policy(self, policy: str) -> list[str]:
        """All files of a policy or run; a given policy has only policy.json, which names the model and its hashes."""
        files = [] if policy in of_kind(self.atlas.policies, "given") else MODEL
        return [f"results/policies/{policy}/{name}" for name in ["policy.json", *files]]

    def scorer(self, scorer: str) -> list[str]:
        """The files of a reward model trained here; empty for other scorers."""
        if self.atlas.scorers[scorer].kind != "scratch":
            return []
        return [f"results/scorers/{scorer}/{name}" for name in ["scorer.json", *CLASSIFIER]]

    def own_list(self, dataset: str) -> str | None:
        """The list of pairs that a dataset goes without; None for a list that the workflow makes."""
        drop = self.pairs_of(dataset).drop
        return None if drop.startswith("results/") else drop

    def scorer_paths(self, scorer: str | None) -> list[str]:
        """Where a scorer's model is that is not trained here, or the solutions that it knows."""
        entry = self.atlas.scorers.get(scorer)
        model = None if isinstance(entry, Endpoint) else getattr(entry, "model", None)
        paths = [model, *(each.path for each in getattr(entry, "solutions", []))]
        return [path for path in paths if path]

    def verdicts(self, scorer: str | None) -> list[str]:
        """The flag for the folder of an LLM's answers; empty for scorers that are free."""
        return ["--verdicts", "cache/verdicts"] if isinstance(self.atlas.scorers.get(scorer), Paid) else []

    def scorer_data(self, scorer: str) -> list[str]:
        """The local ones of these files."""
        return [file for path in self.scorer_paths(scorer) for file in local_files(path)]

    def ranker(self, ranker: str) -> list[str]:
        """The files of a ranker: trained here, or in a local folder; empty for a hub id."""
        entry = self.atlas.rankers[ranker]
        if entry.kind != "scratch":
            return local_files(entry.model)
        return [f"results/rankers/{ranker}/{name}" for name in ["ranker.json", *CLASSIFIER]]

    def ranker_path(self, ranker: str | None) -> str | None:
        """Where a ranker that is not trained here comes from."""
        return getattr(self.atlas.rankers.get(ranker), "model", None)

    def ranker_folder(self, ranker: str) -> list[str]:
        """The flag for the folder of a ranker trained here."""
        return ["--model-dir", f"results/rankers/{ranker}"] if self.atlas.rankers[ranker].kind == "scratch" else []

    def variants(self, *, online: bool) -> list[str]:
        """The training variants that are online, or those that are not."""
        training = self.atlas.training
        return [name for name in training.variants if (training.variant(name).online is not None) == online]

    def training_scorer(self, variant: str) -> str | None:
        """What scores a policy's samples during runs of a variant, if anything does."""
        online = self.atlas.training.variant(variant).online
        return online.scorer if online else None

    def training_scorer_files(self, variant: str) -> list[str]:
        """The files of it: a reward model, or the solutions that it knows."""
        name = self.training_scorer(variant)
        return [*self.scorer(name), *self.scorer_data(name)] if name else []

    def training_scorer_flags(self, variant: str) -> list[str]:
        """The flags for it."""
        name = self.training_scorer(variant)
        if not name:
            return []
        folder = ["--model-dir", f"results/scorers/{name}"] if self.scorer(name) else []
        return ["--scorer", spec(self.atlas.scorers, name), *folder]

    def root_of(self, policy: str) -> Any:
        """The configuration's entry of the model at the beginning of a lineage."""
        return model_behind(self.atlas, policy)

    # Families: their prompts, responses and scores

    def families(self, prompt_set: str) -> list[str]:
        return lineage.families_of(self.atlas, prompt_set)

    def is_sampled(self, family: str) -> bool:
        """Whether a family is a sample set's rather than a generator's."""
        prompt_set, _, name = lineage.without_start(family).partition(".")
        return name in self.atlas.samples and self.atlas.samples[name].prompt_set == prompt_set

    def samples(self, family: str, table: str = "parquet") -> str:
        """The samples of a sample set's family; with "responses.parquet", its distinct responses."""
        return f"results/samples/{lineage.sampled_policy(self.atlas, family)}/{family}.{table}"

    def samples_for(self, sample_set: str, start: str | None, table: str = "parquet") -> str:
        """As samples(), for a sample set and a start."""
        return self.samples(lineage.sampled_family(self.atlas, sample_set, start), table)

    def sampled_family(self, sample_set: str, start: str | None) -> str:
        return lineage.sampled_family(self.atlas, sample_set, start)

    def sample_set(self, sample_set: str) -> Any:
        """The configuration's entry of a sample set, whatever its start."""
        return self.atlas.samples[lineage.without_start(sample_set)]

    def sample_sets(self, *, sharded: bool) -> str:
        """A wildcard constraint for the sample sets that are drawn in shards, or for those drawn in one job."""
        names = [name for name, entry in self.atlas.samples.items() if (entry.shards > 1) == sharded]
        return rf"({one_of(names)})(@.+)?"

    def sampling(self, sample_set: str) -> str:
        """How a sample set is drawn, as JSON for the step."""
        return self.sample_set(sample_set).model_dump_json(exclude={"policy", "prompt_set", "shards", "limit"})

    def limit_of(self, sample_set: str) -> str:
        """The flag for the number of prompts that a sample set answers, if not all."""
        limit = self.sample_set(sample_set).limit
        return f"--limit {limit}" if limit else ""

    def watched(self, dataset: str, start: str) -> list[str]:
        """The samples of a start of which a run on a pairs dataset watches some, if any."""
        samples = lineage.watched_samples(self.atlas, dataset)
        return [self.samples_for(samples, start, "responses.parquet")] if samples else []

    def prompts(self, family: str) -> str:
        return f"results/prompt_sets/{family.split('.')[0]}/prompts.parquet"

    def responses(self, family: str) -> str:
        """The responses table that contains a family."""
        if self.is_sampled(family):
            return self.samples(family, "responses.parquet")
        return f"results/prompt_sets/{family.split('.')[0]}/responses.parquet"

    def annotations(self, family: str) -> str:
        return f"results/prompt_sets/{family.split('.')[0]}/annotations.parquet"

    def scores(self, scorer: str, families: Iterable[str]) -> list[str]:
        return [f"results/scores/{scorer}/{family}.parquet" for family in families]

    def shards(self, policy: str, prompt_set: str, sample_set: str) -> list[str]:
        """The parts of a sample set, in order."""
        of = self.atlas.samples[lineage.without_start(sample_set)].shards
        family = f"{prompt_set}.{sample_set}"
        return [f"results/samples/{policy}/{family}.{shard}-of-{of}.parquet" for shard in range(1, of + 1)]

    # Pairs: what they are made from, and their texts

    def pairs_of(self, dataset: str) -> Any:
        """The configuration's entry of a pairs dataset, whatever its start and draw."""
        return entry_of(self.atlas, lineage.without_start(dataset))

    def pairs_of_kind(self, kind: str) -> str:
        """A wildcard constraint for the pairs datasets of a kind, with any start."""
        return rf"({one_of(of_kind(self.atlas.pairs, kind))})(@.+)?"

    def preferences(self, dataset: str) -> list[str]:
        """The preferences of the sources behind a labelled pairs dataset."""
        pairs = self.atlas.pairs[dataset]
        sources = pairs.sources or self.atlas.prompt_sets[pairs.prompt_set].sources
        return [f"results/data/{source}/preferences.parquet" for source in sources]

    def ranked_responses(self, dataset: str) -> str:
        """The responses from which a ranked pairs dataset draws two per prompt."""
        pairs = self.pairs_of(dataset)
        if pairs.samples:
            return self.samples_for(pairs.samples, pairs.of or lineage.start_in(dataset), "responses.parquet")
        return f"results/prompt_sets/{pairs.prompt_set}/responses.parquet"

    def ranking_model(self, dataset: str) -> list[str]:
        """The files of the ranker behind a ranked pairs dataset, if it uses one."""
        pairs = self.pairs_of(dataset)
        return self.ranker(pairs.ranker) if pairs.ranker else []

    def ranking_flags(self, dataset: str) -> list[str]:
        """The flags for the ranker or the scores behind a ranked pairs dataset."""
        pairs = self.pairs_of(dataset)
        if not pairs.ranker:
            return ["--scores", *self.scores_behind(dataset)]
        return [
            *("--ranker-spec", spec(self.atlas.rankers, pairs.ranker)),
            *self.ranker_folder(pairs.ranker),
            *("--prompts", *self.prompts_behind([lineage.without_start(dataset)])),
        ]

    def named_pairs(self, dataset: str | None, start: str | None = None) -> list[str]:
        """The file of a configured pairs dataset, for a start if it depends on one; empty without a name."""
        if not dataset:
            return []
        return [f"results/pairs/{lineage.pairs_for(self.atlas, dataset, start) if start else dataset}.parquet"]

    def scores_behind(self, dataset: str) -> list[str]:
        """The scores that a pairs dataset is made from."""
        name, start = lineage.without_start(dataset), lineage.start_in(dataset)
        scorer = lineage.scorer_behind(self.atlas, name)
        return self.scores(scorer, lineage.scored_families(self.atlas, name, start)) if scorer else []

    def references(self, dataset: str, start: str) -> list[str]:
        """The log-probs, under a start, of every response that a pairs dataset may contain."""
        families = lineage.families_behind(self.atlas, dataset, start)
        return [f"results/logprobs/{start}/{family}.parquet" for family in families]

    def prompts_behind(self, datasets: Sequence[str]) -> list[str]:
        """The prompts behind some pairs datasets."""
        return [f"results/prompt_sets/{name}/prompts.parquet" for name in self.prompt_sets_behind(datasets)]

    def responses_behind(self, datasets: Sequence[str], start: str | None = None) -> list[str]:
        """The responses behind some pairs datasets: of prompt sets, and of sample sets for a start."""
        held = [each for each in datasets if lineage.holds_prompt_set(self.atlas, each)]
        sets = [name for each in datasets for name in lineage.sample_sets_behind(self.atlas, each)]
        return [
            *(f"results/prompt_sets/{name}/responses.parquet" for name in self.prompt_sets_behind(held)),
            *(self.samples_for(name, start, "responses.parquet") for name in dict.fromkeys(sets)),
        ]

    def prompt_sets_behind(self, datasets: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(lineage.prompt_set_behind(self.atlas, each) for each in datasets))
