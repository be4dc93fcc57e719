"""Report: the figures, and one self-contained page that shows all of it.

Needs: tables, claims, cards, tiers, pairs, scores and training tables of the other phases
Makes: results/figures/what_matters/{figure}.svg, .png
       results/figures/world/{figure}.svg, .png on the didactic world
       results/configuration.json, results/rulegraph.dot
       results/report.html
"""


rule table_figures:
    """Table 1 as two figures: the headline, and every benchmark."""
    input:
        "results/tables/what_matters/table1.csv",
    output:
        headline=drawn("what_matters/headline"),
        benchmarks=drawn("what_matters/benchmarks"),
    log:
        "logs/report/table_figures.log",
    benchmark:
        "benchmarks/report/table_figures.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.what_matters_figures"),
    shell:
        r"""
        python -m scripts.report.what_matters_figures \
            --table {input} \
            --headline {output.headline} \
            --benchmarks {output.benchmarks} \
            2>{log}
        """


rule chosen_only_figure:
    """Table 2 as a figure: online DPO beside continual SFT."""
    input:
        "results/tables/what_matters/table2.csv",
    output:
        drawn("what_matters/chosen_only"),
    log:
        "logs/report/chosen_only_figure.log",
    benchmark:
        "benchmarks/report/chosen_only_figure.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.table2_figure"),
    shell:
        r"""
        python -m scripts.report.table2_figure \
            --table {input} \
            --out {output} \
            2>{log}
        """


rule gaps_figure:
    """Table 3 as a figure: what quality gains and what the gap does."""
    input:
        "results/tables/what_matters/table3.csv",
    output:
        drawn("what_matters/gaps"),
    log:
        "logs/report/gaps_figure.log",
    benchmark:
        "benchmarks/report/gaps_figure.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.table3_figure"),
    shell:
        r"""
        python -m scripts.report.table3_figure \
            --table {input} \
            --out {output} \
            2>{log}
        """


rule on_policy_figure:
    """Table 4 as a figure: mixtures over good and bad data."""
    input:
        "results/tables/what_matters/table4.csv",
    output:
        drawn("what_matters/on_policy"),
    log:
        "logs/report/on_policy_figure.log",
    benchmark:
        "benchmarks/report/on_policy_figure.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.table4_figure"),
    shell:
        r"""
        python -m scripts.report.table4_figure \
            --table {input} \
            --out {output} \
            2>{log}
        """


rule tier_scores:
    """How the scores of each tier spread."""
    input:
        [f"{tiers}.parquet" for tiers in table_tiers()],
    output:
        drawn("what_matters/tier_scores"),
    log:
        "logs/report/tier_scores.log",
    benchmark:
        "benchmarks/report/tier_scores.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.tier_scores"),
        titles=titles(),
    shell:
        r"""
        python -m scripts.report.tier_scores \
            --tiers {input} \
            --titles {params.titles:q} \
            --out {output} \
            2>{log}
        """


rule pair_scores:
    """How chosen and rejected scores of each pairs dataset spread."""
    input:
        expand("results/pairs/{dataset}.parquet", dataset=TABLE_PAIRS),
    output:
        drawn("what_matters/pair_scores"),
    log:
        "logs/report/pair_scores.log",
    benchmark:
        "benchmarks/report/pair_scores.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.pair_scores"),
        names=pairs_names(),
    shell:
        r"""
        python -m scripts.report.pair_scores \
            --pairs {input} \
            --names {params.names:q} \
            --out {output} \
            2>{log}
        """


rule training_curves:
    """Loss, likelihoods and margins of every run."""
    input:
        expand("results/training/{run}.parquet", run=trained_runs()),
    output:
        drawn("what_matters/training_curves"),
    log:
        "logs/report/training_curves.log",
    benchmark:
        "benchmarks/report/training_curves.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.training_curves"),
        names=pairs_names(),
    shell:
        r"""
        python -m scripts.report.training_curves \
            --runs {input} \
            --names {params.names:q} \
            --out {output} \
            2>{log}
        """


rule theory_figure:
    """Figure 1: two rejected distributions, and the policies that DPO ends in."""
    input:
        "results/tables/what_matters/figure1.csv",
    output:
        drawn("what_matters/theory"),
    log:
        "logs/report/theory_figure.log",
    benchmark:
        "benchmarks/report/theory_figure.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.theory_figure"),
    shell:
        r"""
        python -m scripts.report.theory_figure \
            --picture {input} \
            --out {output} \
            2>{log}
        """


rule base_policies:
    """The policies that runs can start from, on every benchmark."""
    input:
        evaluations(atlas.policies),
    output:
        drawn("world/base_policies"),
    log:
        "logs/report/base_policies.log",
    benchmark:
        "benchmarks/report/base_policies.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.base_policies"),
        policies=list(atlas.policies),
        suites=BENCHMARKS,
    shell:
        r"""
        python -m scripts.report.base_policies \
            --evaluations results/evaluations \
            --policies {params.policies} \
            --suites {params.suites} \
            --out {output} \
            2>{log}
        """


rule configuration:
    """The checked configuration as one file: what was asked for."""
    output:
        "results/configuration.json",
    log:
        "logs/report/configuration.log",
    benchmark:
        "benchmarks/report/configuration.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.configuration"),
        spec=atlas.model_dump_json(exclude_unset=True),
    shell:
        r"""
        python -m scripts.report.configuration \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """


rule rulegraph:
    """The workflow's own account of how its rules hang together, under this configuration."""
    input:
        "results/configuration.json",
    output:
        "results/rulegraph.dot",
    log:
        "logs/report/rulegraph.log",
    benchmark:
        "benchmarks/report/rulegraph.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.rulegraph"),
        rules=snakemake_digest(),
    shell:
        r"""
        python -m snakemake \
            --rulegraph dot \
            --configfile {input} \
            2>{log} \
            | python -m scripts.report.rulegraph \
                --out {output} \
                2>>{log}
        """


rule scorer_agreement:
    """How far the reward model that was trained here agrees with the oracle."""
    input:
        responses=[f"results/prompt_sets/{name}/responses.parquet" for name in prompt_sets_used()],
        scores=lambda w: all_scores(w.scorer),
        reference=lambda w: all_scores("oracle"),
    output:
        drawn("world/{scorer}_agreement"),
    log:
        "logs/report/{scorer}_agreement.log",
    benchmark:
        "benchmarks/report/{scorer}_agreement.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.scorer_agreement"),
        titles=titles(),
    shell:
        r"""
        python -m scripts.report.scorer_agreement \
            --scorer {wildcards.scorer} \
            --reference oracle \
            --responses {input.responses} \
            --titles {params.titles:q} \
            --scores {input.scores} \
            --reference-scores {input.reference} \
            --out {output} \
            2>{log}
        """


rule report:
    """Everything on one page."""
    input:
        config="results/configuration.json",
        claims="results/claims.csv",
        tables=expand(
            "results/tables/what_matters/{table}.csv", table=[*TABLES, "table5", "theory"]
        ),
        sharing="results/tables/what_matters/sharing.csv",
        figures=[
            path for figure in figures_shown() for path in drawn(figure) if path.endswith(".svg")
        ],
        source_cards=expand("results/data/{source}/card.json", source=sources_used()),
        prompt_set_cards=expand(
            "results/prompt_sets/{prompt_set}/card.json", prompt_set=prompt_sets_used()
        ),
        tier_cards=[f"{tiers}.card.json" for tiers in table_tiers()],
        pairs_cards=expand("results/pairs/{dataset}.card.json", dataset=TABLE_PAIRS),
        learned_cards=learned_cards(),
        rulegraph="results/rulegraph.dot",
    output:
        report("results/report.html", category="What matters in data for DPO?"),
    log:
        "logs/report/report.log",
    benchmark:
        "benchmarks/report/report.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code("scripts.report.page"),
        templates=text_digest("scripts/report/templates"),
        rules=snakemake_digest(),
        phases=lambda w: json.dumps(phases(workflow.rules)),
    shell:
        r"""
        python -m scripts.report.page \
            --config {input.config} \
            --claims {input.claims} \
            --tables {input.tables} \
            --sharing {input.sharing} \
            --figures {input.figures} \
            --source-cards {input.source_cards} \
            --prompt-set-cards {input.prompt_set_cards} \
            --tier-cards {input.tier_cards} \
            --pairs-cards {input.pairs_cards} \
            --learned-cards {input.learned_cards} \
            --rulegraph {input.rulegraph} \
            --phases {params.phases:q} \
            --out {output} \
            2>{log}
        """
