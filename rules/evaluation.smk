"""Evaluation: every policy on every suite.

Needs: results/policies/{policy}/, results/samples/{policy}/{suite}.parquet for win rates
       hub datasets, local files, or the didactic world, as config `evaluation` says
       results/pairs/{dataset}.parquet, results/logprobs/{policy}/{family}.parquet for held-out preferences
       results/samples/{policy}/{family}.parquet and results/scores/ or results/rankers/ for boundaries
Makes: results/suites/{suite}/questions.jsonl of the didactic world
       results/suites/{suite}/prompts.parquet, and for win rates reference.parquet and length_control/
       results/evaluations/{policy}/{suite}.json, and for win rates {suite}.judgements.parquet
       results/boundary.csv of all boundary suites
Keeps: cache/verdicts/, the verdicts of LLM judges, keyed by content: no rule's output, never asked or paid for twice
"""


rule questions:
    """Make the questions of a suite of the didactic world."""
    output:
        "results/suites/{suite}/questions.jsonl",
    log:
        "logs/suites/{suite}/questions.log",
    benchmark:
        "benchmarks/suites/{suite}/questions.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.evaluation.questions"),
        task=lambda w: getattr(SUITES[w.suite], "task", "world_alpaca"),
        size=lambda w: SUITES[w.suite].size,
        seed=lambda w: SUITES[w.suite].seed,
    shell:
        r"""
        python -m scripts.evaluation.questions \
            --task {params.task:q} \
            --size {params.size} \
            --seed {params.seed} \
            --out {output} \
            2>{log}
        """


rule prompts:
    """The prompts of a suite, which no prompt set may contain."""
    input:
        lambda w: suite_files.questions(w.suite),
        lambda w: local_files(suite_files.data(w.suite)),
    output:
        "results/suites/{suite}/prompts.parquet",
    log:
        "logs/suites/{suite}/prompts.log",
    benchmark:
        "benchmarks/suites/{suite}/prompts.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "harness", "reward")),
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code.of("scripts.evaluation.prompts"),
        contents=lambda w: contents.at(suite_files.data(w.suite)),
        spec=lambda w: spec(SUITES, w.suite),
        data=lambda w: (
            " ".join(["--data", *suite_files.questions(w.suite)])
            if suite_files.questions(w.suite)
            else ""
        ),
    shell:
        r"""
        python -m scripts.evaluation.prompts \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            {params.data} \
            --out {output} \
            2>{log}
        """


rule reference:
    """The instructions of a win-rate suite, and the outputs that policies are judged against."""
    input:
        lambda w: suite_files.questions(w.suite),
        lambda w: local_files(SUITES[w.suite].data),
    output:
        prompts="results/suites/{suite}/prompts.parquet",
        reference="results/suites/{suite}/reference.parquet",
    log:
        "logs/suites/{suite}/reference.log",
    benchmark:
        "benchmarks/suites/{suite}/reference.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "win_rate")),
    conda:
        "../envs/evaluate.yaml"
    params:
        code=code.of("scripts.evaluation.prompts"),
        contents=lambda w: contents.at(suite_files.data(w.suite)),
        spec=lambda w: spec(SUITES, w.suite),
        data=lambda w: (
            " ".join(["--data", *suite_files.questions(w.suite)])
            if suite_files.questions(w.suite)
            else ""
        ),
    shell:
        r"""
        python -m scripts.evaluation.prompts \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            {params.data} \
            --out {output.prompts} \
            --reference {output.reference} \
            2>{log}
        """


# One text for all rules below, at one indentation: Snakemake reruns outputs whose rule has another shell text.
ASK = r"""
        python -m scripts.evaluation.harness \
            --policy results/policies/{wildcards.policy}/policy.json \
            --name {wildcards.policy} \
            --suites {params.suites:q} \
            --data {params.data} \
            --out-dir results/evaluations/{wildcards.policy} \
            2>{log}
        """

for asking in asked_together:

    rule:
        """Ask a policy the questions of several suites in one process (scripts/workflow/harness.py says which)."""
        name:
            asking.name
        input:
            policy=lambda w: files.policy(w.policy),
            questions=[suite_files.questions(suite) for suite in asking.suites],
            own=[local_files(SUITES[suite].data) for suite in asking.suites],
        output:
            expand("results/evaluations/{{policy}}/{suite}.json", suite=asking.suites),
        log:
            f"logs/evaluations/{{policy}}/{asking.name}.log",
        benchmark:
            f"benchmarks/evaluations/{{policy}}/{asking.name}.tsv"
        wildcard_constraints:
            policy=asking.policies,
        conda:
            "../envs/evaluate.yaml"
        threads: lambda w: threads.of_policy(w.policy)
        params:
            code=code.of("scripts.evaluation.harness"),
            contents=contents.at(*(SUITES[suite].data for suite in asking.suites)),
            tasks=code.yaml_in("scripts/evaluation/world_tasks"),
            suites=json.dumps({suite: SUITES[suite].model_dump() for suite in asking.suites}),
            data=[
                f"{suite}={path}"
                for suite in asking.suites
                for path in suite_files.questions(suite)
            ],
        shell:
            ASK


rule length_control:
    """What length-controlled win rates need to know about a suite and its judge, fitted once."""
    input:
        reference="results/suites/{suite}/reference.parquet",
        prompts="results/suites/{suite}/prompts.parquet",
        scorer=lambda w: suite_files.judging_model(w.suite),
        own=lambda w: suite_files.judging_files(w.suite),
    output:
        expand("results/suites/{{suite}}/length_control/{file}", file=LENGTH_CONTROL),
    log:
        "logs/suites/{suite}/length_control.log",
    benchmark:
        "benchmarks/suites/{suite}/length_control.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: lambda w: threads.of_scorer(suite_files.judging_scorer(w.suite))
    params:
        code=code.of("scripts.evaluation.length_control"),
        contents=lambda w: contents.at(*suite_files.judging_paths(w.suite)),
        spec=lambda w: spec(SUITES, w.suite),
        scorer=lambda w: suite_files.judging_flags(w.suite),
    shell:
        r"""
        python -m scripts.evaluation.length_control \
            --spec {params.spec:q} \
            --prompts {input.prompts} \
            --reference {input.reference} \
            {params.scorer:q} \
            --out-dir results/suites/{wildcards.suite}/length_control \
            2>{log}
        """


rule judge:
    """Judge a policy's samples against the reference: win rate and length-controlled win rate."""
    input:
        samples="results/samples/{policy}/{suite}.parquet",
        prompts="results/suites/{suite}/prompts.parquet",
        reference="results/suites/{suite}/reference.parquet",
        length_control=lambda w: suite_files.length_control(w.suite),
        scorer=lambda w: suite_files.judging_model(w.suite),
        own=lambda w: suite_files.judging_files(w.suite),
    output:
        evaluation="results/evaluations/{policy}/{suite}.json",
        judgements="results/evaluations/{policy}/{suite}.judgements.parquet",
    log:
        "logs/evaluations/{policy}/{suite}.log",
    benchmark:
        "benchmarks/evaluations/{policy}/{suite}.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "win_rate")),
    conda:
        "../envs/evaluate.yaml"
    threads: lambda w: threads.of_scorer(suite_files.judging_scorer(w.suite))
    params:
        code=code.of("scripts.evaluation.judge"),
        contents=lambda w: contents.at(*suite_files.judging_paths(w.suite)),
        spec=lambda w: spec(SUITES, w.suite),
        scorer=lambda w: suite_files.judging_flags(w.suite),
        length_control=lambda w: (
            f"--length-control results/suites/{w.suite}/length_control"
            if suite_files.fits_length_control(w.suite)
            else ""
        ),
        verdicts=lambda w: "--verdicts cache/verdicts" if suite_files.is_paid(w.suite) else "",
    shell:
        r"""
        python -m scripts.evaluation.judge \
            --name {wildcards.policy} \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            --samples {input.samples} \
            --prompts {input.prompts} \
            --reference {input.reference} \
            {params.length_control} \
            {params.scorer:q} \
            {params.verdicts} \
            --judgements {output.judgements} \
            --out {output.evaluation} \
            2>{log}
        """


rule reward:
    """Score a policy's samples."""
    input:
        samples=lambda w: f"results/samples/{w.policy}/{suite_files.sampled_suite(w.suite)}.parquet",
        prompts=lambda w: suite_files.prompts_of(w.suite),
        scorer=lambda w: suite_files.judging_model(w.suite),
        own=lambda w: suite_files.judging_files(w.suite),
    output:
        "results/evaluations/{policy}/{suite}.json",
    log:
        "logs/evaluations/{policy}/{suite}.log",
    benchmark:
        "benchmarks/evaluations/{policy}/{suite}.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "reward")),
    conda:
        "../envs/evaluate.yaml"
    threads: lambda w: threads.of_scorer(suite_files.judging_scorer(w.suite))
    params:
        code=code.of("scripts.evaluation.reward"),
        contents=lambda w: contents.at(*suite_files.judging_paths(w.suite)),
        spec=lambda w: spec(SUITES, w.suite),
        scorer=lambda w: suite_files.judging_flags(w.suite),
    shell:
        r"""
        python -m scripts.evaluation.reward \
            --name {wildcards.policy} \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            --samples {input.samples} \
            --prompts {input.prompts} \
            {params.scorer:q} \
            --out {output} \
            2>{log}
        """


rule preference:
    """Order the responses of held-out pairs by a policy's log-probs."""
    input:
        pairs=lambda w: files.named_pairs(SUITES[w.suite].pairs),
        logprobs=lambda w: files.references(SUITES[w.suite].pairs, w.policy),
        start=lambda w: suite_files.held_out_start(w.suite, w.policy),
    output:
        "results/evaluations/{policy}/{suite}.json",
    log:
        "logs/evaluations/{policy}/{suite}.log",
    benchmark:
        "benchmarks/evaluations/{policy}/{suite}.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "preference")),
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.evaluation.preference"),
        spec=lambda w: spec(SUITES, w.suite),
    shell:
        r"""
        python -m scripts.evaluation.preference \
            --name {wildcards.policy} \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            --pairs {input.pairs} \
            --logprobs {input.logprobs} \
            --start {input.start} \
            --out {output} \
            2>{log}
        """


rule boundary_score:
    """Compare a policy's own samples with the responses of off-policy pairs."""
    input:
        samples=lambda w: suite_files.compared_samples(w.suite, w.policy),
        pairs=lambda w: files.named_pairs(SUITES[w.suite].pairs),
        prompts=lambda w: files.prompts_behind([SUITES[w.suite].pairs]),
        responses=lambda w: files.responses_behind([SUITES[w.suite].pairs]),
        scores=lambda w: suite_files.compared_scores(w.suite, w.policy),
        model=lambda w: suite_files.comparing_model(w.suite),
    output:
        "results/evaluations/{policy}/{suite}.json",
    log:
        "logs/evaluations/{policy}/{suite}.log",
    benchmark:
        "benchmarks/evaluations/{policy}/{suite}.tsv"
    wildcard_constraints:
        suite=one_of(of_kind(SUITES, "boundary")),
    conda:
        "../envs/train.yaml"
    threads: lambda w: threads.of_ranker(SUITES[w.suite].ranker)
    params:
        code=lambda w: code.of_ranking("scripts.evaluation.boundary", SUITES[w.suite]),
        contents=lambda w: contents.at(files.ranker_path(SUITES[w.suite].ranker)),
        spec=lambda w: spec(SUITES, w.suite),
        by=lambda w: suite_files.comparing_flags(w.suite, w.policy),
    shell:
        r"""
        python -m scripts.evaluation.boundary \
            --name {wildcards.policy} \
            --suite {wildcards.suite} \
            --spec {params.spec:q} \
            --samples {input.samples} \
            --pairs {input.pairs} \
            {params.by:q} \
            --out {output} \
            2>{log}
        """


rule boundary:
    """The alignment stage of each policy, and the data to train it on next: docs/boundary.md."""
    input:
        studies.boundaries,
    output:
        "results/boundary.csv",
    log:
        "logs/evaluations/boundary.log",
    benchmark:
        "benchmarks/evaluations/boundary.tsv"
    conda:
        "../envs/workflow.yaml"
    params:
        code=code.of("scripts.evaluation.boundaries"),
    shell:
        r"""
        python -m scripts.evaluation.boundaries \
            --evaluations {input} \
            --out {output} \
            2>{log}
        """
