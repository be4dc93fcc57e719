"""What the rules share: the checked configuration, the code fingerprints, and names that the configuration implies.

Needs: config.yaml and what is laid over it.
Makes: nothing; a mistake in the configuration ends here, with its file, line and remedy, before any job starts.
"""

import gc
import hashlib
import json
import os
import sys
import tokenize
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from scripts.lib import lineage
from scripts.lib.clock import bring_back
from scripts.lib.config import root
from scripts.lib.config.engines import BACKENDS
from scripts.lib.config.objectives import objective_options
from scripts.lib.errors import InputError
from scripts.lib.fingerprint import fingerprint
from scripts.lib.parent import SNAKEMAKE
from scripts.studies.what_matters import layout
from scripts.versioning import seen
from scripts.workflow.phases import phases

REPOSITORY = Path(workflow.basedir)
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"

# Steps run with the Python that runs Snakemake, unless a rule's environment puts another one first.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    TOKENIZERS_PARALLELISM="false",
    **{SNAKEMAKE: str(os.getpid())},  # with which they end: scripts/lib/parent.py
)

# A large DAG is objects that stay; looking for garbage among them took a fifth of a dry run.
gc.set_threshold(100_000, 50, 100)


if workflow.is_main_process and not seen.is_seen(Path.cwd()):
    raise WorkflowError(seen.UNSEEN)


def checked_configuration():
    try:
        return root.load(
            config, [*workflow.overwrite_configfiles[::-1], REPOSITORY / "config.yaml"]
        )
    except InputError as error:
        raise WorkflowError(str(error)) from None


atlas = checked_configuration()


def code(*steps):
    """Fingerprint of the code behind a rule, as a parameter: it reruns the rule when that code changes."""
    return [fingerprint(step, REPOSITORY) for step in steps]


def training_code(step, variant):
    """As code(), of a run: of the objectives its own alone."""
    others = frozenset(objective_options()) - {atlas.training.variant(variant).objective}
    return [fingerprint(step, REPOSITORY, others)]


def inference_code(step, entry):
    """As code(), of a step that runs a model forward: of the backends the entry's own alone."""
    others = frozenset(BACKENDS) - {getattr(entry, "backend", None)}
    return [fingerprint(step, REPOSITORY, others)]


def inference_environment(entry):
    """Where a step runs a model forward, as a rule's file names it."""
    vllm = getattr(entry, "backend", None) == "vllm"
    return "../envs/vllm.yaml" if vllm else "../envs/train.yaml"


def variants(online):
    """The training variants that are online, or that are not."""
    return [
        name
        for name in atlas.training.variants
        if (atlas.training.variant(name).online is not None) == online
    ]


def yaml_digest(folder):
    """Digest of what the YAML files of a folder of the repository say, comments and formatting left out."""
    digest = hashlib.sha256()
    for path in sorted((REPOSITORY / folder).glob("*.yaml")):
        digest.update(
            yaml.serialize(yaml.compose(path.read_text(encoding="utf-8"))).encode("utf-8")
        )
    return digest.hexdigest()[:16]


def text_digest(folder):
    """Digest of the files in a folder of the repository that a step reads beside its own code."""
    digest = hashlib.sha256()
    for path in sorted((REPOSITORY / folder).iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def snakemake_digest():
    """Digest of the rules themselves, comments and blank lines left out."""
    digest = hashlib.sha256()
    for path in [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "rules").glob("*.smk"))]:
        with open(path, "rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type not in (tokenize.COMMENT, tokenize.NL):
                    digest.update(token.string.encode("utf-8") + b"\x1f")
    return digest.hexdigest()[:16]


def spec(section, name):
    """One entry of the configuration, as the JSON that a step takes."""
    return section[name].model_dump_json()


def one_of(names):
    """A wildcard constraint that only these names fit."""
    return "|".join(names) or "(?!)"


def of_kind(section, *kinds):
    return [name for name, entry in section.items() if entry.kind in kinds]


def families(prompt_set):
    return lineage.families_of(atlas, prompt_set)


def prompt_set_of(family):
    return family.split(".")[0]


def sampled(family):
    """The sample set that a family is, if it is one."""
    return next(
        (name for name in atlas.samples if lineage.sampled_family(atlas, name) == family), None
    )


def samples_of(name, table="parquet"):
    """The samples of a sample set, or with "responses.parquet" the distinct responses among them."""
    return f"results/samples/{atlas.samples[name].policy}/{lineage.sampled_family(atlas, name)}.{table}"


def responses_of(family):
    """The responses table that holds a family."""
    if name := sampled(family):
        return samples_of(name, "responses.parquet")
    return f"results/prompt_sets/{prompt_set_of(family)}/responses.parquet"


def python_for(gpus):
    """How a module is run by one process, or by several together, each with a GPU of its own where there are any."""
    if gpus < 2:
        return "python -m"
    # Without the last "--", torchrun takes the step's options for abbreviations of its own.
    several = f"python -m torch.distributed.run --standalone --nproc-per-node {gpus} -m --"
    return f"python -m scripts.lib.devices --count {gpus} -- {several}"


onstart:
    if ahead := bring_back(file for job in workflow.dag.jobs for file in job.input):
        logger.info(f"{ahead} inputs are of the future: their times are set to now.")
    # Snakemake 9.27 weighs all ready jobs anew a second after each weighing, in one more round for every job that ended:
    # after some hundred jobs that keeps a core busy. The limit on submissions behind it is for clusters.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


wildcard_constraints:
    source=NAME,
    prompt_set=NAME,
    family=rf"{NAME}(\.{NAME})?",
    scorer=NAME,
    ranker=NAME,
    dataset=NAME,
    variant=NAME,
    suite=NAME,
    sample_set=one_of(atlas.samples),
    seed=r"\d+",
    base=one_of(atlas.policies),
    given=one_of(of_kind(atlas.policies, "given")),
    scratch=one_of(of_kind(atlas.policies, "scratch")),
    policy=rf"{NAME}(\.{NAME}\.{NAME}\.s\d+)?",
