"""Training: the policies that runs start from, the runs, and the small models that score and rank.

Needs: a Hugging Face model (policies of kind given), or results/prompt_sets/{prompt_set}/ to learn from (scratch), or
       results/data/{source}/conversations.parquet (supervised)
       results/pairs/{dataset}.parquet, and for runs results/logprobs/{base}/{family}.parquet as the reference
       results/samples/{base}/{family}.responses.parquet to watch (training.watch)
Makes: results/policies/{policy}/policy.json and, for what is trained here, the model's files next to it
       results/training/{supervised}.parquet, one row per step, and what the policy learns from (.card.json)
       results/training/{run}.parquet, one row per step, and what the run learns from (.card.json)
       results/scorers/{scorer}/, results/rankers/{ranker}/
Runs are named {base}.{dataset}.{variant}.s{seed}; {base} is a policy or another run. Checkpoints of runs and of
supervised policies are in checkpoints/, outside results/. Both take as many processes as the resource gpu says
(docs/several_gpus.md), which is not a trigger. train_online, for variants with an online section, draws responses from
the policy itself, and scores them if the section names a scorer.
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
        code=code.of("scripts.training.given"),
        contents=lambda w: contents.at(
            atlas.policies[w.given].model, atlas.policies[w.given].chat_template
        ),
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
        expand("results/policies/{{scratch}}/{file}", file=["policy.json", *MODEL]),
    log:
        "logs/training/pretrain/{scratch}.log",
    benchmark:
        "benchmarks/training/pretrain/{scratch}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_policy(w.scratch)
    params:
        code=code.of("scripts.training.pretrain"),
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


rule supervise:
    """Supervise a policy on whole conversations."""
    input:
        policy=lambda w: files.policy(atlas.policies[w.supervised].start),
        demonstrations=lambda w: f"results/data/{atlas.policies[w.supervised].demonstrations}/conversations.parquet",
    output:
        expand("results/policies/{{supervised}}/{file}", file=["policy.json", *MODEL]),
        steps="results/training/{supervised}.parquet",
        card="results/training/{supervised}.card.json",
    log:
        "logs/training/supervise/{supervised}.log",
    benchmark:
        "benchmarks/training/supervise/{supervised}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_policy(w.supervised)
    params:
        code=code.of("scripts.training.supervise"),
        spec=lambda w: spec(atlas.policies, w.supervised),
        start=lambda w: atlas.policies[w.supervised].start,
        python=lambda w, resources: python_for(resources.get("gpu", 1)),
    shell:
        r"""
        {params.python} scripts.training.supervise \
            --name {wildcards.supervised} \
            --spec {params.spec:q} \
            --policy results/policies/{params.start}/policy.json \
            --demonstrations {input.demonstrations} \
            --checkpoints checkpoints/{wildcards.supervised} \
            --log {output.steps} \
            --out results/policies/{wildcards.supervised} \
            2>{log}
        """


rule train:
    """One run: a policy trained on one pairs dataset, with one variant of the hyperparameters and one seed."""
    input:
        policy=lambda w: files.policy(w.base),
        pairs=lambda w: files.named_pairs(w.dataset, w.base),
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset], w.base),
        logprobs=lambda w: files.references(w.dataset, w.base),
        watched=lambda w: files.watched(w.dataset, w.base),
    output:
        expand(
            "results/policies/{{base}}.{{dataset}}.{{variant}}.s{{seed}}/{file}",
            file=["policy.json", *MODEL],
        ),
        steps="results/training/{base}.{dataset}.{variant}.s{seed}.parquet",
        card="results/training/{base}.{dataset}.{variant}.s{seed}.card.json",
    log:
        "logs/training/{base}.{dataset}.{variant}.s{seed}.log",
    benchmark:
        "benchmarks/training/{base}.{dataset}.{variant}.s{seed}.tsv"
    wildcard_constraints:
        dataset=DRAWN,
        variant=one_of(files.variants(online=False)),
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_policy(w.base)
    params:
        step="scripts.training.train",
        code=lambda w: code.of_training(
            "scripts.training.train", atlas.training.variant(w.variant).objective
        ),
        spec=lambda w: atlas.training.variant(w.variant).model_dump_json(),
        run="{base}.{dataset}.{variant}.s{seed}",
        scorer=[],
        watched=lambda w, input: ["--watched", *input.watched] if input.watched else [],
        # Not a trigger: Snakemake does not compare parameters that depend on resources with those of earlier jobs.
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
            {params.scorer:q} \
            {params.watched} \
            --checkpoints checkpoints/{params.run} \
            --log {output.steps} \
            --out results/policies/{params.run} \
            2>{log}
        """


use rule train as train_online with:
    input:
        policy=lambda w: files.policy(w.base),
        pairs=lambda w: files.named_pairs(w.dataset, w.base),
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset], w.base),
        logprobs=lambda w: files.references(w.dataset, w.base),
        watched=lambda w: files.watched(w.dataset, w.base),
        scorer=lambda w: files.training_scorer_files(w.variant),
    wildcard_constraints:
        dataset=DRAWN,
        variant=one_of(files.variants(online=True)),
    params:
        step="scripts.training.train_online",
        code=lambda w: code.of_training(
            "scripts.training.train_online",
            atlas.training.variant(w.variant).objective,
            atlas.scorers.get(files.training_scorer(w.variant)),
        ),
        spec=lambda w: atlas.training.variant(w.variant).model_dump_json(),
        run="{base}.{dataset}.{variant}.s{seed}",
        scorer=lambda w: files.training_scorer_flags(w.variant),
        watched=lambda w, input: ["--watched", *input.watched] if input.watched else [],
        python=lambda w, resources: python_for(resources.get("gpu", 1)),


rule reward_model:
    """Train a small reward model from random weights on preference pairs."""
    input:
        pairs=lambda w: expand(
            "results/pairs/{dataset}.parquet", dataset=atlas.scorers[w.scorer].pairs
        ),
        prompts=lambda w: files.prompts_behind(atlas.scorers[w.scorer].pairs),
        responses=lambda w: files.responses_behind(atlas.scorers[w.scorer].pairs),
    output:
        expand("results/scorers/{{scorer}}/{file}", file=["scorer.json", *CLASSIFIER]),
    log:
        "logs/training/scorers/{scorer}.log",
    benchmark:
        "benchmarks/training/scorers/{scorer}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code.of("scripts.training.reward_model"),
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
        prompts=lambda w: files.prompts_behind(atlas.rankers[w.ranker].pairs),
        responses=lambda w: files.responses_behind(atlas.rankers[w.ranker].pairs),
    output:
        expand("results/rankers/{{ranker}}/{file}", file=["ranker.json", *CLASSIFIER]),
    log:
        "logs/training/rankers/{ranker}.log",
    benchmark:
        "benchmarks/training/rankers/{ranker}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code.of("scripts.training.ranker"),
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
