"""Samples: a policy's own responses to a set of prompts, once.

Needs: results/policies/{policy}/, results/suites/{suite}/prompts.parquet
Makes: results/samples/{policy}/{suite}.parquet
"""


rule sample:
    """Sample a policy on the prompts of a win-rate suite, seeded per prompt."""
    input:
        policy=lambda w: policy_files(w.policy),
        prompts="results/suites/{suite}/prompts.parquet",
    output:
        "results/samples/{policy}/{suite}.parquet",
    log:
        "logs/samples/{policy}/{suite}.log",
    benchmark:
        "benchmarks/samples/{policy}/{suite}.tsv"
    conda:
        "../envs/train.yaml"
    params:
        code=code("scripts.samples.sample"),
        spec=lambda w: atlas.evaluation.suites[w.suite].sampling.model_dump_json(),
    shell:
        r"""
        python -m scripts.samples.sample \
            --policy results/policies/{wildcards.policy}/policy.json \
            --name {wildcards.policy} \
            --prompts {input.prompts} \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """
