"""What the groups answered: the one way in which the study's tables read evaluations."""

from pathlib import Path

import numpy as np

from scripts.studies.files import read_runs
from studies.compare.config import Config
from studies.compare.layout import start, trained

Answers = dict[str, np.ndarray]
"""Name of a group -> its answers to one suite, (policies, questions), in points; the same questions for all."""


def read_answers(folder: Path, spec: Config, suite: str) -> Answers:
    """From <folder>/<policy>/<suite>.json; InputError where two did not answer the same number of questions."""
    groups = [start(spec), *trained(spec)]
    values = read_runs(folder, [policy for group in groups for policy in group.policies], suite)
    ends = np.cumsum([len(group.policies) for group in groups])
    return dict(zip((group.name for group in groups), np.split(values, ends[:-1]), strict=True))
