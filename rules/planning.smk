"""What the plan counts, for rules/plan.smk: every output of the study that a model works for.

Needs: the checked configuration (rules/common.smk), and which files belong together (rules/files.smk).
Makes: nothing.
"""


def counted(family):
    """What a family's responses are counted by: themselves, or the prompts that a policy is yet to answer."""
    if name := sampled(family):
        return {"of": f"{prompt_set_of(family)}/prompts", "times": atlas.samples[name].samples}
    return {"of": family}


def work_of(kind, path):
    """Work on the family that a file of scores or log-probs is named after."""
    return {"kind": kind, "out": path} | counted(Path(path).name.removesuffix(".parquet"))


def scoring():
    asked = [path for need in needs() for path in need["scores"]]
    return [
        work_of("score", path) | {"separate": asked.count(path)} for path in dict.fromkeys(asked)
    ]


def sampling(runs):
    """For pairs, where a run by itself would sample the prompts it replaces; and for win rates."""
    mixed = [
        (run, atlas.pairs[run.pairs]) for run in runs if atlas.pairs[run.pairs].kind == "mixture"
    ]
    sets = list(dict.fromkeys(entry.samples for _, entry in mixed))
    for_pairs = [
        {
            "kind": "sample",
            "out": samples_of(name),
            "separate": sum(entry.ratio for _, entry in mixed if entry.samples == name),
        }
        | counted(lineage.sampled_family(atlas, name))
        for name in sets
    ]
    suites = [suite for suite in BENCHMARKS if suite in WIN_RATE]
    return for_pairs + [
        {
            "kind": "sample",
            "out": f"results/samples/{policy}/{suite}.parquet",
            "of": f"{suite}/prompts",
        }
        for policy in table_runs()
        for suite in suites
    ]


def training(run):
    variant = atlas.training.variant(run.variant)
    return {
        "kind": "train",
        "out": f"results/training/{run.name}.parquet",
        "of": f"{lineage.prompt_set_behind(atlas, run.pairs)}/prompts",
        "times": variant.epochs,
    }


def asking():
    """One job a policy asks the questions of all suites of lm-eval."""
    return [
        {
            "kind": "ask",
            "out": f"results/evaluations/{policy}/{suite}.json",
            "of": f"{suite}/prompts",
            "length": 1 + SUITES[suite].shots,
            "share": 1 / len(HARNESS),
        }
        for policy in table_runs()
        for suite in HARNESS
    ]


def planned_jobs():
    """Every output of the study that a model works for, as scripts/studies/plan.py takes it."""
    runs = [lineage.Run.parse(run) for run in trained_runs()]
    references = [work_of("logprobs", path) for path in reference_logprobs()]
    trained = [training(run) for run in runs]
    return scoring() + sampling(runs) + references + trained + asking()


def counted_sets():
    """The folders of the prompt sets behind the study."""
    sets = dict.fromkeys(lineage.prompt_set_behind(atlas, dataset) for dataset in TABLE_PAIRS)
    return [f"results/prompt_sets/{name}" for name in sets]


def counted_suites(of=BENCHMARKS):
    """The folders of its suites, of some kind or of all."""
    return [f"results/suites/{name}" for name in BENCHMARKS if name in of]
