"""The configuration's files, before Snakemake reads config.yaml.

Needs: config.yaml and the files that --configfile lays over it
Makes: nothing; a file that cannot be read as it was meant ends here, with its line
"""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from scripts.lib.config import files
from scripts.lib.errors import InputError

if workflow.is_main_process:
    try:
        for each in [Path(workflow.basedir) / "config.yaml", *workflow.overwrite_configfiles]:
            files.check(each)
    except InputError as error:
        raise WorkflowError(str(error)) from None
