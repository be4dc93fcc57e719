"""The configuration as types: one module per phase, so that a step depends only on the types of its own phase."""
