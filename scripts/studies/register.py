"""The studies that there are: a name here is a room ``studies/<name>/`` (scripts/lib/study.py has the contract)."""

STUDIES = ("what_matters",)
