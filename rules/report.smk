"""Report: one self-contained page that joins the studies' sections with the data and runs that they share.

Needs: sections, claims, figures and counts of the studies; tables of runs; cards of what they are made from
Makes: results/figures/world/{figure}.svg, .png and results/tables/world/{sample_set}.csv on the didactic world
       results/configuration.json, results/rulegraph.dot
       results/report.html
"""


rule base_policies:
    """The policies that runs may start from, on every benchmark."""
    input:
        world.evaluations,
    output:
        multiext("results/figures/world/base_policies", ".svg", ".png"),
    log:
        "logs/report/base_policies.log",
    benchmark:
        "benchmarks/report/base_policies.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.base_policies"),
        policies=list(atlas.policies),
        suites=world.suites,
    shell:
        r"""
        python -m scripts.report.base_policies \
            --evaluations results/evaluations \
            --policies {params.policies} \
            --suites {params.suites} \
            --out {output} \
            2>{log}
        """


rule base_ability:
    """What the policies that runs may start from can do, next to the data."""
    input:
        samples=lambda w: world.samples(w.sample_set),
        sample_scores=lambda w: world.sample_scores(w.sample_set),
        responses=lambda w: f"results/prompt_sets/{world.prompt_set(w.sample_set)}/responses.parquet",
        scores=lambda w: world.data_scores(w.sample_set),
    output:
        "results/tables/world/{sample_set}.csv",
    log:
        "logs/report/base_ability/{sample_set}.log",
    benchmark:
        "benchmarks/report/base_ability/{sample_set}.tsv"
    wildcard_constraints:
        sample_set=one_of(world.sample_sets),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.base_ability"),
        policies=list(atlas.policies),
    shell:
        r"""
        python -m scripts.report.base_ability \
            --policies {params.policies} \
            --samples {input.samples} \
            --sample-scores {input.sample_scores} \
            --responses {input.responses} \
            --scores {input.scores} \
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
        code=code.of("scripts.report.configuration"),
        spec=atlas.model_dump_json(exclude_unset=True),
    shell:
        r"""
        python -m scripts.report.configuration \
            --spec {params.spec:q} \
            --out {output} \
            2>{log}
        """


rule rulegraph:
    """How the rules depend on one another under this configuration, as Snakemake says it."""
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
        code=code.of("scripts.report.rulegraph"),
        rules=code.rules(),
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
    """How well a reward model trained here agrees with the oracle."""
    input:
        responses=expand("results/prompt_sets/{name}/responses.parquet", name=needs.prompt_sets),
        scores=lambda w: world.scores(w.scorer),
        reference=lambda w: world.scores("oracle"),
    output:
        multiext("results/figures/world/{scorer}_agreement", ".svg", ".png"),
    log:
        "logs/report/{scorer}_agreement.log",
    benchmark:
        "benchmarks/report/{scorer}_agreement.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.scorer_agreement"),
        titles=studies.titles(needs.prompt_sets),
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
        claims="results/claims.csv" if studies.with_claims else [],
        sections=expand("results/sections/{study}.html", study=studies.rooms),
        figures=[
            f"results/figures/{study}/{figure}.svg"
            for study in studies.rooms
            for figure in studies.common_figures(study)
        ],
        source_cards=expand("results/data/{source}/card.json", source=needs.sources),
        prompt_set_cards=expand(
            "results/prompt_sets/{prompt_set}/card.json", prompt_set=needs.prompt_sets
        ),
        tier_cards=expand("results/tiers/{tiers}.card.json", tiers=needs.tiers),
        pairs_cards=expand("results/pairs/{pairs}.card.json", pairs=needs.pairs),
        training=needs.training,
        training_cards=[path.replace(".parquet", ".card.json") for path in needs.training],
        learned_cards=expand("results/scorers/{scorer}/scorer.json", scorer=needs.learned_scorers),
        sharing=[
            f"results/tables/{study}/sharing.csv"
            for study in studies.rooms
            if studies.of(study).runs
        ],
        rulegraph="results/rulegraph.dot",
    output:
        report("results/report.html", category="Report"),
    log:
        "logs/report/report.log",
    benchmark:
        "benchmarks/report/report.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.page"),
        templates=code.files_in("scripts/report/templates"),
        rules=code.rules(),
        claims="--claims results/claims.csv" if studies.with_claims else "",
        studies=json.dumps(studies.headings),
        suites=needs.suites,
        phases=lambda w: json.dumps(phases(workflow.rules)),
    shell:
        r"""
        python -m scripts.report.page \
            --config {input.config} \
            --studies {params.studies:q} \
            {params.claims} \
            --sections {input.sections} \
            --common-figures {input.figures} \
            --source-cards {input.source_cards} \
            --prompt-set-cards {input.prompt_set_cards} \
            --tier-cards {input.tier_cards} \
            --pairs-cards {input.pairs_cards} \
            --training {input.training} \
            --training-cards {input.training_cards} \
            --learned-cards {input.learned_cards} \
            --sharing {input.sharing} \
            --suites {params.suites} \
            --rulegraph {input.rulegraph} \
            --phases {params.phases:q} \
            --out {output} \
            2>{log}
        """
