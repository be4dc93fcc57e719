"""Record and restore on the whole DAG in miniature: every artifact that it declares, and DVC's views of the study."""

import json
from pathlib import Path

import pytest

from tests.workflow.house import House
from tests.workflow.toy_house import Checkout

AS_RUN = ["--configfile", "miniature.yaml", "--", "all", "world"]
NOT_ARTIFACTS = ["checkpoints/", "benchmarks/", "logs/", ".snakemake/"]


def declared(house: Checkout) -> set[str]:
    """The outputs listed in a dry run that makes everything."""
    done = house.snakemake("--dry-run", "--forceall", *AS_RUN)
    return {
        path
        for line in (done.stdout + done.stderr).splitlines()
        if line.strip().startswith("output: ")
        for path in line.strip().removeprefix("output: ").split(", ")
    }


@pytest.mark.slow
def test_the_whole_dag_is_recorded_and_restored(finished: House, tmp_path: Path) -> None:
    house = Checkout(finished.twin(tmp_path / "house").folder)
    house("git", "init", "--quiet", "--initial-branch", "main")
    house.commit("start")
    house.snakemake(*AS_RUN[:2], "--", "plan")
    assert (house.folder / "plan.csv").exists()
    house.versioning("record", *AS_RUN)
    house.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    house.dvc("push")
    house.commit("recorded")

    listed = next(house.folder.glob(".dvc/cache/files/md5/*/*.dir"))
    stored = {f"results/{entry['relpath']}" for entry in json.loads(listed.read_text())}
    outputs = declared(house)
    assert len(outputs) > 300 and outputs <= stored
    assert not [path for path in stored if any(path.startswith(name) for name in NOT_ARTIFACTS)]

    later = house.clone(tmp_path / "later")
    said = later.versioning("restore").stdout
    assert "has nothing to do" in said
    assert later.planned(*AS_RUN) == {} and later.results() == house.results()
    assert later.altered_in_cache() == []
    metrics = json.loads(later.dvc("metrics", "show", "--json").stdout)[""]["data"]["results/metrics.json"]["data"]
    assert set(metrics) == {"what_matters"}
    of_study = metrics["what_matters"]
    assert set(of_study) == {"verdicts", "theorems", "claims", "benchmarks"} and sum(of_study["verdicts"].values()) > 10
    assert "failed to load" not in later.dvc("plots", "show", "--out", "plots").stderr
    page = (later.folder / "plots/index.html").read_text()
    assert "what_matters: " in page and "what_matters_headline.png" in page

    part = house.clone(tmp_path / "part")
    said = part.versioning("restore", "results/tables/what_matters").stdout
    assert "this is a part" in said and (part.folder / "results/tables/what_matters/table1.csv").exists()
