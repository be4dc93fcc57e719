"""Alignment stages: what the general rules of rules/studies.smk cannot make, because it needs a judge.

Needs: results/pairs/{dataset}.parquet and the responses behind them
Makes: results/tables/alignment_stages/quality.csv
"""


rule alignment_stages_quality:
    """Whose answers are better: a dataset's, or the off-policy pairs' chosen ones?"""
    input:
        [
            each[part]
            for each in studies.rooms["alignment_stages"].judged
            for part in ("pairs", "responses")
        ],
        reference=files.named_pairs(studies.rooms["alignment_stages"].spec.off_policy),
        prompts=files.prompts_behind([studies.rooms["alignment_stages"].spec.off_policy]),
        responses=files.responses_behind([studies.rooms["alignment_stages"].spec.off_policy]),
        scorer=suite_files.judging_model(studies.rooms["alignment_stages"].spec.win_rate),
        own=suite_files.judging_files(studies.rooms["alignment_stages"].spec.win_rate),
        published="studies/alignment_stages/published/quality.csv",
    output:
        "results/tables/alignment_stages/quality.csv",
    log:
        "logs/studies/alignment_stages/quality.log",
    benchmark:
        "benchmarks/studies/alignment_stages/quality.tsv"
    conda:
        "../../envs/evaluate.yaml"
    threads: threads.of_scorer(suite_files.judging_scorer(studies.rooms["alignment_stages"].spec.win_rate))
    params:
        code=code.of("studies.alignment_stages.quality"),
        contents=contents.at(
            *suite_files.judging_paths(studies.rooms["alignment_stages"].spec.win_rate)
        ),
        suite=spec(SUITES, studies.rooms["alignment_stages"].spec.win_rate),
        datasets=json.dumps(studies.rooms["alignment_stages"].judged),
        most=studies.rooms["alignment_stages"].spec.foreign.cases,
        scorer=suite_files.judging_flags(studies.rooms["alignment_stages"].spec.win_rate),
        verdicts=(
            "--verdicts cache/verdicts"
            if suite_files.is_paid(studies.rooms["alignment_stages"].spec.win_rate)
            else ""
        ),
    shell:
        r"""
        python -m studies.alignment_stages.quality \
            --suite {params.suite:q} \
            --datasets {params.datasets:q} \
            --most {params.most} \
            --reference {input.reference} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            {params.scorer:q} \
            {params.verdicts} \
            --published {input.published} \
            --out {output} \
            2>{log}
        """
