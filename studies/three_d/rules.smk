"""3D-Properties: what the general rules of rules/studies.smk cannot make, because it needs torch.

Needs: nothing
Makes: results/tables/three_d/toy.csv, toy_findings.csv, toy_curves.csv, toy_matrices.csv, theory.csv
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
