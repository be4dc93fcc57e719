"""Display names in figures and on the page."""

import re
import textwrap

BENCHMARKS = {
    "gsm8k": "GSM8K",
    "lc_ae2": "LC-AE2",
    "mmlu": "MMLU",
    "ifeval": "IFEval",
    "truthfulqa": "TruthfulQA",
    "true_reward": "true reward",
}


def benchmark(name: str) -> str:
    """The benchmark's usual spelling, or its name in the configuration."""
    return BENCHMARKS.get(name, name)


def wrapped(name: str, width: int) -> str:
    """A name on lines of at most ``width`` characters, broken after its own ``_ - .`` and spaces where possible."""
    parts = re.findall(r"[^_\-. ]*[_\-. ]*", name)
    lines = [""]
    for part in (piece for each in parts for piece in textwrap.wrap(each, width, drop_whitespace=False)):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.strip() for line in lines)
