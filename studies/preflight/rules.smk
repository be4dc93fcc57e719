"""Preflight: what preference data will do.

Needs: results/pairs/{dataset}.parquet and the texts behind it
       results/data/{source}/, for who wrote the responses and for rows that are no pairs
       results/suites/{suite}/prompts.parquet of the evaluations that the data must not contain
       results/scores/{scorer}/, results/logprobs/{policy}/, results/samples/{policy}/ of the models that are named
Makes: results/preflight/{dataset}/text.json, text.parquet: findings, and measures of every pair, of each part;
       also scorer.* and policy.*, and overlap.parquet, what the policy's last hidden layer says of every pair
       results/preflight/{dataset}/rows.parquet, drop.parquet, advice.json
       results/preflight.html, results/preflight.json
"""


rule preflight_text:
    """What the text of the pairs says."""
    input:
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset]),
        authors=lambda w: expand(
            "results/data/{source}/responses.parquet",
            source=studies.rooms["preflight"].sources(w.dataset),
        ),
        preferences=lambda w: [
            path
            for each in studies.rooms["preflight"].labelled(w.dataset)
            for path in files.preferences(each)
        ],
        cards=lambda w: [
            path.replace(".parquet", ".card.json")
            for each in studies.rooms["preflight"].labelled(w.dataset)
            for path in files.preferences(each)
        ],
        policy=lambda w: [
            path for each in studies.rooms["preflight"].counting for path in files.policy(each)
        ],
        questions=lambda w: [
            suite_files.prompts_of(suite) for suite in studies.rooms["preflight"].spec.suites
        ],
    output:
        findings="results/preflight/{dataset}/text.json",
        measures="results/preflight/{dataset}/text.parquet",
    log:
        "logs/preflight/{dataset}/text.log",
    benchmark:
        "benchmarks/preflight/{dataset}/text.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.preflight.text.measure"),
        spec=lambda w: studies.rooms["preflight"].spec.model_dump_json(),
        max_length=lambda w: studies.rooms["preflight"].max_length,
        policy=lambda w, input: ["--policy", input.policy[0]] if input.policy else [],
    shell:
        r"""
        python -m studies.preflight.text.measure \
            --spec {params.spec:q} \
            --max-length {params.max_length} \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --authors {input.authors} \
            --preferences {input.preferences} \
            {params.policy} \
            --questions {input.questions} \
            --findings {output.findings} \
            --out {output.measures} \
            2>{log}
        """


rule preflight_scorer:
    """What a scorer says of the pairs."""
    input:
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset]),
        scores=lambda w: files.scores(
            studies.rooms["preflight"].spec.scorer, studies.rooms["preflight"].families(w.dataset)
        ),
    output:
        findings="results/preflight/{dataset}/scorer.json",
        measures="results/preflight/{dataset}/scorer.parquet",
    log:
        "logs/preflight/{dataset}/scorer.log",
    benchmark:
        "benchmarks/preflight/{dataset}/scorer.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        code=code.of("studies.preflight.scorer.measure"),
    shell:
        r"""
        python -m studies.preflight.scorer.measure \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --scores {input.scores} \
            --findings {output.findings} \
            --out {output.measures} \
            2>{log}
        """


rule preflight_overlap:
    """How alike the two responses of each pair are to the policy."""
    input:
        policy=lambda w: files.policy(studies.rooms["preflight"].spec.policy),
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset]),
    output:
        "results/preflight/{dataset}/overlap.parquet",
    log:
        "logs/preflight/{dataset}/overlap.log",
    benchmark:
        "benchmarks/preflight/{dataset}/overlap.tsv"
    conda:
        "../../envs/train.yaml"
    threads: lambda w: threads.of_policy(studies.rooms["preflight"].spec.policy)
    params:
        code=code.of("studies.preflight.policy.overlap"),
        max_length=lambda w: studies.rooms["preflight"].max_length,
        batch_tokens=lambda w: files.root_of(studies.rooms["preflight"].spec.policy).batch_tokens,
    shell:
        r"""
        python -m studies.preflight.policy.overlap \
            --policy {input.policy[0]} \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --max-length {params.max_length} \
            --batch-tokens {params.batch_tokens} \
            --checkpoints checkpoints/preflight/{wildcards.dataset} \
            --out {output} \
            2>{log}
        """


rule preflight_policy:
    """What the policy says of the pairs, next to its own samples if there are any."""
    input:
        pairs="results/pairs/{dataset}.parquet",
        prompts=lambda w: files.prompts_behind([w.dataset]),
        responses=lambda w: files.responses_behind([w.dataset]),
        overlap="results/preflight/{dataset}/overlap.parquet",
        logprobs=lambda w: expand(
            "results/logprobs/{policy}/{family}.parquet",
            policy=studies.rooms["preflight"].spec.policy,
            family=[
                *studies.rooms["preflight"].families(w.dataset),
                *studies.rooms["preflight"].own,
            ],
        ),
        samples=lambda w: [files.samples(each) for each in studies.rooms["preflight"].own],
        scores=lambda w: files.scores(
            studies.rooms["preflight"].spec.scorer, studies.rooms["preflight"].judged(w.dataset)
        ),
    output:
        findings="results/preflight/{dataset}/policy.json",
        measures="results/preflight/{dataset}/policy.parquet",
    log:
        "logs/preflight/{dataset}/policy.log",
    benchmark:
        "benchmarks/preflight/{dataset}/policy.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.preflight.policy.measure"),
        samples=lambda w, input: ["--samples", *input.samples] if input.samples else [],
    shell:
        r"""
        python -m studies.preflight.policy.measure \
            --pairs {input.pairs} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --logprobs {input.logprobs} \
            --overlap {input.overlap} \
            {params.samples} \
            --scores {input.scores} \
            --findings {output.findings} \
            --out {output.measures} \
            2>{log}
        """


rule preflight_rows:
    """The measures of all parts, and the pairs to drop."""
    input:
        pairs="results/pairs/{dataset}.parquet",
        parts=lambda w: studies.rooms["preflight"].measures(w.dataset),
    output:
        rows="results/preflight/{dataset}/rows.parquet",
        drop="results/preflight/{dataset}/drop.parquet",
    log:
        "logs/preflight/{dataset}/rows.log",
    benchmark:
        "benchmarks/preflight/{dataset}/rows.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        code=code.of("studies.preflight.rows"),
    shell:
        r"""
        python -m studies.preflight.rows \
            --pairs {input.pairs} \
            --parts {input.parts} \
            --out {output.rows} \
            --drop {output.drop} \
            2>{log}
        """


rule preflight_advice:
    """What to do with the pairs, and what would move if there were more."""
    input:
        rows="results/preflight/{dataset}/rows.parquet",
        findings=lambda w: studies.rooms["preflight"].findings(w.dataset),
        responses=lambda w: files.responses_behind([w.dataset]),
        scores=lambda w: files.scores(
            studies.rooms["preflight"].spec.scorer, studies.rooms["preflight"].judged(w.dataset)
        ),
        samples=lambda w: [files.samples(each) for each in studies.rooms["preflight"].own],
        evidence="studies/preflight/advice/evidence.csv",
    output:
        "results/preflight/{dataset}/advice.json",
    log:
        "logs/preflight/{dataset}/advice.log",
    benchmark:
        "benchmarks/preflight/{dataset}/advice.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        code=code.of("studies.preflight.advice.measure"),
        names=lambda w: studies.rooms["preflight"].named(w.dataset),
        samples=lambda w, input: ["--samples", *input.samples] if input.samples else [],
    shell:
        r"""
        python -m studies.preflight.advice.measure \
            --names {params.names:q} \
            --rows {input.rows} \
            --findings {input.findings} \
            --drop results/preflight/{wildcards.dataset}/drop.parquet \
            --responses {input.responses} \
            --scores {input.scores} \
            {params.samples} \
            --out {output} \
            2>{log}
        """


rule preflight_page:
    """Everything found, on one page and as JSON."""
    input:
        findings=lambda w: studies.rooms["preflight"].findings(
            studies.rooms["preflight"].spec.pairs
        ),
        rows=lambda w: studies.rooms["preflight"].rows,
        advice=lambda w: studies.rooms["preflight"].advice,
        prompts=lambda w: files.prompts_behind([studies.rooms["preflight"].spec.pairs]),
        responses=lambda w: files.responses_behind([studies.rooms["preflight"].spec.pairs]),
    output:
        page="results/preflight.html",
        summary="results/preflight.json",
    log:
        "logs/preflight/page.log",
    benchmark:
        "benchmarks/preflight/page.tsv"
    conda:
        "../../envs/workflow.yaml"
    params:
        code=code.of("studies.preflight.page"),
        templates=lambda w: code.templates("preflight"),
        dataset=lambda w: studies.rooms["preflight"].spec.pairs,
        lead=lambda w: studies.rooms["preflight"].lead,
    shell:
        r"""
        python -m studies.preflight.page \
            --dataset {params.dataset} \
            --lead {params.lead:q} \
            --findings {input.findings} \
            --rows {input.rows} \
            --advice {input.advice} \
            --prompts {input.prompts} \
            --responses {input.responses} \
            --page {output.page} \
            --out {output.summary} \
            2>{log}
        """
