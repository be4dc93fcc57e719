"""The schema of every table that the workflow stores (promise P4)."""

import pyarrow as pa
import pyarrow.compute as pc

from scripts.lib.tables import Schema
from scripts.lib.vocabulary import TIERS as TIER_NAMES

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def _first(mask) -> int | None:
    row = pc.index(mask, True).as_py()
    return None if row < 0 else row


def _chosen_is_not_rejected(table: pa.Table) -> tuple[int, str] | None:
    row = _first(pc.equal(table["chosen_id"], table["rejected_id"]))
    return None if row is None else (row, "chosen_id equals rejected_id: a pair needs two responses")


def _chosen_scores_higher(table: pa.Table) -> tuple[int, str] | None:
    row = _first(pc.less_equal(table["chosen_score"], table["rejected_score"]))
    return None if row is None else (row, "chosen_score is not above rejected_score")


def _tiers_are_known(table: pa.Table) -> tuple[int, str] | None:
    row = _first(pc.invert(pc.is_in(table["tier"], pa.array(TIER_NAMES))))
    return None if row is None else (row, f"tier is none of {', '.join(TIER_NAMES)}")


def _logprobs_are_not_positive(table: pa.Table) -> tuple[int, str] | None:
    values = pc.list_flatten(table["token_logprobs"])
    bad = pc.invert(pc.and_(pc.is_finite(values), pc.less_equal(values, 0.0)))
    at = _first(pc.fill_null(bad, True))
    if at is None:
        return None
    row = pc.list_parent_indices(table["token_logprobs"])[at].as_py()
    return row, "token_logprobs holds a value that is not a log-probability"


PROMPTS = Schema(
    "prompts",
    {"prompt_id": pa.string(), "prompt": MESSAGES, "source": pa.string(), "split": pa.string()},
    key=("prompt_id",),
)
RESPONSES = Schema(
    "responses",
    {
        "response_id": pa.string(),
        "prompt_id": pa.string(),
        "family": pa.string(),
        "response": pa.string(),
        "finished": pa.bool_(),
    },
    key=("response_id",),
    defaults={"finished": True},
)
"""finished: false for a sample that was cut short, which has no end of its turn to learn."""
CONVERSATIONS = Schema(
    "conversations",
    {"conversation_id": pa.string(), "conversation": MESSAGES},
    key=("conversation_id",),
)
"""Questions and answers in turn, perhaps after a system turn; the last turn is an answer."""
ANNOTATIONS = Schema(
    "annotations",
    {"response_id": pa.string(), "annotation": pa.string(), "score": pa.float64()},
    key=("response_id", "annotation"),
)
PREFERENCES = Schema(
    "preferences",
    {
        "row": pa.int64(),
        "prompt_id": pa.string(),
        "chosen_id": pa.string(),
        "rejected_id": pa.string(),
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
    },
    key=("row",),
    nullable=frozenset({"chosen_score", "rejected_score"}),
    checks=(_chosen_is_not_rejected,),
)
SCORES = Schema("scores", {"response_id": pa.string(), "score": pa.float64()}, key=("response_id",))
TIERS = Schema(
    "tiers",
    {"prompt_id": pa.string(), "tier": pa.string(), "response_id": pa.string(), "score": pa.float64()},
    key=("prompt_id", "tier"),
    checks=(_tiers_are_known,),
)
PAIRS = Schema(
    "pairs",
    {
        "prompt_id": pa.string(),
        "chosen_id": pa.string(),
        "rejected_id": pa.string(),
        "chosen_score": pa.float64(),
        "rejected_score": pa.float64(),
        "origin": pa.string(),
    },
    key=("prompt_id", "chosen_id", "rejected_id"),
    checks=(_chosen_is_not_rejected, _chosen_scores_higher),
)
DROP = Schema(
    "list of pairs to drop",
    {"prompt_id": pa.string(), "chosen_id": pa.string(), "rejected_id": pa.string(), "reason": pa.string()},
    key=("prompt_id", "chosen_id", "rejected_id"),
)
LOGPROBS = Schema(
    "log-probs",
    {"response_id": pa.string(), "token_logprobs": pa.list_(pa.float32()), "tokens": pa.int64()},
    key=("response_id",),
    checks=(_logprobs_are_not_positive,),
)
"""tokens: ``digest_of_tokens`` of the prompt and response that the log-probs are of."""
SAMPLES = Schema(
    "samples",
    {
        "response_id": pa.string(),
        "prompt_id": pa.string(),
        "family": pa.string(),
        "response": pa.string(),
        "finished": pa.bool_(),
        "seed": pa.int64(),
        "sample": pa.int32(),
    },
    key=("prompt_id", "sample"),
    nullable=frozenset({"response"}),
    defaults={"finished": True},
)
"""finished: whether the policy ended its turn before its room was used up."""
RANKINGS = Schema(
    "rankings",
    {"prompt_id": pa.string(), "first_id": pa.string(), "second_id": pa.string(), "first_wins": pa.float64()},
    key=("prompt_id", "first_id", "second_id"),
)
LIKELIHOODS = (
    "chosen_token_logp",
    "rejected_token_logp",
    "chosen_change",
    "rejected_change",
    "chosen_log_gradient",
    "rejected_log_gradient",
    "watched_token_logp",
)
"""Columns of TRAINING: scripts/training/likelihoods.py and watch.py say what they are, and where they are blank."""
TRAINING = Schema(
    "training",
    {
        "step": pa.int32(),
        "loss": pa.float64(),
        "chosen_logp": pa.float64(),
        "rejected_logp": pa.float64(),
        "chosen_reward": pa.float64(),
        "rejected_reward": pa.float64(),
        "margin": pa.float64(),
        "accuracy": pa.float64(),
        "gradient_norm": pa.float64(),
        "learning_rate": pa.float64(),
        "pairs": pa.int32(),
        "tokens": pa.int64(),
        "reward": pa.float64(),
        "kl": pa.float64(),
        "samples": pa.int64(),
        **dict.fromkeys(LIKELIHOODS, pa.float64()),
    },
    key=("step",),
    nullable=frozenset({"reward", "kl", *LIKELIHOODS}),
    defaults={"reward": None, "kl": None, "samples": 0, **dict.fromkeys(LIKELIHOODS)},
)
"""samples: responses that the policy gave for this step. reward, kl: their mean score by the run's scorer, if it has
one, and their mean log-ratio to the reference, in nats a response; of the last draw, for steps that use it again."""

SUPERVISION = Schema(
    "supervision",
    {
        "step": pa.int32(),
        "loss": pa.float64(),
        "gradient_norm": pa.float64(),
        "learning_rate": pa.float64(),
        "conversations": pa.int32(),
        "tokens": pa.int64(),
        "learnt_tokens": pa.int64(),
    },
    key=("step",),
)
"""loss: nats per learnt token, before the step's update. tokens: of the conversations, learnt or only read."""


def _preferences_are_between_1_and_2(table: pa.Table) -> tuple[int, str] | None:
    values = table["preference"]
    row = _first(pc.fill_null(pc.or_(pc.less(values, 1.0), pc.greater(values, 2.0)), False))
    return None if row is None else (row, "preference is outside [1, 2]: 2 is a sure win over the reference")


JUDGEMENTS = Schema(
    "judgements",
    {
        "prompt_id": pa.string(),
        "reference_length": pa.int64(),
        "length": pa.int64(),
        "preference": pa.float64(),
    },
    key=("prompt_id",),
    nullable=frozenset({"preference"}),
    checks=(_preferences_are_between_1_and_2,),
)
