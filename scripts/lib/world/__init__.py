"""The didactic world: a small closed language whose answers can be checked by rule.

words -> language -> lists, arithmetic, facts, choices (the skills) -> skills (prompts) -> generators,
oracle -> judge, suites. Prompts and responses are words separated by single spaces.
"""
