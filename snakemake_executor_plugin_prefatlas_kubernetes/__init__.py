"""Kubernetes for profiles/kubernetes (`executor: prefatlas-kubernetes`), with results/ on a volume that all pods mount.

The executor of snakemake-executor-plugin-kubernetes brings each file from an object store to a path of its own in the
pod. Steps here name files under results/ by their paths in the working folder, so the folder itself is shared instead:
Snakemake runs in a pod, and every job's pod mounts the same claim at the same path. A job whose status query fails
stays active until its end is known.
"""

import shlex
from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_kubernetes"):
    from collections.abc import AsyncGenerator
    from dataclasses import replace

    import snakemake_executor_plugin_kubernetes as kubernetes
    from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
    from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

    ExecutorSettings = kubernetes.ExecutorSettings
    common_settings = replace(
        kubernetes.common_settings,
        implies_no_shared_fs=False,
        job_deploy_sources=False,
        auto_deploy_default_storage_provider=False,
    )

    class Executor(kubernetes.Executor):
        ended: frozenset[str] = frozenset()
        """Names of the jobs whose end was reported to the scheduler."""

        def get_job_exec_prefix(self, job: JobExecutorInterface) -> str:
            return f"cd {shlex.quote(str(self.workflow.workdir_init))}"

        async def check_active_jobs(
            self, active_jobs: list[SubmittedJobInfo]
        ) -> AsyncGenerator[SubmittedJobInfo, None]:
            async for _ in super().check_active_jobs(active_jobs):
                pass
            for info in active_jobs:
                if info.external_jobid not in self.ended:
                    yield info

        def report_job_success(self, job_info: SubmittedJobInfo) -> None:
            self.ended |= {job_info.external_jobid}
            super().report_job_success(job_info)

        def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **more: object) -> None:
            self.ended |= {job_info.external_jobid}
            super().report_job_error(job_info, msg, **more)

else:  # Snakemake imports every plugin that it finds at each of its starts
    from snakemake_executor_plugin_prefatlas.absent import ExecutorSettings, absent, common_settings

    Executor = absent("snakemake-executor-plugin-kubernetes", "pip install snakemake-executor-plugin-kubernetes==0.5.1")

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
