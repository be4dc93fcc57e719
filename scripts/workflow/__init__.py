"""The workflow's view of the configuration: functions that Snakefile and rules call, tested without Snakemake.

configuration  loads and checks the configuration, and the studies in it
lineages       checks of all runs together: trainable, and with names that fit a file system
needs          what the studies need: policies, runs, pairs, scores, samples
files          paths of files by the configuration
harness        groups the lm-eval suites that are evaluated in one process
planning       the jobs, and the pairs that max_length cuts, behind scripts/studies/plan.py
world          targets of the didactic world
code           fingerprints and digests of code for rules' parameters
contents       digests of local files' contents for rules' parameters
phases         the phase of each rule
rooms          checks a study's rules.smk
warm           sets up warm starts (scripts/warm) for the jobs
"""
