"""Evaluation: every policy on every suite.

Suites and their data:
    questions       step: the questions of the didactic world's suites
    prompts         step: a suite's prompts, and a win-rate suite's reference outputs
    benchmark_files benchmark questions from local copies of the hub's or the authors' files
    rows            rows of a data file: JSON Lines, JSON, Parquet, CSV
    suite_files     a win-rate suite, read back from its two tables
Harness suites:
    harness         step: one policy on harness suites, with lm-eval
    tasks           lm-eval's task definitions on the data that a suite names
    world_tasks     the didactic world's task definitions (YAML) and their metrics
Win rates:
    judge           step: judges a policy's outputs and computes its win rates
    local_judges    free judges that run locally
    llm_judges      LLM judges behind an API: prompts and clients
    verdicts        asking an LLM judge: stored verdicts, one request per pair
    judging_cost    command: the estimated cost of an LLM judge
    rates           win rate and length-controlled win rate from judgements
    control_files   the two files of length control: published, given, or fitted
    length_control  step: fits length control for a suite of the didactic world
    win_rate        command: win rates from a file of AlpacaEval annotations
"""
