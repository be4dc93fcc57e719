"""Constants shared by several phases, each defined once."""

TIERS = ("best", "high", "medium", "low", "worst")
"""The tiers of a prompt's responses, from the highest score to the lowest."""
