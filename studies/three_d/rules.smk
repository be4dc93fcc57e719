"""3D-Properties: what the general rules of rules/studies.smk cannot make, because it needs torch.

Needs: for the reward models a policy, pairs and log-probs, as a run does
Makes: results/reward_models/three_d/{base}.{dataset}.{kind}.s{seed}.csv, one row per step
       results/tables/three_d/toy.csv, toy_findings.csv, toy_curves.csv, toy_matrices.csv, theory.csv
"""


rule three_d_toy:
    """The toy model under every objective, over the grid of what the paper does not state."""
    output:
        expand(
            "results/tables/three_d/{table}.csv",
            table=["toy", "toy_findings", "toy_curves", "toy_matrices"],
        ),
    log:
        "logs/studies/three_d/toy.log",
    benchmark:
        "benchmarks/studies/three_d/toy.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.three_d.toy.grid"),
        spec=studies.rooms["three_d"].spec.toy.model_dump_json(),
    shell:
        r"""
        python -m studies.three_d.toy.grid \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """


rule three_d_theory:
    """Section 3.1 and appendix B against automatic derivatives."""
    output:
        "results/tables/three_d/theory.csv",
    log:
        "logs/studies/three_d/theory.log",
    benchmark:
        "benchmarks/studies/three_d/theory.tsv"
    group:
        "report"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.three_d.theory.check"),
    shell:
        r"""
        python -m studies.three_d.theory.check \
            --out {output} \
            2>{log}
        """


rule three_d_reward_model:
    """A reward model, or a DPO policy, along training on the same pairs."""
    input:
        policy=lambda w: files.policy(w.base),
        pairs=lambda w: files.named_pairs(w.dataset, w.base),
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset], w.base),
        logprobs=lambda w: files.references(w.dataset, w.base),
    output:
        "results/reward_models/three_d/{base}.{dataset}.{kind}.s{seed}.csv",
    log:
        "logs/studies/three_d/{base}.{dataset}.{kind}.s{seed}.log",
    benchmark:
        "benchmarks/studies/three_d/{base}.{dataset}.{kind}.s{seed}.tsv"
    wildcard_constraints:
        dataset=DRAWN,
        kind="rm|dpo",
    conda:
        "../../envs/train.yaml"
    threads: lambda w: threads.of_policy(w.base)
    params:
        code=code.of("studies.three_d.reward_model.run"),
        spec=lambda w: atlas.training.variant(
            studies.rooms["three_d"].spec.experiments.variant
        ).model_dump_json(),
        held_out=lambda w: studies.rooms["three_d"].spec.experiments.reward_models.held_out,
        every=lambda w: studies.rooms["three_d"].spec.experiments.reward_models.every,
    shell:
        r"""
        python -m studies.three_d.reward_model.run \
            --kind {wildcards.kind} \
            --spec {params.spec:q} \
            --seed {wildcards.seed} \
            --held-out {params.held_out} \
            --every {params.every} \
            --policy results/policies/{wildcards.base}/policy.json \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --logprobs {input.logprobs} \
            --out {output} \
            2>{log}
        """
