"""Warm starts: steps are forked from a process that has already imported what they import.

More than half of a small study's time was imports. A rule's ``python -m scripts.x`` finds ``scripts/warm/bin/python``
first: it asks the warm process of its Snakemake for a child that runs the step with its arguments, environment, folder
and files, and ends as the child ends. What is no step of ours, what runs in another environment, and everything while
there is no warm process, runs as ever.

The warm process imports other people's packages only (server.py): our own code is read from the files by every step.
"""
