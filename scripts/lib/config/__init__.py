"""The configuration, typed: one module a phase, so that a step depends on its own phase's types alone."""
