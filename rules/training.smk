"""Training: the policies that runs start from, the runs, and the small models that score and rank.

Needs: a Hugging Face model (policies of kind given), or results/prompt_sets/{prompt_set}/ to learn from (scratch)
       results/pairs/{dataset}.parquet, and for runs results/logprobs/{base}/{family}.parquet as the reference
Makes: results/policies/{policy}/policy.json and, for what is trained here, the model's files beside it
       results/training/{run}.parquet, one row a step
       results/scorers/{scorer}/, results/rankers/{ranker}/
train_online draws the rejected responses from the policy while it is trained, for variants with an online section.
A run takes as many processes as the resource gpu says (docs/several_gpus.md); it is no trigger: results stay the same.
Runs are named {base}.{dataset}.{variant}.s{seed}. Their checkpoints lie in checkpoints/, outside results/.
"""


rule given:
    """Record a model from a hub id or a local folder, with the hashes of its files."""
    input:
        lambda w: local_files(atlas.policies[w.given].model),
        lambda w: local_files(atlas.policies[w.given].chat_template),
    output:
        "results/policies/{given}/policy.json",
    log:
        "logs/training/given/{given}.log",
    benchmark:
        "benchmarks/training/given/{given}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.training.given"),
        spec=lambda w: spec(atlas.policies, w.given),
    shell:
        r"""
        python -m scripts.training.given \
            --name {wildcards.given} \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """


rule pretrain:
    """Train a small policy from random weights on the responses of a prompt set."""
    input:
        prompts=lambda w: f"results/prompt_sets/{atlas.policies[w.scratch].demonstrations}/prompts.parquet",
        responses=lambda w: f"results/prompt_sets/{atlas.policies[w.scratch].demonstrations}/responses.parquet",
    output:
        expand("results/policies/{{scratch}}/{file}", file=["policy.json", *MODEL_FILES]),
    log:
        "logs/training/pretrain/{scratch}.log",
    benchmark:
        "benchmarks/training/pretrain/{scratch}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.training.pretrain"),
        spec=lambda w: spec(atlas.policies, w.scratch),
    shell:
        r"""
        python -m scripts.training.pretrain \
            --name {wildcards.scratch} \
            --spec {params.spec:q} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --out results/policies/{wildcards.scratch} \
            2>{log}
        """


rule train:
    """One run: a policy trained on one pairs dataset, with one variant of the hyperparameters and one seed."""
    input:
        policy=lambda w: policy_files(w.base),
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: texts_behind([w.dataset], "prompts"),
        responses=lambda w: texts_behind([w.dataset], "responses"),
        logprobs=lambda w: expand(
            "results/logprobs/{base}/{family}.parquet",
            base=w.base,
            family=lineage.families_behind(atlas, w.dataset),
        ),
    output:
        expand(
            "results/policies/{{base}}.{{dataset}}.{{variant}}.s{{seed}}/{file}",
            file=["policy.json", *MODEL_FILES],
        ),
        steps="results/training/{base}.{dataset}.{variant}.s{seed}.parquet",
    log:
        "logs/training/{base}.{dataset}.{variant}.s{seed}.log",
    benchmark:
        "benchmarks/training/{base}.{dataset}.{variant}.s{seed}.tsv"
    wildcard_constraints:
        variant=one_of(variants(online=False)),
    conda:
        "../envs/train.yaml"
    params:
        step="scripts.training.train",
        code=lambda w: training_code("scripts.training.train", w.variant),
        spec=lambda w: atlas.training.variant(w.variant).model_dump_json(),
        run="{base}.{dataset}.{variant}.s{seed}",
        # Snakemake compares no parameter that it derives from resources with that of an earlier job.
        python=lambda w, resources: python_for(resources.get("gpu", 1)),
    shell:
        r"""
        {params.python} {params.step} \
            --name {params.run} \
            --spec {params.spec:q} \
            --seed {wildcards.seed} \
            --policy results/policies/{wildcards.base}/policy.json \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --logprobs {input.logprobs} \
            --checkpoints checkpoints/{params.run} \
            --log {output.steps} \
            --out results/policies/{params.run} \
            2>{log}
        """


use rule train as train_online with:
    wildcard_constraints:
        variant=one_of(variants(online=True)),
    params:
        step="scripts.training.train_online",
        code=lambda w: training_code("scripts.training.train_online", w.variant),
        spec=lambda w: atlas.training.variant(w.variant).model_dump_json(),
        run="{base}.{dataset}.{variant}.s{seed}",
        python=lambda w, resources: python_for(resources.get("gpu", 1)),


rule reward_model:
    """Train a small reward model from random weights on preference pairs."""
    input:
        pairs=lambda w: expand(
            "results/pairs/{dataset}.parquet", dataset=atlas.scorers[w.scorer].pairs
        ),
        prompts=lambda w: texts_behind(atlas.scorers[w.scorer].pairs, "prompts"),
        responses=lambda w: texts_behind(atlas.scorers[w.scorer].pairs, "responses"),
    output:
        expand("results/scorers/{{scorer}}/{file}", file=["scorer.json", *CLASSIFIER_FILES]),
    log:
        "logs/training/scorers/{scorer}.log",
    benchmark:
        "benchmarks/training/scorers/{scorer}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.training.reward_model"),
        spec=lambda w: spec(atlas.scorers, w.scorer),
    shell:
        r"""
        python -m scripts.training.reward_model \
            --name {wildcards.scorer} \
            --spec {params.spec:q} \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --out results/scorers/{wildcards.scorer} \
            2>{log}
        """


rule ranker:
    """Train a small pairwise ranker from random weights on preference pairs."""
    input:
        pairs=lambda w: expand(
            "results/pairs/{dataset}.parquet", dataset=atlas.rankers[w.ranker].pairs
        ),
        prompts=lambda w: texts_behind(atlas.rankers[w.ranker].pairs, "prompts"),
        responses=lambda w: texts_behind(atlas.rankers[w.ranker].pairs, "responses"),
    output:
        expand("results/rankers/{{ranker}}/{file}", file=["ranker.json", *CLASSIFIER_FILES]),
    log:
        "logs/training/rankers/{ranker}.log",
    benchmark:
        "benchmarks/training/rankers/{ranker}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.training.ranker"),
        spec=lambda w: spec(atlas.rankers, w.ranker),
    shell:
        r"""
        python -m scripts.training.ranker \
            --name {wildcards.ranker} \
            --spec {params.spec:q} \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --out results/rankers/{wildcards.ranker} \
            2>{log}
        """
