"""Sources and prompt sets: every text on disk, once.

Needs: hub datasets, local files, or the didactic world, as config `sources` says
       results/suites/{suite}/prompts.parquet of the suites whose prompts a prompt set must not contain
Makes: results/data/{source}/prompts.parquet, responses.parquet, annotations.parquet, card.json
       results/data/{source}/preferences.parquet, preferences.card.json of sources whose rows are pairs
       results/data/{source}/conversations.parquet, conversations.card.json of sources of whole conversations
       results/prompt_sets/{prompt_set}/prompts.parquet, responses.parquet, annotations.parquet, card.json
"""


rule load:
    """Read a source into tables of prompts, responses and annotations."""
    input:
        lambda w: local_files(getattr(atlas.sources[w.source], "path", None)),
    output:
        prompts="results/data/{source}/prompts.parquet",
        responses="results/data/{source}/responses.parquet",
        annotations="results/data/{source}/annotations.parquet",
        card="results/data/{source}/card.json",
    log:
        "logs/sources/load/{source}.log",
    benchmark:
        "benchmarks/sources/load/{source}.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.sources.load"),
        contents=lambda w: contents.at(getattr(atlas.sources[w.source], "path", None)),
        spec=lambda w: spec(atlas.sources, w.source),
    shell:
        r"""
        python -m scripts.sources.load \
            --name {wildcards.source} \
            --spec {params.spec:q} \
            --prompts {output.prompts} \
            --responses {output.responses} \
            --annotations {output.annotations} \
            --card {output.card} \
            2>{log}
        """


rule preferences:
    """Read which response of each of its pairs a source prefers."""
    input:
        lambda w: local_files(getattr(atlas.sources[w.source], "path", None)),
    output:
        preferences="results/data/{source}/preferences.parquet",
        card="results/data/{source}/preferences.card.json",
    log:
        "logs/sources/preferences/{source}.log",
    benchmark:
        "benchmarks/sources/preferences/{source}.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.sources.preferences"),
        contents=lambda w: contents.at(getattr(atlas.sources[w.source], "path", None)),
        spec=lambda w: spec(atlas.sources, w.source),
    shell:
        r"""
        python -m scripts.sources.preferences \
            --name {wildcards.source} \
            --spec {params.spec:q} \
            --out {output.preferences} \
            --card {output.card} \
            2>{log}
        """


rule conversations:
    """Read the whole conversations of a source, to supervise policies on."""
    input:
        lambda w: local_files(atlas.sources[w.conversations].path),
    output:
        table="results/data/{conversations}/conversations.parquet",
        card="results/data/{conversations}/conversations.card.json",
    log:
        "logs/sources/conversations/{conversations}.log",
    benchmark:
        "benchmarks/sources/conversations/{conversations}.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.sources.demonstrations"),
        contents=lambda w: contents.at(atlas.sources[w.conversations].path),
        spec=lambda w: spec(atlas.sources, w.conversations),
    shell:
        r"""
        python -m scripts.sources.demonstrations \
            --name {wildcards.conversations} \
            --spec {params.spec:q} \
            --out {output.table} \
            --card {output.card} \
            2>{log}
        """


rule curate:
    """Merge sources into a prompt set; drop near-duplicates and prompts of evaluations."""
    input:
        prompts=lambda w: expand(
            "results/data/{source}/prompts.parquet", source=atlas.prompt_sets[w.prompt_set].sources
        ),
        responses=lambda w: expand(
            "results/data/{source}/responses.parquet",
            source=atlas.prompt_sets[w.prompt_set].sources,
        ),
        annotations=lambda w: expand(
            "results/data/{source}/annotations.parquet",
            source=atlas.prompt_sets[w.prompt_set].sources,
        ),
        unseen=lambda w: [
            suite_files.prompts_of(suite) for suite in atlas.prompt_sets[w.prompt_set].unseen_by
        ],
    output:
        prompts="results/prompt_sets/{prompt_set}/prompts.parquet",
        responses="results/prompt_sets/{prompt_set}/responses.parquet",
        annotations="results/prompt_sets/{prompt_set}/annotations.parquet",
        card="results/prompt_sets/{prompt_set}/card.json",
    log:
        "logs/sources/curate/{prompt_set}.log",
    benchmark:
        "benchmarks/sources/curate/{prompt_set}.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.sources.curate"),
        spec=lambda w: spec(atlas.prompt_sets, w.prompt_set),
    shell:
        r"""
        python -m scripts.sources.curate \
            --name {wildcards.prompt_set} \
            --spec {params.spec:q} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --annotations {input.annotations} \
            --unseen {input.unseen} \
            --out-prompts {output.prompts} \
            --out-responses {output.responses} \
            --out-annotations {output.annotations} \
            --card {output.card} \
            2>{log}
        """
