"""Instances and derivatives for the tests of section 4."""

import torch
from hypothesis import settings
from hypothesis import strategies as st

from studies.what_matters.theory import tabular

SEED = st.integers(0, 10_000)
BETA = st.sampled_from([0.05, 0.1, 0.3, 1.0, 2.0])
few = settings(max_examples=15)


def instance(seed, *shapes):
    """Distributions of one instance, float64."""
    generator = torch.Generator().manual_seed(seed)
    return [tabular.normalised(torch.randn(n, generator=generator, dtype=torch.float64)) for n in shapes]


def differences(function, at, step=1e-6):
    """The gradient (n,) of a function of one instance, by central differences."""
    unit = torch.eye(len(at), dtype=at.dtype) * step
    return torch.stack([(function(at + each) - function(at - each)) / (2 * step) for each in unit])
