"""Versioning: Snakemake decides what runs, DVC stores what it made. `python -m scripts.versioning --help`."""
