"""Plan: what the configured studies need, what separate runs would need, what is there already, and how long it takes.

Needs: results/prompt_sets/{prompt_set}/, results/suites/{suite}/: counted, and made first where they are missing
Makes: plan.csv, of the moment at which it is asked: no artifact, and made anew each time
"""


rule plan:
    """Count and estimate, without running any model."""
    input:
        prompts=expand(
            "{folder}/prompts.parquet", folder=planning.counted_sets() + planning.counted_suites()
        ),
        responses=expand("{folder}/responses.parquet", folder=planning.counted_sets()),
        references=expand("{folder}/reference.parquet", folder=planning.counted_suites("win_rate")),
    log:
        "logs/plan.log",
    conda:
        "../envs/workflow.yaml"
    params:
        jobs=json.dumps(planning.jobs()),
        hardware=as_json(atlas.hardware),
        folders=planning.counted_sets() + planning.counted_suites(),
    shell:
        r"""
        python -m scripts.studies.plan \
            --jobs {params.jobs:q} \
            --hardware {params.hardware:q} \
            --texts {params.folders} \
            --out plan.csv \
            2>{log}
        """
