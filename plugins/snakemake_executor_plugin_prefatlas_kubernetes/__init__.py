"""Executor for Kubernetes, used by profiles/kubernetes (`executor: prefatlas-kubernetes`); results/ is a shared volume.

The executor of snakemake-executor-plugin-kubernetes copies each file from an object store to its own path in the pod.
Steps here name files under results/ by paths relative to the working folder, so the folder itself is shared instead:
Snakemake runs in a pod, and every job's pod mounts the same claim at the same path. A job whose status query fails
stays active until its end is known.
"""

import shlex
from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_kubernetes"):
    from dataclasses import replace

    import snakemake_executor_plugin_kubernetes as kubernetes
    from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

    from snakemake_executor_plugin_prefatlas.ends import EndsAreKnown

    ExecutorSettings = kubernetes.ExecutorSettings
    common_settings = replace(
        kubernetes.common_settings,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        auto_deploy_default_storage_provider=False,
    )

    class Executor(EndsAreKnown, kubernetes.Executor):
        def get_job_exec_prefix(self, job: JobExecutorInterface) -> str:
            return f"cd {shlex.quote(str(self.workflow.workdir_init))}"

else:  # Snakemake imports every plugin that it finds whenever it starts
    from snakemake_executor_plugin_prefatlas.absent import ExecutorSettings, absent, common_settings

    Executor = absent("snakemake-executor-plugin-kubernetes", "pip install snakemake-executor-plugin-kubernetes==0.5.1")

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
