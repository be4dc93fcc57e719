"""LLM judges behind an API: their prompts and clients, and how one pair is sent.

| kind        | called through                                                                                |
|-------------|-----------------------------------------------------------------------------------------------|
| alpaca_eval | an annotator configuration of alpaca-eval and the client that it names                        |
| openai      | the openai library's client, at any endpoint; the rest as weighted_alpaca_eval_gpt4_turbo does: |
|             | the order of the outputs drawn by instruction, m's share of the probability of m and M        |

Keys are read from the environment only.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from alpaca_eval import constants, utils
from alpaca_eval.annotators import PairwiseAnnotator
from alpaca_eval.annotators.pairwise_evaluator import SinglePairwiseAnnotator

from scripts.evaluation.verdicts import LlmJudge, Row
from scripts.lib.asking import filled
from scripts.lib.config.evaluation import AnnotatorJudge, OpenAIJudge
from scripts.lib.endpoint import client_of
from scripts.lib.errors import InputError

FIELDS = ("instruction", "output_1", "output_2")


def llm_judge(spec: AnnotatorJudge | OpenAIJudge) -> LlmJudge:
    """The judge of a configuration. Raises InputError for an unknown annotators_config or a prompt without choice."""
    return _of_annotator(spec) if isinstance(spec, AnnotatorJudge) else _of_endpoint(spec)


def _of_annotator(spec: AnnotatorJudge) -> LlmJudge:
    config = _found(spec.annotators_config, "alpaca-eval has no annotators_config")
    annotator = _Unkept(
        annotators_config=str(config.absolute()),
        caching_path=None,
        is_avoid_reannotations=False,
        other_output_keys_to_keep=(),
    )
    settings = utils.load_configs(annotator.annotators_config)
    for name, single in annotator.annotators.items():
        settings[name]["prompt_template"] = single.prompt_template
        single.fn_completions = _answering(single.fn_completions)

    def ask(row: Row) -> float | None:
        [answer] = annotator(pd.DataFrame([row], columns=list(FIELDS)), chunksize=None)
        return None if pd.isna(answer["preference"]) else float(answer["preference"])

    longest = max((single.prompt_template for single in annotator.annotators.values()), key=len)
    limits = [single.completions_kwargs.get("max_tokens") for single in annotator.annotators.values()]
    return LlmJudge(
        identity={"kind": spec.kind, "annotators": settings},
        template=longest,
        max_tokens=max(limit if isinstance(limit, int) else 2048 for limit in limits),  # alpaca-eval's default
        connect=lambda: ask,
    )


class _Unkept(PairwiseAnnotator):
    """alpaca-eval's annotator without its in-memory store of annotations, so that threads can share it."""

    def _store_annotations_(self, _annotated: pd.DataFrame) -> None:
        pass


def _answering(complete: Callable[..., dict]) -> Callable[..., dict]:
    """Raise if alpaca-eval's client gave up and returned an empty completion, which must not be stored as an answer."""

    def checked(prompts: Sequence[str], **settings: Any) -> dict:
        found = complete(prompts=prompts, **settings)
        if any(text == "" for text in found["completions"]):
            raise RuntimeError("no answer, however often it was asked")
        return found

    return checked


def _of_endpoint(spec: OpenAIJudge) -> LlmJudge:
    path = _found(spec.prompt, "neither alpaca-eval nor the disk has a prompt")
    template = path.read_text(encoding="utf-8")
    absent = [field for field in FIELDS if f"{{{field}}}" not in template]
    if absent or not template.strip().startswith("<|im_start|>") or not template.strip().endswith("<|im_end|>"):
        raise InputError(
            path,
            f"lacks {', '.join(f'{{{field}}}' for field in absent)}" if absent else "is not in turns",
            "write <|im_start|>user, a line end, the prompt with {instruction}, {output_1} (m) and {output_2} (M), "
            "and <|im_end|>",
        )
    return LlmJudge(
        identity={
            **spec.model_dump(include={"kind", "model", "base_url", "max_tokens", "temperature"}),
            "template": template,
        },
        template=template,
        max_tokens=spec.max_tokens,
        connect=lambda: _asking(spec, template),
    )


def _asking(spec: OpenAIJudge, template: str) -> Callable[[Row], float | None]:
    client = client_of(spec)

    def complete(prompts: Sequence[list[dict[str, str]]], **_settings: Any) -> dict:
        [messages] = prompts
        reply = client.chat.completions.create(
            model=spec.model,
            messages=messages,
            max_tokens=spec.max_tokens,
            temperature=spec.temperature,
            logprobs=True,
            top_logprobs=5,
        )
        choice = reply.choices[0].model_dump()
        tokens = (choice.get("logprobs") or {}).get("content") or [{}]
        if not tokens[0].get("top_logprobs"):
            raise InputError(
                f"judge {spec.model}",
                "the endpoint's answer has no log-probabilities of its first token",
                "serve a model that gives logprobs and top_logprobs, or use an annotators_config of alpaca-eval",
            )
        return {"completions": [choice]}

    single = _Chat(
        prompt_template=template,
        fn_completions=complete,
        fn_completion_parser="logprob_parser",
        completion_parser_kwargs={
            "numerator_token": "m",
            "denominator_tokens": ["m", "M"],
            "is_binarize": False,
            "log_prob_index": 0,
        },
        seed=0,
        packages_for_which_to_show_version=None,
    )

    def ask(row: Row) -> float | None:
        answered = single(pd.DataFrame([row], columns=list(FIELDS)))
        return float(answered["preference"].iloc[0]) if len(answered) else None

    return ask


class _Chat(SinglePairwiseAnnotator):
    """alpaca-eval's annotator, with the template split into turns before texts, which may contain turn marks, go in."""

    def _get_prompt_template(self, prompt_template: str) -> str:
        return prompt_template

    def _make_prompts(
        self, df_to_annotate: pd.DataFrame, prompt_template: str | None = None
    ) -> tuple[list[list[dict[str, str]]], pd.DataFrame]:
        turns = utils.prompt_to_chatml(prompt_template or self.prompt_template)
        rows = df_to_annotate[list(FIELDS)].to_dict("records")
        return [[turn | {"content": filled(turn["content"], row)} for turn in turns] for row in rows], df_to_annotate


def _found(name: str, problem: str) -> Path:
    """A file or folder among alpaca-eval's configurations, or else on disk."""
    for path in (constants.EVALUATORS_CONFIG_DIR / name, Path(name)):
        if path.exists():
            return path
    raise InputError("judge", f"{problem} {name}", "name one of alpaca-eval's evaluators_configs, or one of your own")
