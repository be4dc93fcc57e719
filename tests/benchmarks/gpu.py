"""`make bench-gpu`: full fine-tuning steps with the architecture of Llama 3.1 8B on one GPU, one process per variant.

Weights are random (speed does not depend on them); text is real if a folder is given. Needs no network, and of this
project's packages only torch, transformers, pydantic, pandas and pyarrow; without trl the TRL variants are left out,
and reported as such.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from scripts.lib.chat import Encoded
from scripts.lib.config.training import Hyperparameters
from scripts.lib.logprobs import token_logprobs
from scripts.lib.objectives import with_options
from scripts.lib.packing import group_of
from scripts.lib.scratch import train_tokenizer
from scripts.lib.tables import write_json
from scripts.training.lessons import Example, PairLesson
from scripts.training.step import accumulate, head_of
from tests.benchmarks import data

SHAPES = {
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128_256}
    | {"num_attention_heads": 32, "num_key_value_heads": 8},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 4000}
    | {"num_attention_heads": 4, "num_key_value_heads": 2},
}
"""tiny is for trying out the benchmark itself, on any machine."""

MAX_LENGTH = 2048
SPEC = Hyperparameters(batch_pairs=32, max_length=MAX_LENGTH, batch_tokens=8192, gradient_checkpointing=True)
TEXTS = 2000
WARM_UP = 2

Pairs = Sequence[tuple[Encoded, Encoded]]


def new_model(shape: str, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """A Llama with random weights, created on its device."""
    config = LlamaConfig(**SHAPES[shape], max_position_embeddings=MAX_LENGTH, tie_word_embeddings=False, pad_token_id=0)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def ours(packed: bool, spec: Hyperparameters = SPEC) -> Callable[[str, str, Pairs], dict]:
    """This project's step, on float32 weights with products in bfloat16, or the same loop with padding."""

    def run(shape: str, device: str, pairs: Pairs) -> dict:
        model = new_model(shape, device, torch.float32)
        model.train()
        checkpointing = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        checkpointing()  # the second is the older name
        optimizer = torch.optim.AdamW(model.parameters(), spec.learning_rate, (0.9, 0.99), weight_decay=0.0, fused=True)
        lesson = PairLesson(with_options(spec.objective, spec.beta, spec.options), spec)
        examples = [Example("c", "r", *pair, *reference_sums(model, pair)) for pair in pairs]
        head = head_of(model, spec) if packed else None
        seconds, losses = [], []
        for at in range(0, len(examples), spec.batch_pairs):
            begin = now(device)
            batch = examples[at : at + spec.batch_pairs]
            losses.append(accumulate(model, batch, lesson, spec, 0, head)[0].mean().item())
            torch.nn.utils.clip_grad_norm_(model.parameters(), spec.max_gradient_norm)
            optimizer.step()
            optimizer.zero_grad()
            seconds.append(now(device) - begin)
        return {"seconds": seconds, "losses": losses}

    return run


@torch.no_grad()
def reference_sums(model: PreTrainedModel, pair: tuple[Encoded, Encoded]) -> list[float]:
    """The log-probability of each response, computed with padding: the first packed step must have loss log 2."""
    with torch.autocast(model.device.type, torch.bfloat16):
        return [values.double().sum().item() for values in token_logprobs(model, pair, 0)]


def of_trl(micro_batch: int) -> Callable[[str, str, Pairs], dict]:
    """TRL's DPOTrainer with precomputed references; weights in bfloat16, since float32 weights leave it no memory."""

    def run(shape: str, device: str, pairs: Pairs) -> dict:
        import datasets
        import trl
        from transformers import TrainerCallback

        class Given(trl.DPOTrainer):
            def _prepare_dataset(self, dataset, *arguments):
                return dataset

            def _get_train_sampler(self, *arguments):
                return list(range(len(pairs)))

        class Seconds(TrainerCallback):
            def on_step_begin(self, *arguments, **others):
                self.begin = now(device)

            def on_step_end(self, *arguments, **others):
                seconds.append(now(device) - self.begin)

        seconds: list[float] = []
        columns = {
            "prompt_ids": [chosen.prompt_ids for chosen, _ in pairs],
            "chosen_ids": [chosen.response_ids for chosen, _ in pairs],
            "rejected_ids": [rejected.response_ids for _, rejected in pairs],
        }
        folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"trl-{os.getpid()}"
        arguments = trl.DPOConfig(
            str(folder),
            beta=SPEC.beta,
            max_length=MAX_LENGTH,
            per_device_train_batch_size=micro_batch,
            gradient_accumulation_steps=SPEC.batch_pairs // micro_batch,
            precompute_ref_batch_size=micro_batch,
            precompute_ref_log_probs=True,
            bf16=True,
            optim="adamw_torch_fused",
            num_train_epochs=1,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=device == "cpu",
        )
        tokenizer = train_tokenizer("words", ["a b c"], 100)
        trainer = Given(
            new_model(shape, device, torch.bfloat16),
            None,
            arguments,
            train_dataset=datasets.Dataset.from_dict(columns),
            processing_class=tokenizer,
            callbacks=[Seconds()],
        )
        trainer.train()
        return {"seconds": seconds, "losses": []}

    return run


VARIANTS = {
    "ours": ours(True),
    "compiled": ours(True, SPEC.model_copy(update={"compile": True})),
    "padded": ours(False),
    "trl_4": of_trl(4),
    "trl_1": of_trl(1),
}
"""compiled: with training.compile. padded: without packing and prefix sharing. trl_N: in micro-batches of N pairs."""


def now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matrix_rate(device: str) -> float:
    """FLOP/s of a product of large square matrices in bfloat16, the median of twenty."""
    size = 8192 if device == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    taken = []
    for _ in range(25):
        begin = now(device)
        a @ b
        taken.append(now(device) - begin)
    return 2 * size**3 / statistics.median(taken[5:])


def needed_flops(shape: str, pairs: Pairs) -> tuple[float, float]:
    """FLOPs of forward and backward: (shared prefixes once and the head only on responses, all tokens twice).

    Six per weight and token, and for each of scores and values six per width and attended token; recomputation by
    checkpointing is not counted, as is usual for MFU.
    """
    sizes = SHAPES[shape]
    hidden, layers = sizes["hidden_size"], sizes["num_hidden_layers"]
    shared_heads = sizes["num_key_value_heads"] / sizes["num_attention_heads"]
    layer = hidden * hidden * (2 + 2 * shared_heads) + 3 * hidden * sizes["intermediate_size"]
    head = hidden * sizes["vocab_size"]
    least = usual = 0.0
    for pair in pairs:
        group = group_of(pair)
        lengths = [len(each) for each in pair]
        responses = sum(len(each.response_ids) for each in pair)
        attended = sum(length**2 / 2 for length in lengths)
        least += 6 * (layers * layer * group.tokens + head * responses)
        least += 12 * layers * hidden * (attended - group.trunk**2 / 2)
        usual += 6 * (layers * layer + head) * sum(lengths) + 12 * layers * hidden * attended
    return least, usual


def measure(variant: str, shape: str, device: str, folder: Path, steps: int) -> dict:
    """Measure one variant in this process; the first steps are not counted."""
    pairs = data.read(folder, 0, (WARM_UP + steps) * SPEC.batch_pairs)
    counted = pairs[WARM_UP * SPEC.batch_pairs :]
    try:
        found = VARIANTS[variant](shape, device, pairs)
    except torch.OutOfMemoryError as error:
        return {"out_of_memory": str(error).split(". ")[0]}
    seconds = sum(found["seconds"][WARM_UP:])
    least, usual = needed_flops(shape, counted)
    rate = matrix_rate(device)
    return {
        **found,
        "pairs_per_s": len(counted) / seconds,
        "tokens_per_s": sum(len(each) for pair in counted for each in pair) / seconds,
        "matrix_tflops": rate / 1e12,
        "mfu": least / seconds / rate,
        "mfu_all_tokens": usual / seconds / rate,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of UltraFeedback binarized; without it the text is synthetic")
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--steps", type=int, default=4, help="of 32 pairs, after two that are not counted")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=Path("bench"))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    work = arguments.out / "gpu"
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.shape, device, work, arguments.steps)))
        return
    texts = list(islice(data.real_texts(arguments.data) if arguments.data else data.synthetic_texts(TEXTS), TEXTS))
    work.mkdir(parents=True, exist_ok=True)
    vocabulary = min(32_000, SHAPES[arguments.shape]["vocab_size"])
    tokenizer = train_tokenizer("bpe", (text for pair in texts for text in pair), vocabulary)
    found: dict = {
        "date": time.strftime("%Y-%m-%d"),
        "shape": SHAPES[arguments.shape],
        "text": "real" if arguments.data else "synthetic",
        "pairs": data.make_pairs(work, tokenizer, texts, TEXTS, MAX_LENGTH),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }
    for variant in arguments.variants:
        if variant.startswith("trl") and not importlib.util.find_spec("trl"):
            found[variant] = {"left_out": "trl cannot be imported"}
        else:
            flags = ["--measure", variant, "--shape", arguments.shape, "--steps", str(arguments.steps)]
            command = [sys.executable, "-m", "tests.benchmarks.gpu", *flags, "--out", str(arguments.out)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            last = done.stdout.splitlines()[-1] if done.returncode == 0 else None
            found[variant] = json.loads(last) if last else {"failed": done.returncode}
        print(variant, found[variant], file=sys.stderr)
        write_json(found, arguments.out / "gpu.json")


if __name__ == "__main__":
    main()
