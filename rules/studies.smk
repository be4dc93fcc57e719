"""Studies: the papers' tables and claims.

Needs: results/evaluations/{policy}/{suite}.json of every run and of the policy they start from
       results/pairs/{dataset}.parquet
       scripts/studies/published/, the papers' own numbers
Makes: results/tables/what_matters/table1.csv, table5.csv
       results/claims.csv
"""

STUDY = atlas.studies.what_matters
TABLE_PAIRS = plan.table_pairs(atlas, STUDY) if STUDY else {}


def evaluations(policies):
    """Every measured suite of these policies."""
    return expand("results/evaluations/{policy}/{suite}.json", policy=policies, suite=BENCHMARKS)


def table_runs():
    return [run.name for run in plan.table_runs(atlas, STUDY)] if STUDY else []


def specs_json(section):
    return json.dumps({name: entry.model_dump() for name, entry in section.items()})


def pairs_names():
    """Pairs dataset -> what tables and figures call it."""
    called = {dataset.prompt_set: dataset.name for dataset in STUDY.datasets} if STUDY else {}
    return json.dumps(
        {
            name: {
                "dataset": called[pairs.prompt_set],
                "chosen": pairs.chosen,
                "rejected": pairs.rejected,
            }
            for name, pairs in TABLE_PAIRS.items()
        }
    )


def study_targets(study):
    """The files that one study ends in."""
    if getattr(atlas.studies, study) is None:
        return []
    tables = expand("results/tables/{study}/{table}.csv", study=study, table=["table1", "table5"])
    figures = expand(
        "results/figures/{study}/{figure}.{kind}", study=study, figure=FIGURES, kind=["svg", "png"]
    )
    return tables + figures


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
