"""Plan: what the studies need, what separate runs would need, what exists already, and how long the rest will take.

Needs: results/prompt_sets/{prompt_set}/, results/suites/{suite}/, which are counted, and made first if missing
       results/data/{source}/conversations.parquet that policies are supervised on
       results/pairs/{dataset}.parquet of labelled pairs
Makes: plan.csv, plan_truncation.csv, as of the moment of asking: no artifacts, and made again each time
"""


rule plan:
    """Count and estimate, without running any model."""
    input:
        prompts=expand(
            "{folder}/prompts.parquet", folder=planning.counted_sets() + planning.counted_suites()
        ),
        responses=expand("{folder}/responses.parquet", folder=planning.counted_sets()),
        references=expand("{folder}/reference.parquet", folder=planning.counted_suites("win_rate")),
        conversations=planning.counted_conversations(),
        pairs=planning.labelled(),
    log:
        "logs/plan.log",
    conda:
        "../envs/workflow.yaml"
    params:
        jobs=json.dumps(planning.jobs()),
        hardware=as_json(atlas.hardware),
        cuts=json.dumps(planning.cuts()),
        folders=planning.counted_sets() + planning.counted_suites(),
    shell:
        r"""
        python -m scripts.studies.plan \
            --jobs {params.jobs:q} \
            --hardware {params.hardware:q} \
            --cuts {params.cuts:q} \
            --texts {params.folders} \
            --conversations {input.conversations} \
            --out plan.csv \
            2>{log}
        """
