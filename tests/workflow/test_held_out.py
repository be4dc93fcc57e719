"""Held-out pairs in the whole DAG: ordered by log-probs alone, and nothing is sampled, trained or judged for them."""

import pandas as pd

from scripts.lib.results import read_evaluation
from tests.workflow.house import House

RUN = "medium.open_assistant_best_worst.dpo.s0"


def test_held_out_pairs_need_log_probs_alone(twin: House) -> None:
    twin.configure("evaluation", "suites", "held_out", {"kind": "preference", "pairs": "ultrafeedback_comparisons"})
    wanted = [f"results/evaluations/{policy}/held_out.json" for policy in ("medium", RUN)]
    families = len(list((twin.folder / "results/scores/oracle").glob("ultrafeedback.model_*.parquet"))) + 1
    planned = twin.planned("--", *wanted)
    assert planned == {"comparisons": 1, "logprobs": 2 * families, "preference": 2}
    twin.snakemake("--", *wanted)
    start, run = (read_evaluation(twin.folder / path) for path in wanted)
    prompts = pd.read_parquet(twin.folder / "results/pairs/ultrafeedback_comparisons.parquet")["prompt_id"].nunique()
    assert start.n == run.n == prompts
    assert set(start.values) == {50.0} and start.metrics["implicit_margin"] == 0  # it is its own reference
    assert run.metrics["implicit_margin"] != 0 and set(run.values) - {50.0}
    assert twin.planned("--", *wanted) == {}
