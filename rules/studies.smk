"""Studies: the papers' tables and claims.

Needs: results/evaluations/{policy}/{suite}.json of every run and of the policy they start from
       results/pairs/{dataset}.parquet
       scripts/studies/published/, the papers' own numbers
       results/scores/, results/logprobs/ and results/samples/, to count what is shared
Makes: results/tables/what_matters/table1.csv to table5.csv, sharing.csv
       results/tables/what_matters/theory.csv, figure1.csv: nothing needed
       results/claims.csv
"""


rule table1:
    """Table 1: chosen quality against rejected quality, row for row as the paper has it."""
    input:
        evaluations=evaluations(table_runs("table1") if "table1" in TABLES else []),
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
        code=code("scripts.studies.what_matters.table1"),
        spec=STUDY.model_dump_json() if STUDY else "",
        pairs=table_specs("table1"),
    shell:
        r"""
        python -m scripts.studies.what_matters.table1 \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published {input.published} \
            --out {output} \
            2>{log}
        """


rule table2:
    """Table 2: online DPO with fixed chosen responses, and continual SFT on them."""
    input:
        evaluations=evaluations(table_runs("table2") if "table2" in TABLES else []),
        published="scripts/studies/published/what_matters/table2.csv",
    output:
        "results/tables/what_matters/table2.csv",
    log:
        "logs/studies/what_matters/table2.log",
    benchmark:
        "benchmarks/studies/what_matters/table2.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.what_matters.table2"),
        spec=STUDY.model_dump_json() if STUDY else "",
        pairs=table_specs("table2"),
    shell:
        r"""
        python -m scripts.studies.what_matters.table2 \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published {input.published} \
            --out {output} \
            2>{log}
        """


rule table3:
    """Table 3: chosen quality against the preference gap, and counterfactuals."""
    input:
        evaluations=evaluations(table_runs("table3") if "table3" in TABLES else []),
        pairs=expand(
            "results/pairs/{dataset}.parquet",
            dataset=layout.pairs_of(["table3"], STUDY, atlas.pairs) if "table3" in TABLES else [],
        ),
        published="scripts/studies/published/what_matters/table3.csv",
    output:
        "results/tables/what_matters/table3.csv",
    log:
        "logs/studies/what_matters/table3.log",
    benchmark:
        "benchmarks/studies/what_matters/table3.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.what_matters.table3"),
        spec=STUDY.model_dump_json() if STUDY else "",
        pairs=table_specs("table3"),
    shell:
        r"""
        python -m scripts.studies.what_matters.table3 \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published {input.published} \
            --pairs-tables {input.pairs} \
            --out {output} \
            2>{log}
        """


rule table4:
    """Table 4: on-policy samples mixed into good and bad offline data."""
    input:
        evaluations=evaluations(table_runs("table4") if "table4" in TABLES else []),
        pairs=expand(
            "results/pairs/{dataset}.parquet",
            dataset=layout.pairs_of(["table4"], STUDY, atlas.pairs) if "table4" in TABLES else [],
        ),
        published="scripts/studies/published/what_matters/table4.csv",
    output:
        "results/tables/what_matters/table4.csv",
    log:
        "logs/studies/what_matters/table4.log",
    benchmark:
        "benchmarks/studies/what_matters/table4.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.what_matters.table4"),
        spec=STUDY.model_dump_json() if STUDY else "",
        pairs=table_specs("table4"),
    shell:
        r"""
        python -m scripts.studies.what_matters.table4 \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --published {input.published} \
            --pairs-tables {input.pairs} \
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
        code=code("scripts.studies.what_matters.table5"),
        names=pairs_names(),
    shell:
        r"""
        python -m scripts.studies.what_matters.table5 \
            --pairs {input.pairs} \
            --names {params.names:q} \
            --published {input.published} \
            --out {output} \
            2>{log}
        """


rule sharing:
    """What the study computed, and what its runs would have computed one by one."""
    input:
        scores=[path for need in needs() for path in need["scores"]],
        pairs=expand(
            "results/pairs/{dataset}.{kind}", dataset=TABLE_PAIRS, kind=["parquet", "card.json"]
        ),
        logprobs=reference_logprobs(),
        samples=sample_tables(),
    output:
        "results/tables/what_matters/sharing.csv",
    log:
        "logs/studies/what_matters/sharing.log",
    benchmark:
        "benchmarks/studies/what_matters/sharing.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.studies.what_matters.sharing"),
        needs=json.dumps(needs()),
        mixtures=json.dumps(samples_a_prompt()),
    shell:
        r"""
        python -m scripts.studies.what_matters.sharing \
            --needs {params.needs:q} \
            --logprobs {input.logprobs} \
            --samples {input.samples} \
            --mixtures {params.mixtures:q} \
            --out {output} \
            2>{log}
        """


rule theory:
    """Section 4's theorems, checked numerically on tabular policies, and the densities of Figure 1."""
    output:
        table="results/tables/what_matters/theory.csv",
        picture="results/tables/what_matters/figure1.csv",
    log:
        "logs/studies/what_matters/theory.log",
    benchmark:
        "benchmarks/studies/what_matters/theory.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.studies.what_matters.theory"),
    shell:
        r"""
        python -m scripts.studies.what_matters.theory \
            --seed 0 \
            --picture {output.picture} \
            --out {output.table} \
            2>{log}
        """


rule claims:
    """Every claim of the studies as a statistic with an interval and a verdict."""
    input:
        evaluations=evaluations(table_runs()),
        theory="results/tables/what_matters/theory.csv" if STUDY else [],
        published=expand("scripts/studies/published/what_matters/{table}.csv", table=TABLES),
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
        pairs=table_specs(),
    shell:
        r"""
        python -m scripts.studies.claims \
            --spec {params.spec:q} \
            --pairs {params.pairs:q} \
            --evaluations results/evaluations \
            --tables results/tables \
            --published scripts/studies/published \
            --out {output} \
            2>{log}
        """
