"""What the spine asks of the study: its page, and its section of the report."""

import json

from scripts.lib.config.scorers import AnnotationScorer
from scripts.lib.lineage import families_behind, prompt_set_behind, sampled_family
from scripts.lib.study import Step, Study, Work
from studies.preflight import layout
from studies.preflight.config import Config


class Room(Study):
    """A pairs dataset before it is trained on."""

    title = "What will this preference data do?"
    spec: Config

    @property
    def lead(self) -> str:
        models = [f"the {kind} {name}" for kind in ("scorer", "policy") if (name := getattr(self.spec, kind))]
        return f"{self.spec.pairs}, by its text{''.join(f', by {model}' for model in models)}."

    @property
    def work(self) -> list[Work]:
        """Samples, scores and log-probs of the families, and one forward of either side of every pair for overlap."""
        policy, scorer = self.spec.policy, self.spec.scorer
        found = [Work("sample", f"results/samples/{policy}/{each}.parquet", each) for each in self.own]
        found += [Work("score", f"results/scores/{scorer}/{each}.parquet", each) for each in self.judged]
        if policy:
            families = [*self.families, *self.own]
            found += [Work("logprobs", f"results/logprobs/{policy}/{each}.parquet", each) for each in families]
            found += [Work("logprobs", layout.overlap(self.spec), f"{self.prompt_set}/prompts", times=2)]
        return found

    @property
    def made(self) -> list[str]:
        return [layout.PAGE, layout.SUMMARY, f"{layout.folder(self.spec)}/drop.parquet"]

    @property
    def section(self) -> Step:
        return Step("studies.preflight.section", [layout.SUMMARY], ["--summary", layout.SUMMARY])

    @property
    def findings(self) -> list[str]:
        return layout.findings(self.spec)

    @property
    def measures(self) -> list[str]:
        return layout.measures(self.spec)

    @property
    def rows(self) -> str:
        return f"{layout.folder(self.spec)}/rows.parquet"

    @property
    def advice(self) -> str:
        return f"{layout.folder(self.spec)}/advice.json"

    @property
    def sources(self) -> list[str]:
        """The sources of the dataset's prompts, by their names."""
        return self.atlas.prompt_sets[self.prompt_set].sources

    @property
    def prompt_set(self) -> str:
        return prompt_set_behind(self.atlas, self.spec.pairs)

    @property
    def labelled(self) -> list[str]:
        """The dataset, if it is the labels that came with its sources."""
        return [self.spec.pairs] if self.atlas.pairs[self.spec.pairs].kind == "labelled" else []

    @property
    def counting(self) -> list[str]:
        """The policy whose tokenizer counts tokens, if there is one."""
        return [self.spec.policy] if self.spec.policy else []

    @property
    def max_length(self) -> int:
        """The tokens at which training cuts."""
        return self.spec.max_length or self.atlas.training.max_length

    @property
    def families(self) -> list[str]:
        """The families whose responses the pairs may hold."""
        return families_behind(self.atlas, self.spec.pairs, self.spec.policy)

    @property
    def own(self) -> list[str]:
        """The family of the policy's own samples, if there is one."""
        return [sampled_family(self.atlas, self.spec.samples, self.spec.policy)] if self.spec.samples else []

    @property
    def judged(self) -> list[str]:
        """Of all these the families that the scorer scores: what came with the data says nothing of samples."""
        if not self.spec.scorer:
            return []
        came_with_data = isinstance(self.atlas.scorers[self.spec.scorer], AnnotationScorer)
        return [*self.families, *([] if came_with_data else self.own)]

    @property
    def named(self) -> str:
        """The entries that recommendations name, as JSON (studies/preflight/advice/recommend.py)."""
        entries = {"pairs": self.spec.pairs, "prompt_set": self.prompt_set}
        entries |= {key: getattr(self.spec, key) for key in ("scorer", "samples")}
        return json.dumps(entries)
