"""Checks of supervised policies, and of the conversations that they learn from."""

from collections.abc import Iterator
from typing import Any

from scripts.lib.config.behind import model_behind
from scripts.lib.config.policies import SupervisedPolicy
from scripts.lib.config.sources import ConversationsSource
from scripts.lib.config.studies import Problem


def in_a_circle(config: Any) -> Iterator[Problem]:
    """Supervised policies that start from themselves."""
    for name in _supervised(config):
        seen, at = set(), name
        while at not in seen and isinstance(config.policies[at], SupervisedPolicy):
            seen.add(at)
            at = config.policies[at].start
        if at == name:
            yield ("policies", name, "start"), f"{name} starts from itself", "name a policy that is there before it"


def _cannot_be_supervised(config: Any) -> Iterator[Problem]:
    for name, spec in _supervised(config).items():
        model = model_behind(config, name)
        if getattr(model, "trust_remote_code", False):
            yield (
                ("policies", name, "start"),
                f"{spec.start} runs code of its own, which {name} could not carry",
                "start from a model that transformers knows",
            )
        if spec.max_length > model.max_length:
            yield (
                ("policies", name, "max_length"),
                f"{name} learns from {spec.max_length} tokens, and {spec.start} takes {model.max_length}",
                "lower it, or raise that policy's max_length",
            )


def _misplaced_conversations(config: Any) -> Iterator[Problem]:
    for name, spec in _supervised(config).items():
        if not isinstance(config.sources[spec.demonstrations], ConversationsSource):
            yield (
                ("policies", name, "demonstrations"),
                f"source {spec.demonstrations} is of kind {config.sources[spec.demonstrations].kind}",
                "name one of kind conversations",
            )
    for name, prompt_set in config.prompt_sets.items():
        for at, source in enumerate(prompt_set.sources):
            if isinstance(config.sources[source], ConversationsSource):
                yield (
                    ("prompt_sets", name, "sources", at),
                    f"source {source} holds whole conversations, and a prompt set prompts with responses",
                    "read the same data by another kind, such as responses",
                )


def _supervised(config: Any) -> dict[str, SupervisedPolicy]:
    return {name: spec for name, spec in config.policies.items() if isinstance(spec, SupervisedPolicy)}


CHECKS = (_cannot_be_supervised, _misplaced_conversations)
