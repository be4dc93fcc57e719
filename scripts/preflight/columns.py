"""The names by which published preference data calls its columns."""

from collections.abc import Iterable, Sequence

from scripts.sources.row import spelt

SIDES = (
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("response_chosen", "response_rejected"),
    ("preferred", "dispreferred"),
    ("preferred_response", "dispreferred_response"),
    ("accepted", "rejected"),
    ("better", "worse"),
    ("better_response", "worse_response"),
    ("winner_response", "loser_response"),
    ("win", "lose"),
    ("positive", "negative"),
)
TWO = (
    ("response_a", "response_b"),
    ("response_1", "response_2"),
    ("response1", "response2"),
    ("response_0", "response_1"),
    ("output_1", "output_2"),
    ("output1", "output2"),
    ("output_a", "output_b"),
    ("answer_a", "answer_b"),
    ("answer_1", "answer_2"),
    ("completion_a", "completion_b"),
    ("conversation_a", "conversation_b"),
)
WINNER = (
    "winner",
    "preference",
    "preferred",
    "label",
    "better",
    "better_response",
    "overall_preference",
    "choice",
    "verdict",
)
PROMPT = ("prompt", "instruction", "question", "query", "user_prompt", "messages", "conversation", "context")
SCORES = (
    ("chosen_score", "rejected_score"),
    ("score_chosen", "score_rejected"),
    ("chosen_rating", "rejected_rating"),
    ("chosen_reward", "rejected_reward"),
)
AUTHORS = (
    ("model_a", "model_b"),
    ("model_1", "model_2"),
    ("generator_1", "generator_2"),
    ("generator_a", "generator_b"),
)
SYSTEM = ("system", "system_prompt", "system_message", "system_instruction")
HISTORY = ("history", "chat_history", "conversation_history")
INPUT = ("input",)


def one_of(names: Iterable[str], known: Sequence[str]) -> str | None:
    """The column that is called as the first of the known names that any is, in the data's own spelling."""
    by_spelling = {spelt(name): name for name in names}
    return next((by_spelling[name] for name in known if name in by_spelling), None)


def two_of(names: Iterable[str], known: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """As :func:`one_of`, for two columns that go together."""
    by_spelling = {spelt(name): name for name in names}
    found = ((by_spelling[one], by_spelling[two]) for one, two in known if one in by_spelling and two in by_spelling)
    return next(found, None)
