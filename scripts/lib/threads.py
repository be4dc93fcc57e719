"""How many CPU threads a step computes with: told beside whatever a model makes, and never a trigger.

Results are equal bit for bit only at the same number. scripts/workflow/threads.py decides it; Snakemake hands it to the
step as OMP_NUM_THREADS, and warm starts set it in the forked process.
"""

import torch


def cpu_threads() -> int | None:
    """The number of this process; None on a GPU, whose results do not depend on it."""
    return None if torch.cuda.is_available() else torch.get_num_threads()
