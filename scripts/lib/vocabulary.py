"""Names that more than one room of the house uses, each spelt here once."""

TIERS = ("best", "high", "medium", "low", "worst")
"""The tiers of a prompt's responses, from the highest score to the lowest."""
