"""Scores: each response once per scorer; each pair once per ranker.

Needs: results/prompt_sets/{prompt_set}/prompts.parquet, responses.parquet, annotations.parquet
       results/samples/{policy}/{family}.responses.parquet of sampled families
       results/scorers/{scorer}/, results/rankers/{ranker}/ of the models trained here (rules/training.smk)
       results/pairs/{dataset}.parquet to rank
Makes: results/scores/{scorer}/{family}.parquet
       results/rankings/{ranker}/{dataset}.parquet
Keeps: cache/verdicts/, the answers of LLMs that grade (rules/evaluation.smk)
A killed job of rule score resumes from checkpoints/scores/.
"""


rule score:
    """Score the responses of one family."""
    input:
        prompts=lambda w: files.prompts(w.family),
        responses=lambda w: files.responses(w.family),
        annotations=lambda w: files.annotations(w.family),
        model=lambda w: files.scorer(w.scorer),
        own=lambda w: files.scorer_data(w.scorer),
    output:
        "results/scores/{scorer}/{family}.parquet",
    log:
        "logs/scores/{scorer}/{family}.log",
    benchmark:
        "benchmarks/scores/{scorer}/{family}.tsv"
    conda:
        lambda w: inference_environment(atlas.scorers[w.scorer])
    threads: lambda w: threads.of_scorer(w.scorer)
    params:
        code=lambda w: code.of_inference("scripts.scores.score", atlas.scorers[w.scorer]),
        contents=lambda w: contents.at(*files.scorer_paths(w.scorer)),
        spec=lambda w: spec(atlas.scorers, w.scorer),
        model=lambda w: f"--model-dir results/scorers/{w.scorer}" if files.scorer(w.scorer) else "",
        verdicts=lambda w: files.verdicts(w.scorer),
    shell:
        r"""
        python -m scripts.scores.score \
            --scorer {wildcards.scorer} \
            --spec {params.spec:q} \
            --family {wildcards.family} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --annotations {input.annotations} \
            {params.model} \
            {params.verdicts} \
            --checkpoints checkpoints/scores/{wildcards.scorer}/{wildcards.family} \
            --out {output} \
            2>{log}
        """


rule rank:
    """Ask a ranker which response of each pair wins."""
    input:
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset]),
        model=lambda w: files.ranker(w.ranker),
    output:
        "results/rankings/{ranker}/{dataset}.parquet",
    log:
        "logs/rankings/{ranker}/{dataset}.log",
    benchmark:
        "benchmarks/rankings/{ranker}/{dataset}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_ranker(w.ranker)
    params:
        code=code.of("scripts.scores.rank"),
        contents=lambda w: contents.at(files.ranker_path(w.ranker)),
        spec=lambda w: spec(atlas.rankers, w.ranker),
        model=lambda w: files.ranker_folder(w.ranker),
    shell:
        r"""
        python -m scripts.scores.rank \
            --ranker {wildcards.ranker} \
            --spec {params.spec:q} \
            {params.model} \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --out {output} \
            2>{log}
        """
