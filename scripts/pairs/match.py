"""Common last step of making pairs: two responses of a prompt become a pair if their scores differ."""

import pandas as pd


def match(upper: pd.DataFrame, lower: pd.DataFrame, origin: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """Pairs of ``upper`` over ``lower``, and how many prompts gave none.

    upper, lower: (prompt_id, response_id, score), at most one row per prompt; pairs are in upper's order.
    Responses with equal scores express no preference and give no pair.
    """
    columns = ["prompt_id", "response_id", "score"]
    both = upper[columns].merge(lower[columns], on="prompt_id", suffixes=("_upper", "_lower"), validate="one_to_one")
    differ = both["score_upper"] > both["score_lower"]
    pairs = pd.DataFrame(
        {
            "prompt_id": both["prompt_id"],
            "chosen_id": both["response_id_upper"],
            "rejected_id": both["response_id_lower"],
            "chosen_score": both["score_upper"],
            "rejected_score": both["score_lower"],
            "origin": origin,
        }
    )[differ].reset_index(drop=True)
    return pairs, {"equal_scores": int((~differ).sum())}
