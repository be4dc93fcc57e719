"""How a model is run for inference: by transformers, or by vLLM in an environment of its own."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from scripts.lib.config.base import Count, PositiveFraction, Spec
from scripts.lib.config.policies import Precision

Backend = Literal["transformers", "vllm"]
BACKENDS: tuple[str, ...] = get_args(Backend)


class EngineSpec(Spec):
    """How vLLM is run on GPUs. Its dtype is ``precision``; the longest sequence is the model's ``max_length``."""

    tensor_parallel_size: Count = Field(1, description="GPUs that one model is split over.")
    gpu_memory_utilization: PositiveFraction = Field(
        0.9, description="The share of each GPU's memory that weights and caches may take."
    )
    max_num_seqs: Count = Field(256, description="Sequences that are worked on at a time.")


class Inference(Spec):
    """Settings of any forward pass over many sequences."""

    backend: Backend = Field(
        "transformers", description="vllm: faster on GPUs; needs the environment of envs/vllm.yaml (docs/vllm.md)."
    )
    engine: EngineSpec | None = Field(None, description="How vLLM is run, where backend is vllm.")
    precision: Precision = "bfloat16"
    batch_tokens: Count = Field(
        16384,
        description="Tokens a batch, padding included; vLLM makes batches of its own.",
    )

    @model_validator(mode="after")
    def _has_an_engine_of_vllm(self) -> Self:
        if self.engine is not None and self.backend != "vllm":
            raise ValueError("engine is for backend vllm: set backend to vllm, or remove engine")
        return self
