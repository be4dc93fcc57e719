"""SLURM for profiles/slurm (`executor: prefatlas`); what it does stands in executor.py beside this."""

from importlib.util import find_spec

if find_spec("snakemake_executor_plugin_slurm"):
    from snakemake_executor_plugin_slurm import ExecutorSettings, common_settings

    from snakemake_executor_plugin_prefatlas.executor import Executor
else:  # Snakemake imports every plugin that it finds at each of its starts
    from snakemake_executor_plugin_prefatlas.absent import ExecutorSettings, absent, common_settings

    Executor = absent("snakemake-executor-plugin-slurm", "pip install -r requirements.txt")

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
