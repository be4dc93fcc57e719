"""The configuration's files, before Snakemake reads any of them.

Needs: config.yaml, studies/{study}/didactic.yaml of the studies that are on, and the files given by --configfile
Makes: nothing; a file that would not be read as its author meant stops here, with its line
"""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from scripts.lib.config import files as configuration_files
from scripts.lib.errors import InputError
from scripts.workflow import configuration

try:
    if workflow.is_main_process:
        for each in workflow.overwrite_configfiles:
            configuration_files.check(each)
    defaults = configuration.defaults(Path(workflow.basedir), config)
except InputError as error:
    raise WorkflowError(str(error)) from None
