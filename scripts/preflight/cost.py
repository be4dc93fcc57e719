"""What preflight will cost, before it is spent."""

import json
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from scripts.preflight.configuration import SAMPLES, Asked

SECONDS, SECONDS_A_PAIR = 20.0, 0.0012
"""Without a model, on two idle cores: for starting, and for each pair, from the CPU seconds in docs/preflight.md."""
BYTES_A_TOKEN = 4
PROBE = 1024
"""Width of the matrix product that measures this machine."""


@dataclass(frozen=True)
class Cost:
    """seconds: without models, and with them. tokens: through each model."""

    text_seconds: float
    tokens: dict[str, int]
    model_seconds: float

    def __str__(self) -> str:
        words = f"about {duration(self.text_seconds)} without models"
        for model, tokens in self.tokens.items():
            words += f"; {tokens:,} tokens through the {model}"
        return f"{words}, about {duration(self.model_seconds)} on this machine" if self.tokens else words


def cost(rows: int, row_bytes: float, asked: Asked) -> Cost:
    """rows: of the file; row_bytes: their mean size. Tokens are bytes / BYTES_A_TOKEN."""
    tokens = round(rows * row_bytes / BYTES_A_TOKEN)
    through: dict[str, int] = {}
    seconds = 0.0
    for model, folder in (("scorer", asked.scorer), ("policy", asked.policy)):
        if folder:
            own = tokens
            if asked.scorer and asked.policy:  # samples are drawn by the one and scored by the other
                own += rows * SAMPLES["samples"] * SAMPLES["max_new_tokens"]
            through[model] = own
            seconds += 2.0 * parameters(Path(folder)) * own / speed()
    return Cost(SECONDS + SECONDS_A_PAIR * rows, through, seconds)


def parameters(folder: Path) -> int:
    """The number of a model's parameters, from the heads of its safetensors files; 0 if it is not in a local folder."""
    return sum(_parameters_in(file) for file in folder.glob("*.safetensors"))


def _parameters_in(file: Path) -> int:
    with file.open("rb") as opened:
        head = json.loads(opened.read(struct.unpack("<Q", opened.read(8))[0]))
    count = 0
    for name, tensor in head.items():
        size = 1
        for length in tensor.get("shape", [0]):
            size *= length
        count += 0 if name == "__metadata__" else size
    return count


def speed() -> float:
    """Floating-point operations a second of a matrix product on this machine's device, as a model's layers are."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    one = torch.rand(PROBE, PROBE, device=device)
    (one @ one)[0, 0].item()
    start, times = time.perf_counter(), 3
    for _ in range(times):
        one = (one @ one).clamp(max=1.0)
    one[0, 0].item()
    return times * 2.0 * PROBE**3 / max(1e-9, time.perf_counter() - start)


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
