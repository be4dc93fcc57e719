"""What figures and the page call a benchmark."""

BENCHMARKS = {"gsm8k": "GSM8K", "lc_ae2": "LC-AE2", "mmlu": "MMLU", "ifeval": "IFEval", "truthfulqa": "TruthfulQA"}


def benchmark(name: str) -> str:
    """The benchmark's usual spelling; its name in the configuration where it has none."""
    return BENCHMARKS.get(name, name)
