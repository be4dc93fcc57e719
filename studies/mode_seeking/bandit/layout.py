"""The bandit's methods and files. Light enough for the workflow, which asks here what to train, and for tables."""

from dataclasses import dataclass

STUDY = "mode_seeking"


@dataclass(frozen=True)
class Method:
    """A method by its name in tables. negative: whether it lowers the likelihood of some responses."""

    title: str
    negative: bool


METHODS = {
    "best_of_n": Method("best-of-n", negative=False),
    "preferred": Method("preferred responses", negative=False),
    "reward_weighted": Method("reward-weighted", negative=False),
    "reinforce": Method("REINFORCE", negative=True),
    "ppo": Method("PPO", negative=True),
    "dpo": Method("DPO", negative=True),
    "ipo": Method("IPO", negative=True),
    "best_less_worst": Method("best-of-n less worst", negative=True),
}
"""In the order of the tables. What each does is in bandit/methods.py."""

RUN = ["method", "optimum", "on_policy", "reuse", "shifted", "learning_rate", "seed"]
"""The columns of a method's file that say which run a row is of."""
RUNS = [*RUN, "step", "samples", "reward"]
CHOSEN = ["different", "seed", "step", "chosen", "rejected"]
"""The columns of the file of pairs (bandit/pairs.py)."""
CHOSEN_FILE = "results/bandit/mode_seeking/pairs/dpo.csv"


def runs_file(method: str) -> str:
    return f"results/bandit/mode_seeking/{method}.csv"
