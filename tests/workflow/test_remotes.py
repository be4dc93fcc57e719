"""Recorded artifacts go to a folder, an SSH and an S3 server and come back; real servers, on loopback."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.toy_house import Checkout

BUCKET = "prefatlas"
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}


def needs(module: str, remedy: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: {remedy}")


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(200):
        assert process.poll() is None, "the server ended"
        with socket.socket() as each:
            if each.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nobody listens on port {port}")


@pytest.fixture
def recorded(tmp_path: Path) -> Checkout:
    house = Checkout.build(tmp_path / "house")
    house.snakemake()
    house.versioning("record")
    house.commit("recorded")
    return house


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The settings of a DVC remote on OpenSSH's own server."""
    needs("dvc_ssh", "pip install dvc-ssh")
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if sshd is None:
        pytest.skip("no OpenSSH server: apt-get install openssh-server")
    folder, port = tmp_path / "ssh", free_port()
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile {folder}/pid\nUsePAM no\n"
        f"StrictModes no\nAuthorizedKeysFile {folder}/user.pub\nPasswordAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where its root process confines its unprivileged one
    process = subprocess.Popen([sshd, "-D", "-f", folder / "config"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield {
            "url": f"ssh://127.0.0.1{tmp_path}/store",
            "port": str(port),
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "keyfile": str(folder / "user"),
        }
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The settings of a DVC remote on moto's server, which speaks S3 over HTTP."""
    needs("dvc_s3", "pip install dvc-s3")
    needs("moto", "pip install 'moto[s3]' flask flask-cors")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        endpoint = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT"))
        yield {"url": f"s3://{BUCKET}/store", "endpointurl": endpoint}
    finally:
        process.terminate()
        process.wait()


def goes_and_comes_back(house: Checkout, settings: dict[str, str], tmp_path: Path) -> None:
    house.dvc("remote", "add", "--default", "store", settings["url"])
    for name in settings.keys() - {"url"}:
        house.dvc("remote", "modify", "store", name, settings[name])
    house.commit("a remote")
    house.dvc("push")
    part, whole = house.clone(tmp_path / "part"), house.clone(tmp_path / "whole")
    assert "1 of 10 artifacts are here" in part.versioning("restore", "results/tables").stdout
    assert "`snakemake -n` has nothing to do" in whole.versioning("restore").stdout
    assert whole.results() == house.results() and whole.planned() == {} and whole.altered_in_cache() == []


@pytest.mark.slow
def test_a_folder(recorded: Checkout, tmp_path: Path) -> None:
    goes_and_comes_back(recorded, {"url": str(tmp_path / "store")}, tmp_path)


@pytest.mark.slow
def test_ssh(recorded: Checkout, ssh_server: dict[str, str], tmp_path: Path) -> None:
    goes_and_comes_back(recorded, ssh_server, tmp_path)


@pytest.mark.slow
def test_s3(recorded: Checkout, s3_server: dict[str, str], tmp_path: Path) -> None:
    goes_and_comes_back(recorded, s3_server, tmp_path)


@pytest.mark.slow
def test_a_remote_that_is_gone_is_told_and_loses_nothing(recorded: Checkout, tmp_path: Path) -> None:
    recorded.dvc("remote", "add", "--default", "store", str(tmp_path / "store"))
    recorded.commit("a remote")
    recorded.dvc("push")
    shutil.move(tmp_path / "store", tmp_path / "away")
    later = recorded.clone(tmp_path / "later")
    done = later.versioning("restore", check=False)
    assert done.returncode == 1 and "dvc pull: ended with status" in done.stderr
    shutil.move(tmp_path / "away", tmp_path / "store")
    later.versioning("restore")
    assert later.results() == recorded.results() and later.planned() == {}
