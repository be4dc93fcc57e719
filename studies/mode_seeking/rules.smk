"""Mode-seeking: what the general rules of rules/studies.smk cannot make.

Needs: nothing
Makes: results/bandit/mode_seeking/{method}.csv
       results/bandit/mode_seeking/pairs/dpo.csv
"""


rule mode_seeking_bandit:
    """One method on the didactic bandit: all its runs, side by side."""
    output:
        "results/bandit/mode_seeking/{method}.csv",
    log:
        "logs/studies/mode_seeking/bandit_{method}.log",
    benchmark:
        "benchmarks/studies/mode_seeking/bandit_{method}.tsv"
    wildcard_constraints:
        method=NAME,
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.mode_seeking.bandit.train"),
        spec=lambda w: studies.rooms["mode_seeking"].spec.bandit.model_dump_json(),
    shell:
        r"""
        python -m studies.mode_seeking.bandit.train \
            --spec {params.spec:q} \
            --method {wildcards.method} \
            --out {output} \
            2>{log}
        """


rule mode_seeking_pairs:
    """DPO on fixed pairs whose responses differ in some tokens."""
    output:
        "results/bandit/mode_seeking/pairs/dpo.csv",
    log:
        "logs/studies/mode_seeking/pairs.log",
    benchmark:
        "benchmarks/studies/mode_seeking/pairs.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.mode_seeking.bandit.pairs"),
        spec=studies.rooms["mode_seeking"].spec.bandit.model_dump_json(),
    shell:
        r"""
        python -m studies.mode_seeking.bandit.pairs \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """
