"""Versioning: what DVC shows of a run, in addition to its tables and figures.

Needs: results/claims.csv
       results/evaluations/{policy}/{suite}.json of everything that a study measures
Makes: results/metrics.json and results/figures/claims.csv
No rule calls DVC: `python -m scripts.versioning record` stores what all rules made (docs/versioning.md).
"""


rule metrics:
    """A few numbers per study for `dvc metrics diff` and `dvc exp show`, and the claims for `dvc plots show`."""
    input:
        claims="results/claims.csv" if studies.with_claims else [],
        evaluations=[path for room in studies.rooms.values() for path in room.evaluations()],
    output:
        metrics="results/metrics.json",
        drawn="results/figures/claims.csv",
    log:
        "logs/versioning/metrics.log",
    benchmark:
        "benchmarks/versioning/metrics.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.versioning.metrics"),
        claims="--claims results/claims.csv" if studies.with_claims else "",
        measured=json.dumps({name: room.measured for name, room in studies.rooms.items()}),
    shell:
        r"""
        python -m scripts.versioning.metrics \
            {params.claims} \
            --measured {params.measured:q} \
            --evaluations results/evaluations \
            --drawn {output.drawn} \
            --out {output.metrics} \
            2>{log}
        """
