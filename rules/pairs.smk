"""Pairs: preference datasets as tables of ids over stored responses.

Needs: results/prompt_sets/{prompt_set}/responses.parquet
       results/scores/{scorer}/{family}.parquet, all families of the prompt set
       results/data/{source}/preferences.parquet, the labels of a source's own pairs
       results/samples/{policy}/{family}.responses.parquet and its scores, to mix in or to rank
       results/rankers/{ranker}/ (rules/training.smk)
Makes: results/tiers/{prompt_set}.{scorer}.parquet, .card.json
       results/pairs/{dataset}.parquet, .card.json
A dataset with samples of whatever a run starts from is made once per start: {dataset}@{start}.
One of several draws of a dataset is {dataset}+{draw}of{draws}, before the start if there is one.
"""


rule tiers:
    """Stratify each prompt's responses into five quality tiers."""
    input:
        responses="results/prompt_sets/{prompt_set}/responses.parquet",
        scores=lambda w: expand(
            "results/scores/{scorer}/{family}.parquet",
            scorer=w.scorer,
            family=files.families(w.prompt_set),
        ),
    output:
        tiers="results/tiers/{prompt_set}.{scorer}.parquet",
        card="results/tiers/{prompt_set}.{scorer}.card.json",
    log:
        "logs/tiers/{prompt_set}.{scorer}.log",
    benchmark:
        "benchmarks/tiers/{prompt_set}.{scorer}.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.tiers"),
    shell:
        r"""
        python -m scripts.pairs.tiers \
            --responses {input.responses} \
            --scores {input.scores} \
            --out {output.tiers} \
            --card {output.card} \
            2>{log}
        """


rule pair:
    """Pair two tiers into a preference dataset."""
    input:
        lambda w: f"results/tiers/{atlas.pairs[w.dataset].prompt_set}.{atlas.pairs[w.dataset].scorer}.parquet",
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(of_kind(atlas.pairs, "tiers")),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.pair"),
        spec=lambda w: spec(atlas.pairs, w.dataset),
    shell:
        r"""
        python -m scripts.pairs.pair \
            --spec {params.spec:q} \
            --tiers {input} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule comparisons:
    """Pair two random responses of each prompt, as people who compare responses are shown them."""
    input:
        responses=lambda w: f"results/prompt_sets/{atlas.pairs[w.dataset].prompt_set}/responses.parquet",
        scores=lambda w: expand(
            "results/scores/{scorer}/{family}.parquet",
            scorer=atlas.pairs[w.dataset].scorer,
            family=files.families(atlas.pairs[w.dataset].prompt_set),
        ),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(of_kind(atlas.pairs, "comparisons")),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.compare"),
        spec=lambda w: spec(atlas.pairs, w.dataset),
    shell:
        r"""
        python -m scripts.pairs.compare \
            --spec {params.spec:q} \
            --responses {input.responses} \
            --scores {input.scores} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule gap:
    """Choose one pair per prompt so that the mean chosen score and the mean gap reach their targets."""
    input:
        responses=lambda w: f"results/prompt_sets/{atlas.pairs[w.dataset].prompt_set}/responses.parquet",
        scores=lambda w: expand(
            "results/scores/{scorer}/{family}.parquet",
            scorer=atlas.pairs[w.dataset].scorer,
            family=files.families(atlas.pairs[w.dataset].prompt_set),
        ),
        of=lambda w: expand(
            "results/data/{source}/responses.parquet", source=atlas.pairs[w.dataset].sources
        ),
        chosen_above=lambda w: files.named_pairs(
            files.pairs_of(w.dataset).chosen_above, lineage.start_in(w.dataset)
        ),
        rejected_below=lambda w: files.named_pairs(
            files.pairs_of(w.dataset).rejected_below, lineage.start_in(w.dataset)
        ),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(of_kind(atlas.pairs, "gap")),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.gap"),
        spec=lambda w: spec(atlas.pairs, w.dataset),
        bounds=lambda w, input: [
            *(["--chosen-above", *input.chosen_above] if input.chosen_above else []),
            *(["--rejected-below", *input.rejected_below] if input.rejected_below else []),
        ],
    shell:
        r"""
        python -m scripts.pairs.gap \
            --spec {params.spec:q} \
            --responses {input.responses} \
            --scores {input.scores} \
            --of {input.of} \
            {params.bounds} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule counterfactual:
    """Pair the chosen responses of one dataset with the rejected responses of another."""
    input:
        chosen_of=lambda w: files.named_pairs(
            files.pairs_of(w.dataset).chosen_of, lineage.start_in(w.dataset)
        ),
        rejected_of=lambda w: files.named_pairs(
            files.pairs_of(w.dataset).rejected_of, lineage.start_in(w.dataset)
        ),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=files.pairs_of_kind("counterfactual"),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.counterfactual"),
        spec=lambda w: files.pairs_of(w.dataset).model_dump_json(),
    shell:
        r"""
        python -m scripts.pairs.counterfactual \
            --spec {params.spec:q} \
            --chosen-of {input.chosen_of} \
            --rejected-of {input.rejected_of} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule mix:
    """Mix the best of a policy's own samples into an offline dataset."""
    input:
        pairs=lambda w: files.named_pairs(
            files.pairs_of(w.dataset).base, lineage.start_in(w.dataset)
        ),
        samples=lambda w: files.samples_for(
            files.pairs_of(w.dataset).samples, lineage.start_in(w.dataset), "responses.parquet"
        ),
        scores=lambda w: files.scores(
            lineage.scorer_behind(atlas, lineage.without_start(w.dataset)),
            [files.sampled_family(files.pairs_of(w.dataset).samples, lineage.start_in(w.dataset))],
        ),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=files.pairs_of_kind("mixture"),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.mix"),
        spec=lambda w: files.pairs_of(w.dataset).model_dump_json(),
    shell:
        r"""
        python -m scripts.pairs.mix \
            --spec {params.spec:q} \
            --pairs {input.pairs} \
            --samples {input.samples} \
            --scores {input.scores} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule labelled:
    """Take the pairs that came with the data, as labelled."""
    input:
        responses=lambda w: f"results/prompt_sets/{files.pairs_of(w.dataset).prompt_set}/responses.parquet",
        preferences=lambda w: files.preferences(w.dataset),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(of_kind(atlas.pairs, "labelled")),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.labelled"),
        spec=lambda w: spec(atlas.pairs, w.dataset),
    shell:
        r"""
        python -m scripts.pairs.labelled \
            --spec {params.spec:q} \
            --responses {input.responses} \
            --preferences {input.preferences} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule ranked:
    """Pair two random responses per prompt, ordered by a ranker or a scorer."""
    input:
        responses=lambda w: files.ranked_responses(w.dataset),
        scores=lambda w: files.scores_behind(w.dataset),
        prompts=lambda w: files.prompts_behind([lineage.without_start(w.dataset)]),
        model=lambda w: files.ranking_model(w.dataset),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=files.pairs_of_kind("ranked"),
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_ranker(files.pairs_of(w.dataset).ranker)
    params:
        code=lambda w: code.of_ranking("scripts.pairs.ranked", files.pairs_of(w.dataset)),
        spec=lambda w: files.pairs_of(w.dataset).model_dump_json(),
        by=lambda w: files.ranking_flags(w.dataset),
    shell:
        r"""
        python -m scripts.pairs.ranked \
            --spec {params.spec:q} \
            --responses {input.responses} \
            {params.by:q} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule scenario:
    """Pair responses by who wrote them: the policy itself, or others."""
    input:
        responses=lambda w: files.responses_behind(
            [lineage.without_start(w.dataset)], lineage.start_in(w.dataset)
        ),
        scores=lambda w: files.scores_behind(w.dataset),
    output:
        pairs="results/pairs/{dataset}.parquet",
        card="results/pairs/{dataset}.card.json",
    log:
        "logs/pairs/{dataset}.log",
    benchmark:
        "benchmarks/pairs/{dataset}.tsv"
    wildcard_constraints:
        dataset=files.pairs_of_kind("scenario"),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.scenario"),
        spec=lambda w: files.pairs_of(w.dataset).model_dump_json(),
    shell:
        r"""
        python -m scripts.pairs.scenario \
            --spec {params.spec:q} \
            --responses {input.responses} \
            --scores {input.scores} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """


rule draw:
    """One of several draws of a dataset: disjoint parts of its prompts, as if each had been collected by itself."""
    input:
        "results/pairs/{dataset}{at}.parquet",
    output:
        pairs="results/pairs/{dataset}+{draw}of{draws}{at}.parquet",
        card="results/pairs/{dataset}+{draw}of{draws}{at}.card.json",
    log:
        "logs/pairs/{dataset}+{draw}of{draws}{at}.log",
    benchmark:
        "benchmarks/pairs/{dataset}+{draw}of{draws}{at}.tsv"
    wildcard_constraints:
        dataset=NAME,
        at=rf"(@{START})?",
        draw=r"\d+",
        draws=r"\d+",
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.pairs.draw"),
    shell:
        r"""
        python -m scripts.pairs.draw \
            --pairs {input} \
            --draw {wildcards.draw} \
            --draws {wildcards.draws} \
            --out {output.pairs} \
            --card {output.card} \
            2>{log}
        """
