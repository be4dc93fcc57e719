"""Studies: tables, figures, claims and sections of the page, made by the steps that each study names.

Needs: what the studies' steps read: evaluations, pairs, training tables, other tables, published numbers
       results/scores/, results/logprobs/ and results/samples/, to count what is shared
Makes: results/tables/{study}/{table}.csv, and sharing.csv of every study
       results/figures/{study}/{figure}.svg, .png; tier_scores, pair_scores and training_curves of every study
       results/claims/{study}.csv, joined into results/claims.csv
       results/sections/{study}.html
A study is a room studies/{study}/. Its study.py says how its parts are made (the contract is scripts/lib/study.py); its
rules.smk makes only what these rules cannot.
"""


rule table:
    """Any table of any study."""
    input:
        lambda w: studies.rooms[w.study].tables[w.table].reads,
    output:
        "results/tables/{study}/{table}.csv",
    log:
        "logs/studies/{study}/{table}.log",
    benchmark:
        "benchmarks/studies/{study}/{table}.tsv"
    wildcard_constraints:
        study=one_of(studies.rooms),
        table=studies.tables,
    conda:
        "../envs/workflow.yaml"
    params:
        step=lambda w: studies.rooms[w.study].tables[w.table].module,
        code=lambda w: code.of(studies.rooms[w.study].tables[w.table].module),
        arguments=lambda w: studies.rooms[w.study].tables[w.table].arguments,
    shell:
        r"""
        python -m {params.step} \
            {params.arguments:q} \
            --out {output} \
            2>{log}
        """


rule sharing:
    """What a study computed, and what its runs would have computed separately."""
    input:
        scores=lambda w: studies.of(w.study).scores,
        pairs=lambda w: studies.of(w.study).pairs_files,
        cards=lambda w: expand("results/pairs/{pairs}.card.json", pairs=studies.of(w.study).pairs),
        logprobs=lambda w: studies.of(w.study).references,
        samples=lambda w: studies.of(w.study).samples,
    output:
        "results/tables/{study}/sharing.csv",
    log:
        "logs/studies/{study}/sharing.log",
    benchmark:
        "benchmarks/studies/{study}/sharing.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.studies.sharing"),
        needs=lambda w: json.dumps(studies.of(w.study).of_each_run),
        mixtures=lambda w: json.dumps(studies.of(w.study).samples_per_prompt),
        sampled=lambda w: json.dumps(studies.of(w.study).samples_taken_whole),
    shell:
        r"""
        python -m scripts.studies.sharing \
            --needs {params.needs:q} \
            --logprobs {input.logprobs} \
            --samples {input.samples} \
            --mixtures {params.mixtures:q} \
            --sampled {params.sampled:q} \
            --out {output} \
            2>{log}
        """


rule figure:
    """Any figure of any study."""
    input:
        lambda w: studies.rooms[w.study].figures[w.figure].reads,
    output:
        multiext("results/figures/{study}/{figure}", ".svg", ".png"),
    log:
        "logs/studies/{study}/figures/{figure}.log",
    benchmark:
        "benchmarks/studies/{study}/figures/{figure}.tsv"
    wildcard_constraints:
        study=one_of(studies.rooms),
        figure=studies.figures,
    conda:
        "../envs/workflow.yaml"
    params:
        step=lambda w: studies.rooms[w.study].figures[w.figure].module,
        code=lambda w: code.of(studies.rooms[w.study].figures[w.figure].module),
        arguments=lambda w: studies.rooms[w.study].figures[w.figure].arguments,
    shell:
        r"""
        python -m {params.step} \
            {params.arguments:q} \
            --out {output} \
            2>{log}
        """


rule tier_scores:
    """The distribution of scores in each tier."""
    input:
        lambda w: expand("results/tiers/{tiers}.parquet", tiers=studies.of(w.study).tiers),
    output:
        multiext("results/figures/{study}/tier_scores", ".svg", ".png"),
    log:
        "logs/studies/{study}/figures/tier_scores.log",
    benchmark:
        "benchmarks/studies/{study}/figures/tier_scores.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.tier_scores"),
        titles=lambda w: studies.titles(
            [tiers.split(".")[0] for tiers in studies.of(w.study).tiers]
        ),
    shell:
        r"""
        python -m scripts.report.tier_scores \
            --tiers {input} \
            --titles {params.titles:q} \
            --out {output} \
            2>{log}
        """


rule pair_scores:
    """The distributions of chosen and rejected scores in each pairs dataset."""
    input:
        lambda w: expand("results/pairs/{pairs}.parquet", pairs=studies.of(w.study).scored_pairs),
    output:
        multiext("results/figures/{study}/pair_scores", ".svg", ".png"),
    log:
        "logs/studies/{study}/figures/pair_scores.log",
    benchmark:
        "benchmarks/studies/{study}/figures/pair_scores.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.pair_scores"),
        names=lambda w: as_json(studies.names(w.study)),
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
        lambda w: studies.of(w.study).training,
    output:
        multiext("results/figures/{study}/training_curves", ".svg", ".png"),
    log:
        "logs/studies/{study}/figures/training_curves.log",
    benchmark:
        "benchmarks/studies/{study}/figures/training_curves.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.report.training_curves"),
        names=lambda w: as_json(studies.rooms[w.study].names),
    shell:
        r"""
        python -m scripts.report.training_curves \
            --runs {input} \
            --names {params.names:q} \
            --out {output} \
            2>{log}
        """


rule claims_of_study:
    """Every claim of a study as a statistic with an interval and a verdict."""
    input:
        lambda w: studies.rooms[w.study].claims.reads,
    output:
        "results/claims/{study}.csv",
    log:
        "logs/studies/{study}/claims.log",
    benchmark:
        "benchmarks/studies/{study}/claims.tsv"
    wildcard_constraints:
        study=one_of(studies.with_claims),
    conda:
        "../envs/workflow.yaml"
    params:
        step=lambda w: studies.rooms[w.study].claims.module,
        code=lambda w: code.of(studies.rooms[w.study].claims.module),
        arguments=lambda w: studies.rooms[w.study].claims.arguments,
    shell:
        r"""
        python -m {params.step} \
            {params.arguments:q} \
            --out {output} \
            2>{log}
        """


rule claims:
    """The claims of all studies in one table."""
    input:
        expand("results/claims/{study}.csv", study=studies.with_claims),
    output:
        "results/claims.csv",
    log:
        "logs/studies/claims.log",
    benchmark:
        "benchmarks/studies/claims.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.studies.claims"),
    shell:
        r"""
        python -m scripts.studies.claims \
            --claims {input} \
            --out {output} \
            2>{log}
        """


rule section:
    """A study's part of the page."""
    input:
        lambda w: studies.rooms[w.study].section.reads,
    output:
        "results/sections/{study}.html",
    log:
        "logs/studies/{study}/section.log",
    benchmark:
        "benchmarks/studies/{study}/section.tsv"
    wildcard_constraints:
        study=one_of(studies.rooms),
    conda:
        "../envs/workflow.yaml"
    params:
        step=lambda w: studies.rooms[w.study].section.module,
        code=lambda w: code.of(studies.rooms[w.study].section.module),
        templates=lambda w: code.templates(w.study),
        arguments=lambda w: studies.rooms[w.study].section.arguments,
    shell:
        r"""
        python -m {params.step} \
            {params.arguments:q} \
            --out {output} \
            2>{log}
        """
