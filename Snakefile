"""prefatlas: from raw preference data to the papers' tables.

`snakemake --cores 2` makes results/report.html and all it shows, as config.yaml says. Lay another study over
it with `--configfile studies/<name>.yaml`.
"""

from snakemake.utils import min_version

min_version("9.27.1")


include: "rules/reading.smk"


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/files.smk"
include: "rules/sources.smk"
include: "rules/scores.smk"
include: "rules/pairs.smk"
include: "rules/samples.smk"
include: "rules/logprobs.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/studies.smk"
include: "rules/report.smk"
include: "rules/planning.smk"
include: "rules/plan.smk"
include: "rules/versioning.smk"


localrules:
    all,
    plan,
    what_matters,
    world,


rule all:
    """Everything that the configuration asks for."""
    default_target: True
    input:
        "results/report.html",
        "results/claims.csv",
        "results/metrics.json",
        study_targets("what_matters"),


rule what_matters:
    """The tables and figures of "What Matters in Data for DPO?"."""
    input:
        study_targets("what_matters"),


rule world:
    """What the didactic world has beside the study: base policies of three strengths, a reward model, a ranker."""
    input:
        world_targets(),


# What the display of progress calls the rules by, now that all are known.
os.environ.update(PREFATLAS_PHASES=json.dumps(phases(workflow.rules)))
