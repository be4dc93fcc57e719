"""The studies that exist: each name is a folder ``studies/<name>/`` (its contract is in scripts/lib/study.py)."""

STUDIES = ("what_matters", "compare", "alignment_stages", "three_d", "mode_seeking", "preflight")
