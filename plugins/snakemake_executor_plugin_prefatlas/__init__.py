"""Executor for SLURM, used by profiles/slurm (`executor: prefatlas`); see executor.py in this folder."""

from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_slurm"):
    from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

    from snakemake_executor_plugin_prefatlas.executor import Executor
else:  # Snakemake imports every plugin that it finds whenever it starts
    from snakemake_executor_plugin_prefatlas.absent import ExecutorSettings, absent, common_settings

    Executor = absent("snakemake-executor-plugin-slurm", "pip install -r requirements.txt")

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
