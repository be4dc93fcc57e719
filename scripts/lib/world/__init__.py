"""The didactic world: a closed little language whose answers can be checked by rule.

words -> language -> lists, arithmetic, facts, choices (the skills) -> skills (prompts) -> generators,
oracle -> judge, suites. Prompts and responses are words with single spaces between them.
"""
