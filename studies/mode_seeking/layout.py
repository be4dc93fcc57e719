"""The names of the bandit's methods. Light enough to be imported by the workflow, which asks here what to train."""

METHODS = ("best_of_n", "preferred", "reward_weighted", "reinforce", "ppo", "dpo", "ipo", "best_less_worst")
"""In the order of the tables."""


def runs_file(method: str) -> str:
    return f"results/bandit/mode_seeking/{method}.csv"
