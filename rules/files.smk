"""Which files belong together, for rules that need or make more than one.

Needs: the checked configuration (rules/common.smk).
Makes: nothing.
"""

MODEL_FILES = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
]
CLASSIFIER_FILES = [name for name in MODEL_FILES if name != "generation_config.json"]

SUITES = atlas.evaluation.suites
BENCHMARKS = lineage.benchmarks(atlas)
HARNESS = [suite for suite in BENCHMARKS if SUITES[suite].kind == "harness"]
WIN_RATE = of_kind(SUITES, "win_rate")
FIGURE_OF = {"chosen_only": "table2", "gaps": "table3", "on_policy": "table4"}
LENGTH_CONTROL = ["df_gamed.csv", "instruction_difficulty.csv"]

STUDY = atlas.studies.what_matters
TABLES = layout.tables(STUDY) if STUDY else []
TABLE_PAIRS = layout.pairs_of(TABLES, STUDY, atlas.pairs) if STUDY else []
FIGURES = [
    "headline",
    "benchmarks",
    "tier_scores",
    "pair_scores",
    "training_curves",
    "theory",
    *(figure for figure in ["chosen_only", "gaps", "on_policy"] if FIGURE_OF[figure] in TABLES),
]


def local_files(path):
    """A local file, or the files of a local folder, as inputs, so that a change is seen; nothing for a hub id."""
    found = [Path(path), *Path(path).rglob("*")] if path and os.path.exists(path) else []
    return [str(each) for each in sorted(found) if each.is_file()]


def policy_files(policy):
    """All files of a policy; a given one is policy.json alone, which names the model and its hashes."""
    files = [] if policy in of_kind(atlas.policies, "given") else MODEL_FILES
    return [f"results/policies/{policy}/{name}" for name in ["policy.json", *files]]


def scorer_files(scorer):
    """The files of a reward model trained here; none for other scorers."""
    if atlas.scorers[scorer].kind != "scratch":
        return []
    return [f"results/scorers/{scorer}/{name}" for name in ["scorer.json", *CLASSIFIER_FILES]]


def ranker_files(ranker):
    return [f"results/rankers/{ranker}/{name}" for name in ["ranker.json", *CLASSIFIER_FILES]]


def texts_behind(datasets, table):
    """prompts.parquet or responses.parquet of the prompt sets that some pairs datasets draw on; samples are responses."""
    prompt_sets = dict.fromkeys(lineage.prompt_set_behind(atlas, dataset) for dataset in datasets)
    found = [f"results/prompt_sets/{prompt_set}/{table}.parquet" for prompt_set in prompt_sets]
    if table == "responses":
        sets = [name for dataset in datasets for name in lineage.sample_sets_behind(atlas, dataset)]
        found += [samples_of(name, "responses.parquet") for name in dict.fromkeys(sets)]
    return found


def pairs_named(dataset):
    return [f"results/pairs/{dataset}.parquet"] if dataset else []


def sampling_of(sample_set):
    """How a sample set is drawn, as the JSON that the step takes."""
    return atlas.samples[sample_set].model_dump_json(exclude={"policy", "prompt_set", "shards"})


def shards_of(policy, prompt_set, sample_set):
    """The parts of a sample set, in order."""
    shards = atlas.samples[sample_set].shards
    parts = [f"{shard}-of-{shards}" for shard in range(1, shards + 1)]
    return expand(
        f"results/samples/{policy}/{prompt_set}.{sample_set}.{{part}}.parquet", part=parts
    )


def questions_file(suite):
    """The questions of a suite of the didactic world; nothing for others."""
    return [f"results/suites/{suite}/questions.jsonl"] if SUITES[suite].data == "world" else []


def fits_length_control(suite):
    """Whether what length control needs is fitted here: on the didactic world, whose judge nobody has published."""
    return SUITES[suite].data == "world" and not is_paid(suite)


def is_paid(suite):
    """Whether a suite's judge is an LLM behind an API."""
    return SUITES[suite].judge.kind in ("alpaca_eval", "openai")


def judging_texts(suite):
    """What an LLM judge is asked by, where that is a file or folder of one's own."""
    judge = SUITES[suite].judge
    own = {"alpaca_eval": "annotators_config", "openai": "prompt"}
    return local_files(getattr(judge, own[judge.kind])) if judge.kind in own else []


def length_control(suite):
    files = LENGTH_CONTROL if fits_length_control(suite) else []
    return [f"results/suites/{suite}/length_control/{name}" for name in files]


def judging_model(suite):
    """The files of the scorer behind a judge, where it was trained here."""
    judge = SUITES[suite].judge
    return scorer_files(judge.scorer) if judge.kind == "scorer" else []


def judging_flags(suite):
    """The scorer behind a judge, as flags."""
    judge = SUITES[suite].judge
    if judge.kind != "scorer":
        return []
    folder = ["--model-dir", f"results/scorers/{judge.scorer}"] if judging_model(suite) else []
    scorer = atlas.scorers[judge.scorer]
    if getattr(scorer, "backend", None) == "vllm":  # whose environment has no alpaca-eval
        scorer = scorer.model_copy(update={"backend": "transformers", "engine": None})
    return ["--scorer", scorer.model_dump_json(), *folder]


def evaluations(policies):
    """Every measured suite of these policies."""
    return expand("results/evaluations/{policy}/{suite}.json", policy=policies, suite=BENCHMARKS)


def table_runs(*tables):
    """The policies behind the rows of some tables, or of all, the base policy among them."""
    return layout.runs_of(list(tables) or TABLES, STUDY, atlas.pairs) if STUDY else []


def trained_runs():
    return [run for run in table_runs() if run != STUDY.policy] if STUDY else []


def table_specs(*tables):
    """The pairs entries that the layout of some tables, or of all, depends on, as JSON."""
    specs = {}
    for table in (tables or TABLES) if STUDY else []:
        specs |= layout.specs_of(table, STUDY, atlas.pairs)
    return json.dumps({name: entry.model_dump() for name, entry in specs.items()})


def pairs_names():
    """Pairs dataset -> what tables and figures call it."""
    names = layout.names(STUDY, atlas.pairs) if STUDY else {}
    return json.dumps({name: names[name].model_dump() for name in TABLE_PAIRS})


def needs():
    """Of each run behind the tables: its pairs, and the scores that these are made from."""
    return [
        {
            "pairs": f"results/pairs/{dataset}.parquet",
            "scores": [
                f"results/scores/{lineage.scorer_behind(atlas, dataset)}/{family}.parquet"
                for family in lineage.families_behind(atlas, dataset)
            ],
        }
        for dataset in (lineage.Run.parse(run).pairs for run in trained_runs())
    ]


def reference_logprobs():
    """The log-probs that the runs behind the tables take their references from."""
    behind = [
        family for dataset in TABLE_PAIRS for family in lineage.families_behind(atlas, dataset)
    ]
    return [f"results/logprobs/{STUDY.policy}/{family}.parquet" for family in dict.fromkeys(behind)]


def sample_tables():
    """The samples that the tables' pairs may hold."""
    sets = [name for dataset in TABLE_PAIRS for name in lineage.sample_sets_behind(atlas, dataset)]
    return [samples_of(name) for name in dict.fromkeys(sets)]


def samples_a_prompt():
    """Pairs file of each mixture -> the samples a prompt that Algorithm 1 draws."""
    return {
        f"results/pairs/{name}.parquet": atlas.samples[atlas.pairs[name].samples].samples
        for name in TABLE_PAIRS
        if atlas.pairs[name].kind == "mixture"
    }


def study_targets(study):
    """The files that one study ends in."""
    if getattr(atlas.studies, study) is None:
        return []
    tables = expand(
        "results/tables/{study}/{table}.csv",
        study=study,
        table=[*TABLES, "table5", "sharing", "theory"],
    )
    figures = expand(
        "results/figures/{study}/{figure}.{kind}", study=study, figure=FIGURES, kind=["svg", "png"]
    )
    return tables + figures


def drawn(figure):
    """A figure's two files: SVG for pages, PNG for everything else."""
    return [f"results/figures/{figure}.{kind}" for kind in ["svg", "png"]]


def figures_shown():
    """What the page shows of the study's figures."""
    return [f"what_matters/{figure}" for figure in FIGURES]


def world_targets():
    """What the didactic world learns beside the study: other base policies, a reward model, a ranker."""
    if not on_the_world():
        return []
    learnt = of_kind(atlas.scorers, "scratch")
    figures = ["base_policies", *(f"{scorer}_agreement" for scorer in learnt)]
    return [path for figure in figures for path in drawn(f"world/{figure}")] + rankings()


def learned_cards():
    """The cards of the reward models trained here that score the study's pairs or judge its suites."""
    asked = {lineage.scorer_behind(atlas, dataset) for dataset in TABLE_PAIRS}
    judges = [SUITES[suite].judge for suite in BENCHMARKS if suite in WIN_RATE]
    asked |= {judge.scorer for judge in judges if judge.kind == "scorer"}
    return [
        f"results/scorers/{name}/scorer.json"
        for name in of_kind(atlas.scorers, "scratch")
        if name in asked
    ]


def on_the_world():
    return bool(STUDY) and all(atlas.sources[source].kind == "world" for source in sources_used())


def rankings():
    """Each ranker's word on the pairs it could have learnt from."""
    return [
        f"results/rankings/{ranker}/{dataset}.parquet"
        for ranker in atlas.rankers
        for dataset in atlas.rankers[ranker].pairs
    ]


def table_tiers():
    """One tiers file a prompt set and scorer of the tables' pairs."""
    tiered = [atlas.pairs[name] for name in TABLE_PAIRS if atlas.pairs[name].kind == "tiers"]
    return list(
        dict.fromkeys(f"results/tiers/{pairs.prompt_set}.{pairs.scorer}" for pairs in tiered)
    )


def prompt_sets_used():
    return list(dict.fromkeys(dataset.prompt_set for dataset in STUDY.datasets)) if STUDY else []


def titles():
    return [dataset.name for dataset in STUDY.datasets] if STUDY else []


def all_scores(scorer):
    return [
        f"results/scores/{scorer}/{family}.parquet"
        for prompt_set in prompt_sets_used()
        for family in families(prompt_set)
    ]


def sources_used():
    return list(
        dict.fromkeys(
            source for name in prompt_sets_used() for source in atlas.prompt_sets[name].sources
        )
    )
