"""The figures of the toy model."""
