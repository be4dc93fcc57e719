"""vLLM behind the interfaces of this package: token ids go in, token ids and scores come out.

It lives in an environment of its own (envs/vllm.yaml), whose torch and transformers it chooses. Its tokenizer is
never asked, so no text is tokenised twice and no BOS token is added; weights are read from safetensors files alone
and no code that comes with a model is ever run.
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import AutoConfig, GenerationConfig

from scripts.lib import devices
from scripts.lib.config.engines import EngineSpec
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.errors import InputError
from scripts.lib.models import PolicyCard, check_files, load_tokenizer
from scripts.lib.sampling import Row, Sampler, cut, stop_ids

if TYPE_CHECKING:
    from vllm import LLM, SamplingParams

OWN_PYTHON = Path(__file__).resolve().parents[2] / ".venv-vllm/bin/python"
"""The environment that ``make vllm`` makes."""

REQUESTS = 4096
"""Requests that the engine is given at a time: enough to keep it busy, few enough to keep what is done."""

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else the order in which requests are scheduled is chance
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # jobs side by side would all be bound to the same cores
    "VLLM_CPU_KVCACHE_SPACE": "1",
}

ON_CPU = {
    "enforce_eager": True,
    "gpu_memory_utilization": 0.3,  # of the machine's memory, where there is no GPU
    "enable_chunked_prefill": False,  # with seeds it crashes vLLM 0.32 on a CPU
    "distributed_executor_backend": "uni",
}


def enter() -> None:
    """Run this process's command again, from the start, by the Python of OWN_PYTHON where this one lacks vLLM.

    InputError where that one is not there either.
    """
    if find_spec("vllm"):
        return
    if not OWN_PYTHON.is_file():
        raise InputError(
            "backend vllm",
            f"{sys.executable} has no vllm",
            "make its environment by `make vllm` (docs/vllm.md), or call snakemake with "
            "--software-deployment-method conda; or set backend to transformers",
        )
    os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.orig_argv[1:]])


def load(
    model: str, revision: str | None, precision: str, max_length: int, engine: EngineSpec, **options: Any
) -> "LLM":
    """The engine with a model from a hub id or local folder, on GPUs that no other job has, else on the CPU.

    max_length: tokens of a sequence at most. options: further arguments of ``vllm.LLM``. InputError: vLLM
    cannot run the model.
    """
    devices.lease(engine.tensor_parallel_size)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from vllm import LLM
    from vllm.platforms import current_platform

    arguments = engine.model_dump() | (ON_CPU if current_platform.is_cpu() else {}) | options
    try:
        return LLM(
            model=model,
            revision=revision,
            dtype=precision,
            max_model_len=max_length,
            load_format="safetensors",
            trust_remote_code=False,
            skip_tokenizer_init=True,
            **arguments,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            model,
            f"vLLM cannot run it ({error})",
            "where memory is short change engine, max_length or precision; else set backend to transformers",
        ) from error


class VllmSampler(Sampler):
    """Samples with vLLM. The responses to one prompt share its cache; each draws from a generator of its own seed."""

    def __init__(self, card: PolicyCard, spec: SamplingSpec) -> None:
        enter()
        super().__init__(load_tokenizer(card), card.max_length)
        check_files(card, weights=True)
        self.stop = stop_ids(generation_config(card), self.tokenizer)
        engine = spec.engine or EngineSpec()
        self.llm = load(card.model, card.revision, spec.precision, card.max_length, engine)

    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        return in_calls(len(rows))

    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        outputs = self.llm.generate(
            [{"prompt_token_ids": row.ids} for row in rows],
            [self._parameters(row, spec) for row in rows],
            use_tqdm=False,
        )
        return [cut(row, each.outputs[0].token_ids, self.stop) for row, each in zip(rows, outputs, strict=True)]

    def _parameters(self, row: Row, spec: SamplingSpec) -> "SamplingParams":
        """An end of turn of several tokens is cut off afterwards: vLLM knows such ends as text alone."""
        from vllm import SamplingParams

        return SamplingParams(
            temperature=spec.temperature,
            top_p=spec.top_p,
            seed=row.seed,
            max_tokens=row.room,
            stop_token_ids=self.stop,
            detokenize=False,
        )


def generation_config(card: PolicyCard) -> GenerationConfig:
    """The policy's generation_config.json, or what its config.json says in its place."""
    try:
        return GenerationConfig.from_pretrained(card.model, revision=card.revision)
    except OSError:
        config = AutoConfig.from_pretrained(card.model, revision=card.revision, trust_remote_code=False)
        return GenerationConfig.from_model_config(config)


def in_calls(count: int) -> list[list[int]]:
    """The numbers below ``count`` in runs of at most REQUESTS."""
    return [list(range(at, min(at + REQUESTS, count))) for at in range(0, count, REQUESTS)]
