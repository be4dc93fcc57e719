"""Log-probs: the tokens of each response, once per policy, for all datasets and runs that need them as reference.

Needs: results/policies/{base}/, results/prompt_sets/{prompt_set}/prompts.parquet, responses.parquet
       results/samples/{policy}/{family}.responses.parquet of sampled families
Makes: results/logprobs/{base}/{family}.parquet, and next to it what was cut or left out (.card.json)
A killed job resumes from checkpoints/logprobs/.
"""


rule logprobs:
    """Per-token log-probs of one family under a policy that runs start from."""
    input:
        policy=lambda w: files.policy(w.base),
        prompts=lambda w: files.prompts(w.family),
        responses=lambda w: files.responses(w.family),
    output:
        table="results/logprobs/{base}/{family}.parquet",
        card="results/logprobs/{base}/{family}.card.json",
    log:
        "logs/logprobs/{base}/{family}.log",
    benchmark:
        "benchmarks/logprobs/{base}/{family}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_policy(w.base)
    params:
        code=code.of("scripts.logprobs.compute"),
        batch_tokens=lambda w: files.root_of(w.base).batch_tokens,
    shell:
        r"""
        python -m scripts.logprobs.compute \
            --policy results/policies/{wildcards.base}/policy.json \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --family {wildcards.family} \
            --batch-tokens {params.batch_tokens} \
            --checkpoints checkpoints/logprobs/{wildcards.base}/{wildcards.family} \
            --out {output.table} \
            2>{log}
        """
