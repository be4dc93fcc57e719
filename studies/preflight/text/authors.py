"""Who wrote what: is one generator always chosen, and how much of the preference does authorship alone explain?"""

import numpy as np
import pandas as pd

from studies.preflight.finding import Finding
from studies.preflight.shares import Limits, Share, auc_of, worst_first
from studies.preflight.text.texts import Measured, Texts

LIMITS = Limits(note=0.1, warn=0.2, bad=0.35)
"""Of the distance of the AUC from 0.5, by the lower end of its interval."""
QUESTION = "Who wrote what: does the author alone tell which response is chosen?"
EVIDENCE = (
    "Where one model writes the chosen and another the rejected responses, whatever tells their styles apart is learnt "
    "as what makes an answer good."
)


def measure(texts: Texts) -> Measured:
    """Columns: chosen_author, rejected_author; no columns where nobody is known to have written anything."""
    pairs = texts.pairs
    known = ((pairs["chosen_author"] != "") & (pairs["rejected_author"] != "")).to_numpy()
    if not known.any():
        return Measured(
            [
                Finding(
                    "authors",
                    "text",
                    QUESTION,
                    "The data does not say who wrote the responses.",
                    level="note",
                    evidence=EVIDENCE,
                )
            ]
        )
    columns = {name: pairs[name] for name in ("chosen_author", "rejected_author")}
    return Measured([_authors(pairs, known)], columns)


def strengths(pairs: pd.DataFrame) -> pd.DataFrame:
    """author -> (wins, of): how often an author's responses are chosen, of the pairs of two different authors."""
    unlike = pairs[pairs["chosen_author"] != pairs["rejected_author"]]
    wins, losses = unlike["chosen_author"].value_counts(), unlike["rejected_author"].value_counts()
    found = pd.DataFrame({"wins": wins, "losses": losses}).fillna(0).astype(int)
    return pd.DataFrame({"wins": found["wins"], "of": found["wins"] + found["losses"]})


def left_out(pairs: pd.DataFrame, of: pd.DataFrame) -> np.ndarray:
    """Chosen minus rejected author's share of wins, each without the pair itself, and with half a win added to both
    outcomes; 0 for two responses of one author.
    """
    chosen, rejected = of.reindex(pairs["chosen_author"]), of.reindex(pairs["rejected_author"])
    ours = (chosen["wins"].to_numpy() - 1 + 0.5) / (chosen["of"].to_numpy() - 1 + 1)
    theirs = (rejected["wins"].to_numpy() + 0.5) / (rejected["of"].to_numpy() - 1 + 1)
    alike = (pairs["chosen_author"] == pairs["rejected_author"]).to_numpy()
    return np.where(alike, 0.0, ours - theirs)


def _authors(pairs: pd.DataFrame, known: np.ndarray) -> Finding:
    told = pairs[known]
    of = strengths(told)
    difference = left_out(told, of)
    auc, low, high = auc_of(difference, told["prompt_id"].to_numpy())
    level = LIMITS.level(low - 0.5)
    likely = (of["wins"] + 0.5) / (of["of"] + 1)  # an author of one pair is no extreme
    ranked = sorted(of.index, key=lambda name: (-likely[name], name))
    ends = [f"{name}'s in {Share(int(of.loc[name, 'wins']), int(of.loc[name, 'of'])).told('pairs')}" for name in ranked]
    shown = ends if len(ends) <= 3 else [ends[0], ends[1], ends[-1]]
    chosen = f" Of {len(ends):,} authors, against others, chosen are {'; '.join(shown)}." if ends else ""
    return Finding(
        "authors",
        "text",
        QUESTION,
        f"By its author alone, the chosen response is told from the rejected one with an AUC of {auc:.2f} (0.50: "
        f"nothing, 1: everything).{chosen}",
        auc,
        low,
        high,
        "AUC",
        len(told),
        level,
        EVIDENCE,
        "Let the same models write both sides: pair within a generator, or add pairs in which the stronger one loses."
        if level in ("warn", "bad")
        else "",
        worst_first(np.flatnonzero(known), difference),
    )
