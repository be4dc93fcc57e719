"""The counts of work shared between runs."""

from scripts.studies import sharing
from scripts.studies.sharing import Needs


def test_sharing_counts_by_hand() -> None:
    rows = {"scores/a": 100, "scores/b": 40, "pairs/1": 30, "pairs/2": 20, "logprobs/a": 100, "samples": 40}
    needs = [Needs(pairs="pairs/1", scores=["scores/a"])] * 2 + [
        Needs(pairs="pairs/2", scores=["scores/a", "scores/b"])
    ]
    found = sharing.sharing(needs, rows, ["logprobs/a"], ["samples"], {"pairs/2": 12})
    assert [(row["shared"], row["separate"]) for row in found] == [(140, 340), (40, 12), (100, 160)]
