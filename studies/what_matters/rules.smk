"""What Matters in Data for DPO?: what the general rules of rules/studies.smk cannot make.

Needs: nothing
Makes: results/tables/what_matters/theory.csv, figure1.csv
"""


rule what_matters_theory:
    """The theorems of section 4, checked numerically on tabular policies, and the densities of Figure 1."""
    output:
        table="results/tables/what_matters/theory.csv",
        picture="results/tables/what_matters/figure1.csv",
    log:
        "logs/studies/what_matters/theory.log",
    benchmark:
        "benchmarks/studies/what_matters/theory.tsv"
    group:
        "report"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.what_matters.theory.check"),
    shell:
        r"""
        python -m studies.what_matters.theory.check \
            --picture {output.picture} \
            --out {output.table} \
            2>{log}
        """
