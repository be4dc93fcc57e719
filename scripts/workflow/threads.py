"""How many CPU threads a step gets that runs a model: one for a small model, all cores for a large one.

Many runs of small models share a machine best side by side, one thread each; a large model leaves the other cores idle
unless it takes them. Results are equal bit for bit only at the same number of threads; ``threads`` in the configuration
fixes it.
"""

from pathlib import Path
from typing import Any

from scripts.lib.config.behind import model_behind
from scripts.lib.config.endpoints import Endpoint
from scripts.lib.config.root import AtlasConfig

SMALL = 100_000_000
"""Bytes of weights up to which a model is small: 25 million parameters in float32."""
WEIGHTS = ("*.safetensors", "*.bin")


class Threads:
    """The threads of the steps of one configuration; 1 for a model that is served elsewhere.

    cores: of Snakemake on this machine; None where a cluster's profile says how many processors a job requests.
    """

    def __init__(self, atlas: AtlasConfig, cores: int | None) -> None:
        self.atlas = atlas
        self.cores = cores or 1

    def of_policy(self, policy: str) -> int:
        """For a policy, or a run: that of the model at the beginning of its lineage."""
        return self._of(model_behind(self.atlas, policy))

    def of_scorer(self, scorer: str | None) -> int:
        """For a scorer; 1 without one."""
        return self._of(self.atlas.scorers[scorer]) if scorer else 1

    def of_ranker(self, ranker: str | None) -> int:
        """For a ranker; 1 without one."""
        return self._of(self.atlas.rankers[ranker]) if ranker else 1

    def _of(self, entry: Any) -> int:
        asked = getattr(entry, "threads", None)
        model = None if isinstance(entry, Endpoint) else getattr(entry, "model", None)
        return asked or (self.cores if is_large(model) else 1)


def is_large(model: str | None) -> bool:
    """Whether a model has more than SMALL bytes of weights. A hub id counts as large; None, a model made here, not."""
    if model is None:
        return False
    folder = Path(model)
    if not folder.is_dir():
        return True
    return sum(path.stat().st_size for kind in WEIGHTS for path in folder.glob(kind)) > SMALL
