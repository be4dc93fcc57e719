"""What to do with the pairs, what it should gain by our own studies, and what would change if one had more."""
