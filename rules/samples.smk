"""Samples: a policy's own responses to a set of prompts, once.

Needs: results/policies/{policy}/
       results/suites/{suite}/prompts.parquet, or results/prompt_sets/{prompt_set}/prompts.parquet
Makes: results/samples/{policy}/{suite}.parquet, to be judged
       .card.json next to each table of samples: how many were cut short, empty or refused
       results/samples/{policy}/{prompt_set}.{sample_set}.parquet, and next to it its distinct responses
       (.responses.parquet): a family that gets scores and log-probs like any other
       results/samples/{policy}/{prompt_set}.{sample_set}.{shard}-of-{shards}.parquet of sample sets with shards
A sample set without a policy is drawn from each start of a run, and then {sample_set} is {name}@{start}.
A killed job resumes from checkpoints/samples/.
"""


rule sample:
    """Sample a policy on the prompts of a win-rate suite, seeded per prompt."""
    input:
        policy=lambda w: files.policy(w.policy),
        prompts="results/suites/{suite}/prompts.parquet",
    output:
        samples="results/samples/{policy}/{suite}.parquet",
        card="results/samples/{policy}/{suite}.card.json",
    log:
        "logs/samples/{policy}/{suite}.log",
    benchmark:
        "benchmarks/samples/{policy}/{suite}.tsv"
    conda:
        lambda w: inference_environment(SUITES[w.suite].sampling)
    threads: lambda w: threads.of_policy(w.policy)
    params:
        code=lambda w: code.of_inference("scripts.samples.sample", SUITES[w.suite].sampling),
        spec=lambda w: SUITES[w.suite].sampling.model_dump_json(),
    shell:
        r"""
        python -m scripts.samples.sample \
            --policy results/policies/{wildcards.policy}/policy.json \
            --family {wildcards.policy} \
            --prompts {input.prompts} \
            --spec {params.spec:q} \
            --checkpoints checkpoints/samples/{wildcards.policy}/{wildcards.suite} \
            --out {output.samples} \
            2>{log}
        """


rule sample_prompt_set:
    """Sample a policy on a prompt set, for pairs with its own responses."""
    input:
        policy=lambda w: files.policy(w.policy),
        prompts="results/prompt_sets/{prompt_set}/prompts.parquet",
    output:
        samples="results/samples/{policy}/{prompt_set}.{sample_set}.parquet",
        card="results/samples/{policy}/{prompt_set}.{sample_set}.card.json",
        responses="results/samples/{policy}/{prompt_set}.{sample_set}.responses.parquet",
    log:
        "logs/samples/{policy}/{prompt_set}.{sample_set}.log",
    benchmark:
        "benchmarks/samples/{policy}/{prompt_set}.{sample_set}.tsv"
    wildcard_constraints:
        sample_set=files.sample_sets(sharded=False),
    conda:
        lambda w: inference_environment(files.sample_set(w.sample_set))
    threads: lambda w: threads.of_policy(w.policy)
    params:
        code=lambda w: code.of_inference("scripts.samples.sample", files.sample_set(w.sample_set)),
        spec=lambda w: files.sampling(w.sample_set),
        limit=lambda w: files.limit_of(w.sample_set),
    shell:
        r"""
        python -m scripts.samples.sample \
            --policy results/policies/{wildcards.policy}/policy.json \
            --family {wildcards.prompt_set}.{wildcards.sample_set} \
            --prompts {input.prompts} \
            {params.limit} \
            --spec {params.spec:q} \
            --checkpoints checkpoints/samples/{wildcards.policy}/{wildcards.prompt_set}.{wildcards.sample_set} \
            --out {output.samples} \
            --responses {output.responses} \
            2>{log}
        """


rule sample_shard:
    """Sample a policy on one of several equal parts of a prompt set."""
    input:
        policy=lambda w: files.policy(w.policy),
        prompts="results/prompt_sets/{prompt_set}/prompts.parquet",
    output:
        samples="results/samples/{policy}/{prompt_set}.{sample_set}.{shard}-of-{shards}.parquet",
        card="results/samples/{policy}/{prompt_set}.{sample_set}.{shard}-of-{shards}.card.json",
    log:
        "logs/samples/{policy}/{prompt_set}.{sample_set}.{shard}-of-{shards}.log",
    benchmark:
        "benchmarks/samples/{policy}/{prompt_set}.{sample_set}.{shard}-of-{shards}.tsv"
    wildcard_constraints:
        shard=r"\d+",
        shards=r"\d+",
    conda:
        lambda w: inference_environment(files.sample_set(w.sample_set))
    threads: lambda w: threads.of_policy(w.policy)
    params:
        code=lambda w: code.of_inference("scripts.samples.sample", files.sample_set(w.sample_set)),
        spec=lambda w: files.sampling(w.sample_set),
        limit=lambda w: files.limit_of(w.sample_set),
    shell:
        r"""
        python -m scripts.samples.sample \
            --policy results/policies/{wildcards.policy}/policy.json \
            --family {wildcards.prompt_set}.{wildcards.sample_set} \
            --prompts {input.prompts} \
            {params.limit} \
            --shard {wildcards.shard} {wildcards.shards} \
            --spec {params.spec:q} \
            --checkpoints checkpoints/samples/{wildcards.policy}/{wildcards.prompt_set}.{wildcards.sample_set}.{wildcards.shard} \
            --out {output.samples} \
            2>{log}
        """


rule gather_samples:
    """Join the parts of a sample set."""
    input:
        shards=lambda w: files.shards(w.policy, w.prompt_set, w.sample_set),
        cards=lambda w: [
            path.removesuffix(".parquet") + ".card.json"
            for path in files.shards(w.policy, w.prompt_set, w.sample_set)
        ],
    output:
        samples="results/samples/{policy}/{prompt_set}.{sample_set}.parquet",
        card="results/samples/{policy}/{prompt_set}.{sample_set}.card.json",
        responses="results/samples/{policy}/{prompt_set}.{sample_set}.responses.parquet",
    log:
        "logs/samples/{policy}/{prompt_set}.{sample_set}.log",
    wildcard_constraints:
        sample_set=files.sample_sets(sharded=True),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.samples.gather"),
    shell:
        r"""
        python -m scripts.samples.gather \
            --shards {input.shards} \
            --out {output.samples} \
            --responses {output.responses} \
            2>{log}
        """
