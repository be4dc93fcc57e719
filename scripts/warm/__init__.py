"""Warm starts: steps are forked from a process that has already imported the packages that they use.

Imports took more than half of the time of a small study. Jobs find ``scripts/warm/bin/python`` first in PATH. For
``python -m scripts.x`` and ``python -m studies.x`` it asks the *warm process* of their Snakemake to fork a child, which
runs the step with the caller's arguments, environment, folder and open files; the caller ends as the child does. On a
cluster that is the Snakemake of one queue entry.
Everything else starts cold, with the real python: other modules, other environments, and every step while no warm
process is ready.

The warm process imports only third-party packages (server.py). Every step reads our own code from its files.

client.py    what scripts/warm/bin/python runs
server.py    the warm process
protocol.py  what both agree on; scripts/workflow/warm.py sets it up for the rules
"""
