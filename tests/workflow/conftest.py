"""The whole DAG in miniature, run once for all tests of it."""

from pathlib import Path

import pytest

from tests.workflow.house import House


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House.build(tmp_path_factory.mktemp("finished") / "house")
    house.snakemake("--", "all", "world")
    return house


@pytest.fixture
def twin(finished: House, tmp_path: Path) -> House:
    return finished.twin(tmp_path / "house")
