"""Trains a small reward model from random weights on preference pairs.

A Llama with one output at the conversation's last token; the Bradley-Terry loss -log sigmoid(r(chosen) - r(rejected)).
"""

from transformers import PreTrainedTokenizerFast

from scripts.lib import cli
from scripts.lib.chat import encode_conversation
from scripts.lib.config.scorers import ScratchScorer
from scripts.lib.rewards import SCORER_CARD
from scripts.lib.texts import PairTexts
from scripts.training.comparisons import Learner, Sequences, arguments_of, learn


def conversations(tokenizer: PreTrainedTokenizerFast, pair: PairTexts, max_length: int) -> Sequences | None:
    """Token ids of the prompt with the chosen response, and with the rejected one."""
    chosen = encode_conversation(tokenizer, pair.prompt, pair.chosen, max_length)
    rejected = encode_conversation(tokenizer, pair.prompt, pair.rejected, max_length)
    return None if chosen is None or rejected is None else (chosen, rejected)


REWARD_MODEL = Learner(encode=conversations, scale=1.0, extra=(), card=SCORER_CARD)


def main() -> None:
    learn(REWARD_MODEL, arguments_of(cli.parser_of("scripts.training.reward_model", __doc__), ScratchScorer))


if __name__ == "__main__":
    cli.run(main)
