"""What the spine asks of the study: its page, and its section of the report."""

import json

from scripts.lib.config.scorers import AnnotationScorer
from scripts.lib.lineage import families_behind, prompt_set_behind, sampled_family
from scripts.lib.study import Step, Study, Work
from studies.preflight import layout
from studies.preflight.config import Config


class Room(Study):
    """A pairs dataset before it is trained on.

    The page is of the dataset that the configuration names. What takes a ``dataset`` is of any: one of kind ``without``
    may take another one's drop list.
    """

    title = "What will this preference data do?"
    spec: Config

    @property
    def lead(self) -> str:
        models = [f"the {kind} {name}" for kind in ("scorer", "policy") if (name := getattr(self.spec, kind))]
        return f"{self.spec.pairs}, by its text{''.join(f', by {model}' for model in models)}."

    @property
    def work(self) -> list[Work]:
        """Samples, scores and log-probs of the families, and one forward of either side of every pair for overlap."""
        policy, scorer, pairs = self.spec.policy, self.spec.scorer, self.spec.pairs
        found = [Work("sample", f"results/samples/{policy}/{each}.parquet", each) for each in self.own]
        found += [Work("score", f"results/scores/{scorer}/{each}.parquet", each) for each in self.judged(pairs)]
        if policy:
            families = [*self.families(pairs), *self.own]
            found += [Work("logprobs", f"results/logprobs/{policy}/{each}.parquet", each) for each in families]
            prompts = f"{prompt_set_behind(self.atlas, pairs)}/prompts"
            found += [Work("logprobs", layout.overlap(pairs), prompts, times=2)]
        return found

    @property
    def made(self) -> list[str]:
        return [layout.PAGE, layout.SUMMARY, f"{layout.folder(self.spec.pairs)}/drop.parquet"]

    @property
    def section(self) -> Step:
        return Step("studies.preflight.section", [layout.SUMMARY], ["--summary", layout.SUMMARY])

    @property
    def rows(self) -> str:
        return f"{layout.folder(self.spec.pairs)}/rows.parquet"

    @property
    def advice(self) -> str:
        return f"{layout.folder(self.spec.pairs)}/advice.json"

    @property
    def counting(self) -> list[str]:
        """The policy whose tokenizer counts tokens, if there is one."""
        return [self.spec.policy] if self.spec.policy else []

    @property
    def max_length(self) -> int:
        """The tokens at which training cuts."""
        return self.spec.max_length or self.atlas.training.max_length

    @property
    def own(self) -> list[str]:
        """The family of the policy's own samples, if there is one."""
        return [sampled_family(self.atlas, self.spec.samples, self.spec.policy)] if self.spec.samples else []

    def findings(self, dataset: str) -> list[str]:
        return layout.findings(self.spec, dataset)

    def measures(self, dataset: str) -> list[str]:
        return layout.measures(self.spec, dataset)

    def sources(self, dataset: str) -> list[str]:
        """The sources of a dataset's prompts, by their names."""
        return self.atlas.prompt_sets[prompt_set_behind(self.atlas, dataset)].sources

    def labelled(self, dataset: str) -> list[str]:
        """The dataset, if it is the labels that came with its sources."""
        return [dataset] if self.atlas.pairs[dataset].kind == "labelled" else []

    def families(self, dataset: str) -> list[str]:
        """The families whose responses the pairs may hold."""
        return families_behind(self.atlas, dataset, self.spec.policy)

    def judged(self, dataset: str) -> list[str]:
        """Of all these the families that the scorer scores: what came with the data says nothing of samples."""
        if not self.spec.scorer:
            return []
        came_with_data = isinstance(self.atlas.scorers[self.spec.scorer], AnnotationScorer)
        return [*self.families(dataset), *([] if came_with_data else self.own)]

    def named(self, dataset: str) -> str:
        """The entries that recommendations name, as JSON (studies/preflight/advice/recommend.py)."""
        entries = {"pairs": dataset, "prompt_set": prompt_set_behind(self.atlas, dataset)}
        entries |= {key: getattr(self.spec, key) for key in ("scorer", "samples")}
        return json.dumps(entries)
