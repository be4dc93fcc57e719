"""Plan: what the configured study needs, what separate runs would need, what is there already, and how long it takes.

Needs: results/prompt_sets/{prompt_set}/, results/suites/{suite}/: counted, and made first where they are missing
Makes: results/plan.csv, of the moment at which it is asked: no artifact, and made anew each time
"""


rule plan:
    """Count and estimate, without running any model."""
    input:
        prompts=[f"{folder}/prompts.parquet" for folder in counted_folders()],
        responses=[
            f"{folder}/{'reference' if 'suites' in folder else 'responses'}.parquet"
            for folder in counted_folders()
        ],
    log:
        "logs/plan.log",
    conda:
        "../envs/workflow.yaml"
    params:
        jobs=json.dumps(planned_jobs()),
        hardware=json.dumps({name: each.model_dump() for name, each in atlas.hardware.items()}),
        folders=counted_folders(),
    shell:
        r"""
        python -m scripts.studies.plan \
            --jobs {params.jobs:q} \
            --hardware {params.hardware:q} \
            --texts {params.folders} \
            --out results/plan.csv \
            2>{log}
        """
