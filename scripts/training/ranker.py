"""Trains a small pairwise ranker from random weights on preference pairs.

A Llama that reads the prompt, one response, a separator and the other response, with one output f at the last token.
The loss is -log sigmoid((f(chosen, rejected) - f(rejected, chosen)) / 2): both orders of each pair are combined exactly
as when ranking.
"""

from transformers import PreTrainedTokenizerFast

from scripts.lib import cli
from scripts.lib.config.scorers import ScratchRanker
from scripts.lib.rankers import RANKER_CARD, SCALE, SEPARATOR, both_orders
from scripts.lib.texts import PairTexts
from scripts.training.comparisons import Learner, Sequences, arguments_of, learn


def orders(tokenizer: PreTrainedTokenizerFast, pair: PairTexts, max_length: int) -> Sequences | None:
    """Token ids of the prompt with the chosen response first, and with the rejected one first."""
    return both_orders(tokenizer, pair.prompt, pair.chosen, pair.rejected, max_length)


RANKER = Learner(encode=orders, scale=SCALE, extra=(SEPARATOR,), card=RANKER_CARD)


def main() -> None:
    learn(RANKER, arguments_of(cli.parser_of("scripts.training.ranker", __doc__), ScratchRanker))


if __name__ == "__main__":
    cli.run(main)
