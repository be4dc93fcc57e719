"""Placeholder for an executor whose plugin is not installed: it reports that only when the executor is used."""

from snakemake.executors.dryrun import Executor as Nothing
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

common_settings = CommonSettings(non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False)


class ExecutorSettings(ExecutorSettingsBase):
    """No settings."""


def absent(plugin: str, remedy: str) -> type[Nothing]:
    """An executor that raises WorkflowError with the plugin and the remedy."""

    class Executor(Nothing):
        def __init__(self, *_: object) -> None:
            raise WorkflowError(f"{plugin} is not installed\n  remedy: {remedy}")

    return Executor
