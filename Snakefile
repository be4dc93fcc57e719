"""prefatlas: from raw preference data to the papers' tables.

`snakemake --cores 2` makes results/report.html and everything on it, as config.yaml and the studies that are on say.
`--configfile studies/<study>/<name>.yaml` overlays another configuration; a file with `standalone: true` replaces it.
"""

from snakemake.utils import min_version

min_version("9.27.1")


include: "rules/reading.smk"


for each in defaults:

    configfile: each


include: "rules/common.smk"
include: "rules/sources.smk"
include: "rules/scores.smk"
include: "rules/pairs.smk"
include: "rules/samples.smk"
include: "rules/logprobs.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/studies.smk"
include: "rules/report.smk"
include: "rules/plan.smk"
include: "rules/versioning.smk"


known = {}
for each in room_rules:
    known |= globals()  # in place: one room after another sees the same name

    include: each

    rooms.check(each, known, globals(), workflow.rules)


localrules:
    all,
    plan,
    world,


rule all:
    """Everything that the configuration asks for."""
    default_target: True
    input:
        "results/report.html",
        "results/claims.csv" if studies.with_claims else [],
        "results/metrics.json",
        [studies.targets(study) for study in studies.rooms],


for each in studies.rooms:

    rule:
        """One study: its tables, figures, claims and section of the page, and what its own rules make."""
        name:
            each
        input:
            studies.targets(each),
        localrule: True


rule world:
    """The didactic world apart from the studies: base policies of three strengths, a reward model, a ranker."""
    input:
        world.targets,


# The progress display groups rules by phase; all rules are known here.
os.environ.update(PREFATLAS_PHASES=json.dumps(phases(workflow.rules)))
