"""Evaluates one policy on all harness suites in one process, with lm-eval.

lm-eval asks and scores: its prompts (under the policy's chat template, few-shot examples as turns), its
log-likelihoods and greedy generations, its filters and metrics. This module turns its logged samples into one value
per question, in points, whose mean must equal lm-eval's own aggregate.
"""

import argparse
import io
import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lm_eval.utils
import numpy as np
import torch
from lm_eval.api.task import Task
from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.tasks.manager import TaskDict
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from scripts.evaluation.tasks import load_tasks, task_manager
from scripts.lib import cli
from scripts.lib.chat import end_of_turn
from scripts.lib.config.base import Name
from scripts.lib.config.evaluation import HarnessSuite
from scripts.lib.errors import InputError
from scripts.lib.models import load_causal, load_tokenizer, read_policy
from scripts.lib.results import Evaluation, evaluation, write_evaluation
from scripts.lib.sampling import stop_ids
from scripts.lib.threads import cpu_threads

log = logging.getLogger(__name__)

ROUNDING = 1e-9
"""The largest difference, as a share, allowed between lm-eval's aggregate and the mean over questions."""


def harness_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, batch_size: int) -> HFLM:
    """The policy as an lm-eval model. Only the chat template decides where a BOS token goes, as everywhere here."""
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, add_bos_token=False)


@contextmanager
def templates_compiled_once() -> Iterator[None]:
    """lm-eval compiles its Jinja templates again for every question, a third of the time that a small policy takes."""
    environment = lm_eval.utils.env
    environment.from_string = cache(environment.from_string)
    try:
        yield
    finally:
        del environment.from_string  # the class has its own


def check_metric(tasks: TaskDict, name: str, suite: HarnessSuite) -> None:
    """Raises InputError unless all tasks of the suite have its metric."""
    of_tasks = []
    for task in tasks["tasks"].values():
        filters = [each["name"] for each in task.config.filter_list or [{"name": "none"}]]
        of_tasks.append({f"{metric},{of_filter}" for metric in task.aggregation() for of_filter in filters})
    known = sorted(set.intersection(*of_tasks))
    if suite.metric not in known:
        raise InputError(
            f"suite {name}", f"task {suite.task} has no metric {suite.metric!r}", f"use one of {'; '.join(known)}"
        )


def ask(lm: HFLM, tasks: TaskDict, name: str, suite: HarnessSuite) -> dict[str, Any]:
    """lm-eval's results, with logged samples, for one suite. A generation ends where our own samples end."""
    lm.model.generation_config.eos_token_id = stop_ids(lm.model.generation_config, lm.tokenizer)
    for task in tasks["tasks"].values():
        if task.OUTPUT_TYPE == "generate_until":
            _stop_with_the_turn(lm, task, name)
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)
    with templates_compiled_once(), redirect_stderr(io.StringIO()):  # progress bars; the log has its own stream
        return evaluate(
            lm=lm,
            task_dict=tasks,
            limit=suite.limit,
            bootstrap_iters=0,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
        )


def _stop_with_the_turn(lm: HFLM, task: Task, name: str) -> None:
    """Also stop at an end of turn of several tokens; refuse a task whose generations cannot fit."""
    settings = dict(task.config.generation_kwargs)
    room = normalize_gen_kwargs(settings, lm.max_gen_toks)["max_gen_toks"]
    if room >= lm.max_length:
        raise InputError(
            f"suite {name}",
            f"task {task.config.task} generates up to {room} tokens, and the policy takes {lm.max_length} in all",
            "ask another task, or a policy with a longer context",
        )
    stop = end_of_turn(lm.tokenizer, [{"role": "user", "content": ""}])
    until = settings.get("until") or []
    until = [until] if isinstance(until, str) else until
    if len(lm.tok_encode(stop)) > 1 and stop not in until:
        task.set_config("generation_kwargs", {**settings, "until": [*until, stop]})


def evaluation_of(policy: str, name: str, suite: HarnessSuite, results: dict[str, Any], truncated: int) -> Evaluation:
    """The record of one suite from lm-eval's results; ``truncated`` is the number of questions cut to fit.

    Subtasks of a group follow one another in sorted order, and every question has equal weight. Raises InputError if
    the metric is not a mean of shares over questions.
    """
    values = _values(results, suite.metric)
    if values is None:
        raise _no_mean(name, suite, "is not a share between 0 and 1 for each question")
    theirs = _aggregate(results, suite.task, suite.metric)
    if theirs is not None and abs(np.mean(values) - theirs) > ROUNDING:
        raise _no_mean(name, suite, f"is {theirs} for lm-eval, which is not the mean over questions, {np.mean(values)}")
    logged = {
        f"{metric},{row['filter']}" for rows in results["samples"].values() for row in rows for metric in row["metrics"]
    }
    aggregates = {metric: _aggregate(results, suite.task, metric) for metric in sorted(logged)}
    return evaluation(
        policy,
        name,
        suite.metric,
        values=[100.0 * value for value in values],
        metrics={metric: 100.0 * value for metric, value in aggregates.items() if value is not None},
        details={
            "task": suite.task,
            "task_versions": {task: results["versions"][task] for task in sorted(results["samples"])},
            "shots": suite.shots,
            "limit": suite.limit,
            "truncated": truncated,
            "lm_eval": version("lm_eval"),
            "threads": cpu_threads(),
        },
    )


def _no_mean(name: str, suite: HarnessSuite, problem: str) -> InputError:
    return InputError(f"suite {name}", f"metric {suite.metric} {problem}", "choose a metric that is a mean of shares")


def _values(results: dict[str, Any], metric: str) -> list[float] | None:
    """The metric of each question, tasks in sorted order; None if any of them is not a number in [0, 1]."""
    key, _, of_filter = metric.rpartition(",")
    rows = [row for task in sorted(results["samples"]) for row in results["samples"][task]]
    found = [row[key] for row in rows if row["filter"] == of_filter and key in row["metrics"]]
    return [float(value) for value in found] if all(_is_share(value) for value in found) else None


def _aggregate(results: dict[str, Any], task: str, metric: str) -> float | None:
    """lm-eval's own value of a metric of a task or group; None if it has none, or one that is not a share."""
    value = results["results"].get(task, {}).get(metric)
    return float(value) if _is_share(value) else None


def _is_share(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.number) and 0 <= value <= 1


def truncated_questions(lm: HFLM, results: dict[str, Any]) -> int:
    """How many questions lm-eval cut at the start because they do not fit the policy's context."""
    cut = set()
    for task, rows in results["samples"].items():
        for row in rows:
            for context, *rest in row["arguments"]:
                if rest and isinstance(rest[0], dict):
                    room = lm.max_length - normalize_gen_kwargs(rest[0], lm.max_gen_toks)["max_gen_toks"]
                else:
                    room = lm.max_length + 1  # the last token is only predicted
                    context = "".join([context, *rest])
                if len(lm.tok_encode(context)) > room:
                    cut.add((task, row["doc_id"]))
    return len(cut)


def _path_of(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not SUITE=FILE")
    return name, Path(path)


def main() -> None:
    parser = cli.parser_of("scripts.evaluation.harness", __doc__)
    parser.add_argument("--policy", type=Path, required=True, help="its policy.json")
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument(
        "--suites", type=cli.spec_of(dict[Name, HarnessSuite]), required=True, help="JSON: name -> HarnessSuite"
    )
    parser.add_argument(
        "--data",
        type=_path_of,
        action="extend",
        nargs="*",
        default=[],
        metavar="SUITE=FILE",
        help="a suite's questions",
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="<suite>.json is written here")
    arguments = parser.parse_args()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)

    suites: Mapping[str, HarnessSuite] = arguments.suites
    manager = task_manager(suites)
    data = dict(arguments.data)
    tasks = {name: load_tasks(manager, name, suite, data.get(name)) for name, suite in suites.items()}
    for name, suite in suites.items():
        check_metric(tasks[name], name, suite)
    card = read_policy(arguments.policy)
    tokenizer = load_tokenizer(card)
    for precision in sorted({suite.precision for suite in suites.values()}):
        model = load_causal(card, precision)
        for name, suite in suites.items():
            if suite.precision != precision:
                continue
            started = time.monotonic()
            lm = harness_model(model, tokenizer, suite.batch_size)
            results = ask(lm, tasks[name], name, suite)
            record = evaluation_of(arguments.name, name, suite, results, truncated_questions(lm, results))
            write_evaluation(record, arguments.out_dir / f"{name}.json")
            log.info(
                "%s: %s %.2f ± %.2f on %d questions, %d truncated, %.1f s",
                *(name, record.metric, record.value, record.standard_error, record.n),
                *(record.details["truncated"], time.monotonic() - started),
            )


if __name__ == "__main__":
    cli.run(main)
