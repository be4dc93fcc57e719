"""Mixin that never forgets a job; the original executors drop jobs whose status is unknown after a failed query."""

from collections.abc import AsyncGenerator

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo


class EndsAreKnown:
    """Put before an executor's class: a job stays active until its end was reported."""

    ended: frozenset[str] = frozenset()
    """The cluster's names of jobs whose end was reported to the scheduler."""

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
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
