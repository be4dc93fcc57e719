"""vLLM behind the interfaces of this package: token ids go in, token ids and scores come out.

vLLM runs in an environment of its own (envs/vllm.yaml), which determines torch and transformers. It never sees text, so
nothing is tokenised twice and no BOS token is added. Weights are read from safetensors files only, and code that comes
with a model is run only if its entry in the configuration allows it.
"""

import os
import sys
from collections.abc import Hashable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForSequenceClassification, GenerationConfig, PretrainedConfig
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, cached_file

from scripts.lib import devices
from scripts.lib.chat import encode_conversation
from scripts.lib.classifiers import read_classifier, refuse_missing, without_padding
from scripts.lib.config.engines import EngineSpec
from scripts.lib.config.sampling import SamplingSpec
from scripts.lib.config.scorers import RewardModelScorer
from scripts.lib.errors import InputError
from scripts.lib.ids import Messages
from scripts.lib.models import PolicyCard, check_files, load_tokenizer
from scripts.lib.pieces import Pieces, in_batches
from scripts.lib.sampling import Drawn, Row, Sampler, cut, stop_ids
from scripts.lib.tables import read_json

if TYPE_CHECKING:
    from vllm import LLM, SamplingParams

OWN_PYTHON = Path(__file__).resolve().parents[2] / ".venv-vllm/bin/python"
"""The Python of the environment made by ``make vllm``."""

REQUESTS = 4096
"""Requests per call of the engine: enough to keep it busy, few enough to store results often."""

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # otherwise requests are scheduled in random order
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # otherwise parallel jobs are all bound to the same cores
    "VLLM_CPU_KVCACHE_SPACE": "1",
}

ON_CPU = {
    "enforce_eager": True,
    "gpu_memory_utilization": 0.3,  # of the machine's memory, if there is no GPU
    "enable_chunked_prefill": False,  # crashes vLLM 0.32 on a CPU when seeds are set
    "distributed_executor_backend": "uni",
}


def enter() -> None:
    """Restart this process's command with the Python of OWN_PYTHON if the current one lacks vLLM.

    Raises InputError if that one does not exist either.
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
    """The engine with a model from a hub id or local folder, on GPUs that no other job uses, else on the CPU.

    max_length: the most tokens of a sequence. options: further arguments of ``vllm.LLM``. Raises InputError if vLLM
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
            **arguments,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            model,
            f"vLLM cannot run it ({error})",
            "where memory is short change engine, max_length or precision; else set backend to transformers",
        ) from error


class VllmSampler(Sampler):
    """Samples with vLLM. Responses to one prompt share its cache; each is drawn by a generator with its own seed."""

    def __init__(self, card: PolicyCard, spec: SamplingSpec) -> None:
        enter()
        super().__init__(load_tokenizer(card), card.max_length, card.rules)
        check_files(card, weights=True)
        self.stop = stop_ids(generation_config(card), self.tokenizer)
        engine = spec.engine or EngineSpec()
        options = {"skip_tokenizer_init": True, "trust_remote_code": card.trust_remote_code}
        self.llm = load(card.model, card.revision, spec.precision, card.max_length, engine, **options)

    def batches(self, rows: Sequence[Row], spec: SamplingSpec) -> list[list[int]]:
        return in_calls(len(rows))

    def draw(self, rows: Sequence[Row], spec: SamplingSpec) -> list[Drawn]:
        outputs = self.llm.generate(
            [{"prompt_token_ids": row.ids} for row in rows],
            [self._parameters(row, spec) for row in rows],
            use_tqdm=False,
        )
        return [cut(row, each.outputs[0].token_ids, self.stop) for row, each in zip(rows, outputs, strict=True)]

    def _parameters(self, row: Row, spec: SamplingSpec) -> "SamplingParams":
        """Without an end of turn of several tokens, which is cut off afterwards: vLLM knows such ends only as text."""
        from vllm import SamplingParams

        return SamplingParams(
            temperature=spec.temperature,
            top_p=spec.top_p,
            top_k=spec.top_k or 0,
            seed=row.seed,
            max_tokens=row.room,
            stop_token_ids=self.stop,
            detokenize=False,
        )


class VllmClassifier:
    """A sequence classifier with one output in vLLM: the counterpart of scripts.lib.classifiers.Classifier."""

    def __init__(self, spec: RewardModelScorer) -> None:
        enter()
        self.name = spec.model
        config, self.tokenizer = read_classifier(
            spec.model, spec.revision, spec.max_length, spec.trust_remote_code, spec.template_date
        )
        refuse_missing(spec.model, head_of(config, spec.trust_remote_code) - weights_of(spec.model, spec.revision))
        self.pad_id = config.get_text_config().pad_token_id
        engine = spec.engine or EngineSpec()
        options = {"runner": "pooling", "trust_remote_code": spec.trust_remote_code}
        self.llm = load(spec.model, spec.revision, spec.precision, spec.max_length, engine, **options)

    def encode(self, prompt: Messages, response: str, max_length: int) -> list[int] | None:
        """See :func:`scripts.lib.chat.encode_conversation`."""
        return encode_conversation(self.tokenizer, prompt, response, max_length)

    def classify(
        self,
        sequences: Sequence[list[int]],
        batch_tokens: int,
        pieces: Pieces | None = None,
        prompts: Sequence[Hashable] | None = None,
    ) -> list[float]:
        """The output for each sequence of token ids, in the order given; vLLM forms its own batches."""
        from vllm import PoolingParams

        def read(call: list[int]) -> list[float]:
            outputs = self.llm.classify(
                [{"prompt_token_ids": without_padding(sequences[at], self.pad_id)} for at in call],
                pooling_params=PoolingParams(use_activation=False),
                use_tqdm=False,
            )
            return [each.outputs.probs[0] for each in outputs]

        values = in_batches(in_calls(len(sequences)), read, f"read by {self.name}", pieces)
        return [values[at] for at in range(len(sequences))]


def generation_config(card: PolicyCard) -> GenerationConfig:
    """The policy's generation_config.json, or the settings in its config.json if there is none."""
    try:
        return GenerationConfig.from_pretrained(card.model, revision=card.revision)
    except OSError:
        config = AutoConfig.from_pretrained(
            card.model, revision=card.revision, trust_remote_code=card.trust_remote_code
        )
        return GenerationConfig.from_model_config(config)


def head_of(config: PretrainedConfig, trust_remote_code: bool = False) -> set[str]:
    """The names of a classifier's head weights, which vLLM would initialise at random if a checkpoint lacks them."""
    with torch.device("meta"):
        network = AutoModelForSequenceClassification.from_config(config, trust_remote_code=trust_remote_code)
    body = f"{network.base_model_prefix}."
    return {name for name, _ in network.named_parameters() if not name.startswith(body)}


def weights_of(model: str, revision: str | None) -> set[str]:
    """The names of the weights in a model's safetensors files. Raises InputError if there are none."""
    optional = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    if index := cached_file(model, SAFE_WEIGHTS_INDEX_NAME, **optional):
        return set(read_json(index)["weight_map"])
    if file := cached_file(model, SAFE_WEIGHTS_NAME, **optional):
        with safe_open(file, framework="pt") as weights:
            return set(weights.keys())
    raise InputError(model, "has no safetensors weights", "give a model that is saved as safetensors")


def in_calls(count: int) -> list[list[int]]:
    """The numbers below ``count`` in consecutive runs of at most REQUESTS."""
    return [list(range(at, min(at + REQUESTS, count))) for at in range(0, count, REQUESTS)]
