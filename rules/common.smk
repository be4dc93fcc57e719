"""What the rules share: the checked configuration, the studies, which files belong to what, and the code's fingerprints.

Needs: the configuration that rules/reading.smk has put together
Makes: nothing; an error in the configuration stops here, with its file, line and fix, before any job starts

atlas     the configuration (scripts/lib/config)
studies   what each study needs and makes (scripts/workflow/needs.py); needs: all of them together
files     which files belong to what (scripts/workflow/files.py); suite_files: those of suites (suite_files.py there)
threads   how many threads a step gets that runs a model (scripts/workflow/threads.py)
code      fingerprints of the steps' code, as parameters: a rule runs again when its code changes
contents  digests of local files, as parameters: a rule runs again when another file takes a name, however old
"""

import gc
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from scripts.lib import lineage
from scripts.lib.clock import bring_back
from scripts.lib.errors import InputError
from scripts.lib.parent import ASKED, SNAKEMAKE
from scripts.lib.study import as_json
from scripts.versioning import seen
from scripts.workflow import configuration, harness, rooms, warm
from scripts.workflow.code import Code
from scripts.workflow.contents import Contents
from scripts.workflow.files import (
    CLASSIFIER,
    MODEL,
    Files,
    inference_environment,
    local_files,
    of_kind,
    one_of,
    python_for,
    spec,
)
from scripts.workflow.needs import Studies
from scripts.workflow.phases import phases
from scripts.workflow.planning import Planning
from scripts.workflow.suite_files import LENGTH_CONTROL, SuiteFiles
from scripts.workflow.threads import Threads
from scripts.workflow.world import World

REPOSITORY = Path(workflow.basedir)
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
DRAWN = rf"{NAME}(\+\d+of\d+)?"
START = rf"{NAME}(\.{DRAWN}\.{NAME}\.s\d+)*"

# Steps run with the Python that runs Snakemake, unless a rule's environment puts another one first in PATH.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]),
    TOKENIZERS_PARALLELISM="false",
    **{SNAKEMAKE: str(os.getpid())},  # steps end with it: scripts/lib/parent.py
)
warm.prepare(REPOSITORY)
if not workflow.is_main_process:
    warm.start_for(warm.jobs_of_group(sys.argv))

# A large DAG is made of objects that stay; looking for garbage among them took a fifth of a dry run.
gc.set_threshold(100_000, 50, 100)


if workflow.is_main_process and not seen.is_seen(Path.cwd()):
    raise WorkflowError(seen.UNSEEN)

try:
    atlas = configuration.checked(config, [*workflow.overwrite_configfiles[::-1], *defaults[::-1]])
except InputError as error:
    raise WorkflowError(str(error)) from None

SUITES = atlas.evaluation.suites
code = Code(REPOSITORY)
contents = Contents(Path.cwd())
files = Files(atlas)
suite_files = SuiteFiles(files)
studies = Studies(atlas, configuration.rooms(atlas))
needs = studies.all
os.environ[ASKED] = " ".join(needs.suites)  # no parameter: it changes no file, only what is refused
world = World(needs)
threads = Threads(atlas, workflow.resource_settings.cores if workflow.local_exec else None)
planning = Planning(needs, studies.work)
asked_together = harness.rules(
    harness.together(
        {policy: needs.asked(policy) for policy in needs.policies}
        | {policy: world.asked for policy in atlas.policies if policy not in needs.policies},
        harness.asked_in(Path.cwd(), list(SUITES)),
    ),
    START,
)
for asking in asked_together:
    harness.as_harness(workflow, asking.name)
room_rules = [
    path
    for study in studies.rooms
    if (path := REPOSITORY / "studies" / study / "rules.smk").exists()
]


onstart:
    if ahead := bring_back(file for job in workflow.dag.jobs for file in job.input):
        logger.info(f"{ahead} inputs are of the future: their times are set to now.")
    # Snakemake 9.27 reschedules all ready jobs a second after each scheduling, with one more round per finished job:
    # after a few hundred jobs that keeps a core busy. The rate limit that causes this is for clusters.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
        warm.start_for(len(list(workflow.dag.needrun_jobs())))


wildcard_constraints:
    source=NAME,
    prompt_set=NAME,
    family=rf"{NAME}(\.{NAME}(@{START})?)?",
    scorer=NAME,
    ranker=NAME,
    dataset=rf"{NAME}(@{START})?",
    variant=NAME,
    suite=NAME,
    study=NAME,
    table=NAME,
    figure=NAME,
    sample_set=rf"({one_of(atlas.samples)})(@{START})?",
    seed=r"\d+",
    base=START,
    given=one_of(of_kind(atlas.policies, "given")),
    scratch=one_of(of_kind(atlas.policies, "scratch")),
    supervised=one_of(of_kind(atlas.policies, "supervised")),
    conversations=one_of(of_kind(atlas.sources, "conversations")),
    policy=START,
