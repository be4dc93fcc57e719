"""Large products by oneDNN: the same numbers and gradients as PyTorch's own."""

import copy
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from scripts.lib import products
from scripts.lib.objectives import with_options
from scripts.lib.products import large_products, product
from scripts.training.lessons import PairLesson
from scripts.training.loop import train
from scripts.training.recomputed import recomputed_layers
from scripts.training.step import accumulate, head_of
from tests.pairs_data import Data, spec_of

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def every_product_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LARGE", 1)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list:
    """Calls of oneDNN, so that a test can check that it is used."""
    seen: list = []
    original = products._by_onednn
    monkeypatch.setattr(products, "_by_onednn", lambda *given: (seen.append(given), original(*given))[1])
    return seen


class Two(nn.Module):
    """Two layers of different widths, in the form of transformers' models."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.base_model = nn.Sequential(nn.Linear(8, 12, bias=bias), nn.SiLU(), nn.Linear(12, 8, bias=bias))


@pytest.mark.parametrize("turned", [False, True])
def test_a_product_is_that_of_mm(monkeypatch: pytest.MonkeyPatch, calls: list, turned: bool) -> None:
    monkeypatch.setattr(products, "COLUMNS", 5)
    left, right = torch.randn(7, 8), torch.randn(8, 23).t()
    right = right if turned else right.contiguous()
    out = torch.empty(9, 23)[:7]
    product(left, right, out)
    torch.testing.assert_close(out, left @ right.t())
    assert len(calls) == 5


MANY_SHAPES = """
import resource, torch
from scripts.lib.products import product
weight = torch.randn(512, 512)
for rows in range(600, 900):
    if rows == 660:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    product(torch.randn(rows, 512), weight, torch.empty(rows, 512))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_shapes_that_were_seen() -> None:
    """The products of one shape take 1.5 MB; 240 more shapes take less than a fifth of 240 times that."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        environment.pop(name, None)  # as this process has set them
    done = subprocess.run([sys.executable, "-c", MANY_SHAPES], env=environment, capture_output=True, check=True)
    assert int(done.stdout) < 70_000


def gradients(model: nn.Module, inputs: Tensor) -> list[Tensor | None]:
    found = [inputs.grad, *(each.grad for each in model.parameters())]
    inputs.grad = None
    model.zero_grad()
    return found


@given(
    rows=st.integers(1, 20),
    bias=st.booleans(),
    frozen=st.sets(st.integers(0, 3)),
    leaf=st.booleans(),
    spread=st.booleans(),
    seed=st.integers(0, 9),
)
def test_layers_give_what_they_give_without(rows, bias, frozen, leaf, spread, seed) -> None:
    """Including frozen weights, inputs that need no gradient, and a gradient that is an expanded scalar."""
    torch.manual_seed(seed)
    model, inputs = Two(bias), torch.randn(1, rows, 8)
    for at, each in enumerate(model.parameters()):
        each.requires_grad_(at not in frozen)
    if not leaf and not any(each.requires_grad for each in model.parameters()):
        leaf = True
    inputs.requires_grad_(leaf)

    def run() -> tuple[Tensor, list[Tensor | None]]:
        outputs = model.base_model(inputs)
        (outputs.sum() if spread else outputs.square().sum()).backward()
        return outputs.detach(), gradients(model, inputs)

    plain, expected = run()
    with large_products(model):
        values, found = run()
    torch.testing.assert_close(values, plain)
    for mine, other in zip(found, expected, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            torch.testing.assert_close(mine, other)


def test_gradients_are_added_to_those_that_are_there() -> None:
    model, inputs = Two(bias=True), torch.randn(3, 8)
    with large_products(model):
        model.base_model(inputs).sum().backward()
        once = [each.grad.clone() for each in model.parameters()]
        model.base_model(inputs).sum().backward()
    for mine, other in zip((each.grad for each in model.parameters()), once, strict=True):
        torch.testing.assert_close(mine, 2 * other)


def test_what_is_not_for_onednn_is_left_alone(calls: list) -> None:
    model, inputs = Two(bias=True), torch.randn(3, 8)
    model.base_model[2].forward = own = lambda given: given  # a hook of other code
    with large_products(model):
        assert model.base_model[2].forward is own
        with torch.autocast("cpu", torch.bfloat16):
            assert model.base_model(inputs).dtype == torch.bfloat16
        model.double().base_model(inputs.double())
        assert not calls
        model.float().base_model(inputs)
        assert len(calls) == 1
    calls.clear()
    model.base_model(inputs)
    assert not calls and "forward" not in vars(model.base_model[0]) and model.base_model[2].forward is own


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_step_is_the_same(tmp_path, tiny_policy, monkeypatch, calls, packed: bool, checkpointing: bool) -> None:
    """Losses and gradients to 1e-5, including those of all layers, also with recomputation."""
    data = Data(tmp_path, tiny_policy)
    spec = spec_of(batch_tokens=200, gradient_checkpointing=checkpointing)
    lesson = PairLesson(with_options(spec.objective, spec.beta, spec.options), spec)
    found = []
    for available in (False, True):
        monkeypatch.setattr(products, "ONEDNN", available)
        data.model.zero_grad()
        head = head_of(data.model, spec) if packed else None
        with recomputed_layers(data.model) if checkpointing else nullcontext():
            values = accumulate(data.model, data.examples(), lesson, spec, 0, head)
        found.append((values, torch.cat([each.grad.flatten() for each in data.model.parameters()])))
        assert bool(calls) == available
    (values, plain), (other_values, other) = found
    torch.testing.assert_close(other_values, values, rtol=1e-5, atol=1e-5)
    assert (other - plain).norm() <= 1e-5 * plain.norm()
    assert torch.count_nonzero(other) == torch.count_nonzero(plain)


def test_a_run_is_the_same_bit_by_bit(tmp_path, tiny_policy) -> None:
    data = Data(tmp_path, tiny_policy)
    tables = [train(copy.deepcopy(data.model), data.examples(), spec_of(), 1, 0) for _ in range(2)]
    assert tables[0].equals(tables[1])
