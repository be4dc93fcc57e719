"""SLURM for profiles/slurm (`executor: prefatlas`): docs/cluster.md, snakemake_executor_plugin_prefatlas/executor.py.

Snakemake imports every plugin that it finds at each of its starts, also where no cluster is wanted and SLURM's own
plugin is not installed.
"""

from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_slurm"):
    from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

    from snakemake_executor_plugin_prefatlas.executor import Executor
else:
    from snakemake.executors.dryrun import Executor as Nothing
    from snakemake_interface_common.exceptions import WorkflowError
    from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

    common_settings = CommonSettings(non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False)

    class ExecutorSettings(ExecutorSettingsBase):
        """None: there is nothing to set."""

    class Executor(Nothing):
        """Says what is missing."""

        def __init__(self, *_: object) -> None:
            raise WorkflowError("snakemake-executor-plugin-slurm is not installed: pip install -r requirements.txt")


__all__ = ["Executor", "ExecutorSettings", "common_settings"]
