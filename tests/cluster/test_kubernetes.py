"""Kubernetes: the whole study in a dry run; the toy workflow on a simulated API server."""

from pathlib import Path

import pytest
import yaml

from tests.cluster.kubernetes_api import Pretended
from tests.workflow.house import House
from tests.workflow.toy_house import Checkout

pytestmark = pytest.mark.slow
TARGET = "results/tables/what_matters/table1.csv"


def test_dry_run_of_the_study(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    said = house.snakemake(
        "--dry-run", "--quiet", "rules", "--profile", "profiles/kubernetes", "--container-image", "x"
    )
    assert "train" in said.stdout + said.stderr


def test_pods_work_in_the_shared_folder(tmp_path: Path) -> None:
    """Every job runs in Snakemake's own folder, with its GPU as a limit; failed status queries lose no job."""
    here = Checkout.build(tmp_path / "here")
    here.snakemake(TARGET)
    house = Checkout.build(tmp_path / "house")
    profile = yaml.safe_load((house.folder / "profiles/kubernetes/config.yaml").read_text())
    profile |= {"set-resources": {"model": {"gpu": 1, "gpu_manufacturer": "nvidia"}}, "set-threads": {"model": 2}}
    profile |= {"seconds-between-status-checks": 2, "container-image": "x"}
    (house.folder / "profiles/kubernetes/config.yaml").write_text(yaml.safe_dump(profile))
    cluster = Pretended()
    cluster.refusals = 2
    try:
        config = cluster.kubeconfig(tmp_path / "kubeconfig")
        command = ["python", "-m", "snakemake", "--profile", "profiles/kubernetes", TARGET]
        house(*command, KUBECONFIG=str(config))
    finally:
        cluster.stop()
    assert house.results() == here.results()
    pods = [job["spec"]["template"]["spec"] for job in cluster.jobs]
    assert len(pods) == 5 and cluster.refusals == 0
    assert all(pod["volumes"][1]["persistentVolumeClaim"] == {"claimName": "atlas"} for pod in pods)
    limits = [pod["containers"][0]["resources"]["limits"] for pod in pods]
    assert sorted(each.get("nvidia.com/gpu", "0") for each in limits) == ["0", "0", "0", "1", "1"]
