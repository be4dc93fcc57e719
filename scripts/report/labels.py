"""Display names of benchmarks in figures and on the page."""

BENCHMARKS = {"gsm8k": "GSM8K", "lc_ae2": "LC-AE2", "mmlu": "MMLU", "ifeval": "IFEval", "truthfulqa": "TruthfulQA"}


def benchmark(name: str) -> str:
    """The benchmark's usual spelling, or its name in the configuration."""
    return BENCHMARKS.get(name, name)
