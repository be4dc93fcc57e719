"""Studies: the papers' tables and claims.

Needs: results/evaluations/{policy}/{suite}.json of every run and of the policy they start from
       results/pairs/{dataset}.parquet
       scripts/studies/published/, the papers' own numbers
Makes: results/tables/what_matters/table1.csv, table5.csv
       results/claims.csv
"""


rule table1:
    """Table 1: chosen quality against rejected quality, row for row as the paper has it."""
    input:
        evaluations=evaluations([STUDY.policy, *table_runs()] if STUDY else []),
        published="scripts/studies/published/what_matters/table1.csv",
    output:
        "results/tables/what_matters/table1.csv",
    log:
        "logs/studies/what_matters/table1.log",
    benchmark:
        "benchmarks/studies/what_matters/table1.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.what_matters"),
        spec=STUDY.model_dump_json() if STUDY else "",
        pairs=specs_json(TABLE_PAIRS),
    shell:
        r"""
        python -m scripts.studies.what_matters \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published {input.published} \
            --out {output} \
            2>{log}
        """


rule table5:
    """Table 5: how the scores of each pairs dataset spread."""
    input:
        pairs=expand("results/pairs/{dataset}.parquet", dataset=TABLE_PAIRS),
        published="scripts/studies/published/what_matters/table5.csv",
    output:
        "results/tables/what_matters/table5.csv",
    log:
        "logs/studies/what_matters/table5.log",
    benchmark:
        "benchmarks/studies/what_matters/table5.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.score_statistics"),
        names=pairs_names(),
    shell:
        r"""
        python -m scripts.studies.score_statistics \
            --pairs {input.pairs} \
            --names {params.names:q} \
            --published {input.published} \
            --out {output} \
            2>{log}
        """


rule claims:
    """Every claim of the studies as a statistic with an interval and a verdict."""
    input:
        evaluations=evaluations([STUDY.policy, *table_runs()] if STUDY else []),
        published="scripts/studies/published/what_matters/table1.csv",
    output:
        "results/claims.csv",
    log:
        "logs/studies/claims.log",
    benchmark:
        "benchmarks/studies/claims.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.claims"),
        spec=atlas.studies.model_dump_json(),
        pairs=specs_json(TABLE_PAIRS),
    shell:
        r"""
        python -m scripts.studies.claims \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published scripts/studies/published \
            --out {output} \
            2>{log}
        """
