"""Writes a configuration that stands alone, from a look at a file and the models that are given."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from scripts.lib.errors import InputError
from scripts.lib.tables import write_text

MARK = "# Written by python -m scripts.preflight"
SAMPLES = {"samples": 4, "temperature": 1.0, "max_new_tokens": 512}
"""The policy's own responses to each prompt: enough to see whether the data holds better ones."""
METRICS = {"gsm8k": "exact_match,flexible-extract", "ifeval": "prompt_level_loose_acc,none"}
"""By the beginning of a task's name, for a study that asks the suite; preflight reads only its questions."""
OTHER_METRIC = "acc,none"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    policy, scorer: folders or hub ids. max_length: tokens at which training cuts. suites: a task of lm-eval -> the file
    of its questions, or None for the hub's.
    """

    policy: str | None
    scorer: str | None
    max_length: int
    suites: Mapping[str, str | None] = field(default_factory=dict)


def name_of(path: str) -> str:
    """A dataset's name in the configuration, from its file's name."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(path).name.split(".")[0]).strip("_-")[:40]
    return name or "mine"


def configuration(source: BaseModel, asked: Asked) -> dict[str, Any]:
    """The whole configuration. Samples are drawn where there is a scorer to judge them."""
    name = name_of(source.path)
    samples = {"own": {"policy": "policy", "prompt_set": name, **SAMPLES}} if asked.policy and asked.scorer else {}
    policy = {"kind": "given", "model": asked.policy, "max_length": asked.max_length}
    looked_at = {"pairs": name}
    looked_at |= {"policy": "policy"} if asked.policy else {}
    looked_at |= {"scorer": "scorer"} if asked.scorer else {}
    looked_at |= {"samples": "own"} if samples else {}
    looked_at |= {"suites": list(asked.suites)} if asked.suites else {}
    found = {
        "standalone": True,
        "studies": ["preflight"],
        "sources": {name: source.model_dump(exclude_defaults=True)},
        "prompt_sets": {name: {"sources": [name]}},
        "pairs": {name: {"kind": "labelled", "prompt_set": name}},
        "scorers": {"scorer": {"kind": "reward_model", "model": asked.scorer}} if asked.scorer else {},
        "policies": {"policy": policy} if asked.policy else {},
        "samples": samples,
        "training": {"max_length": asked.max_length},
        "evaluation": {"suites": {task: suite(task, data) for task, data in asked.suites.items()}},
        "preflight": looked_at,
    }
    return {key: value for key, value in found.items() if value or key in ("policies", "evaluation")}


def suite(task: str, data: str | None) -> dict[str, str]:
    """A suite's entry. data: the file of its questions; None: the hub's."""
    metric = next((each for start, each in METRICS.items() if task.startswith(start)), OTHER_METRIC)
    return {"kind": "harness", "task": task, **({"data": data} if data else {}), "metric": metric}


def text_of(found: dict[str, Any]) -> str:
    """The configuration as YAML, one line a key, under a line that says whether it was changed since."""
    body = "".join(f"{_flow({key: value})[1:-1]}\n" for key, value in found.items())
    return f"{MARK} ({_digest(body)}); snakemake preflight --configfile <this file> runs it again.\n{body}"


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True).strip()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def write(text: str, path: Path) -> None:
    """Write the configuration. Raises InputError rather than overwrite a file that somebody else wrote or changed."""
    if path.exists() and not _is_ours(path.read_text(encoding="utf-8", errors="replace")):
        raise InputError(
            path,
            "exists, and was written or changed by somebody",
            f"run snakemake preflight --configfile {path} to use it, or give --configuration another name",
        )
    write_text(text, path)


def _is_ours(text: str) -> bool:
    first, _, body = text.partition("\n")
    return first.startswith(f"{MARK} ({_digest(body)})")
