"""Every architecture that transformers makes tiny is read, sampled and trained as it is alone, or refused."""

import re
from pathlib import Path

import pytest
import torch
import transformers

from tests.contract.sweep import LONG, SHORT, outcome, row_of
from tests.contract.tiny_models import KINDS, NOT_TRIED, mapped, names

PAGE = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
WRITTEN_WITH = re.search(r"\(transformers ([^,]+), torch ([^;]+);", PAGE).groups()
SECTIONS = dict(zip(KINDS, PAGE.split("\n### ")[1:], strict=True))

EXACT = 1e-4
"""Nats per token, and of a score: a hundred roundings of float32, as random weights make values of about ten."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """One thread, as everywhere else in the tests; the log would be long."""
    before, verbosity = torch.get_num_threads(), transformers.logging.get_verbosity()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    yield
    torch.set_num_threads(before)
    transformers.logging.set_verbosity(verbosity)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in names(kind)])
def test_alone_is_in_company_packed_is_padded_and_step_0_is_log_2_or_there_is_a_reason(kind, name) -> None:
    found = [outcome(kind, name, longest) for longest in (SHORT, LONG)]
    for each in found:
        assert each.how == "packed" or each.why
        assert each.off < EXACT
        assert abs(each.loss) < 1e-5
    if (transformers.__version__, torch.__version__.split("+")[0]) == WRITTEN_WITH:
        assert outcomes(row_of(kind, name, *found)) in map(outcomes, SECTIONS[kind].splitlines())


def outcomes(row: str) -> list[str]:
    """The cells of a table's row without its numbers."""
    return [cell for cell in row.split(" | ") if not re.fullmatch(r"\de[-+]\d\d", cell)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_every_architecture_that_is_mapped(kind) -> None:
    if WRITTEN_WITH[0] != transformers.__version__:
        pytest.skip("docs/models.md was written with another transformers")
    listed = re.findall(r"^\| (\S+) \| (?:packed|padded|refused)", SECTIONS[kind], re.MULTILINE)
    assert listed == names(kind)
    assert mapped(kind) <= {*listed, *NOT_TRIED}
