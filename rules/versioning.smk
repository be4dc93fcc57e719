"""Versioning: what DVC shows of a run beside its tables and figures.

Needs: results/claims.csv
       results/evaluations/{policy}/{suite}.json of every run
Makes: results/metrics.json
DVC itself is no rule: `python -m scripts.versioning record` stores what all rules made (docs/versioning.md).
"""


rule metrics:
    """The study in a few numbers, for `dvc metrics diff` and `dvc exp show`."""
    input:
        claims="results/claims.csv",
        evaluations=evaluations(trained_runs()),
    output:
        "results/metrics.json",
    log:
        "logs/versioning/metrics.log",
    benchmark:
        "benchmarks/versioning/metrics.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.versioning.metrics"),
        policies=trained_runs(),
        suites=BENCHMARKS,
    shell:
        r"""
        python -m scripts.versioning.metrics \
            --claims {input.claims} \
            --evaluations results/evaluations \
            --policies {params.policies} \
            --suites {params.suites} \
            --out {output} \
            2>{log}
        """
