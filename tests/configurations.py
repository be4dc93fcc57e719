"""The configurations of the repository, merged as Snakemake merges them."""

import copy
from pathlib import Path

import yaml

from scripts.workflow.configuration import defaults

SHARED = Path("config.yaml")
OVERLAYS = [path for path in sorted(Path("studies").rglob("*.yaml")) if path.name != "didactic.yaml"]


def layers(overlay: Path | None = None) -> list[Path]:
    """The files of the default configuration, or of one laid over it: highest priority first."""
    given = yaml.safe_load(overlay.read_text()) if overlay else {}
    return [*([overlay] if overlay else []), *defaults(Path(), given)[::-1]]


def merged(*files: Path) -> dict:
    """Merge files as Snakemake does, highest priority first."""

    def lay(under: dict, over: dict) -> dict:
        for key, value in over.items():
            both = isinstance(value, dict) and isinstance(under.get(key), dict)
            under[key] = lay(under[key], value) if both else value
        return under

    whole: dict = {}
    for file in reversed(files):
        lay(whole, copy.deepcopy(yaml.safe_load(file.read_text())))
    return whole


DEFAULT = layers()
