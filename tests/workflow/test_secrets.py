"""Keys and addresses in the environment are used, and appear in no file that a run leaves."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from scripts.lib.ids import prompt_id, response_id
from scripts.lib.schemas import PROMPTS, RESPONSES, SAMPLES
from scripts.lib.tables import write_table
from scripts.versioning.provenance import distil
from tests.openai_server import serving
from tests.workflow.house import House

KEY, TOKEN = "sk-very-secret-0123456789", "hf_very_secret_9876543210"
JUDGED = ["results/evaluations/medium/lc_ae2.json", "results/evaluations/medium/lc_ae2.judgements.parquet"]
FAILING = ["results/policies/theirs/policy.json", "results/data/theirs/prompts.parquet"]
SHOWN = "results/configuration.json"


def prepare(house: House) -> None:
    """A judge behind an API, a policy and a source on a hub; and the judge's inputs, as if they had been made."""
    house.configure("evaluation", "suites", "lc_ae2", "judge", {"kind": "openai", "model": "local"})
    house.configure("policies", "theirs", {"kind": "given", "model": "someone/model"})
    house.configure("sources", "theirs", {"kind": "pairs", "path": "someone/pairs"})
    instructions = [[{"role": "user", "content": f"instruction {at}"}] for at in range(6)]
    ids = [prompt_id(each) for each in instructions]
    prompts = pd.DataFrame({"prompt_id": ids, "prompt": instructions, "source": "s", "split": "test"})

    def responses(texts, **columns):
        keys = [response_id(each, text) for each, text in zip(ids, texts, strict=True)]
        return pd.DataFrame({"response_id": keys, "prompt_id": ids, "response": texts, **columns})

    results = house.folder / "results"
    write_table(prompts, results / "suites/lc_ae2/prompts.parquet", PROMPTS)
    write_table(responses(["reference"] * 6, family="r"), results / "suites/lc_ae2/reference.parquet", RESPONSES)
    samples = responses([" ".join(["sample"] * (at + 1)) for at in range(6)], family="medium", seed=0, sample=0)
    write_table(samples, results / "samples/medium/lc_ae2.parquet", SAMPLES)


def asked_for(house: House, endpoint, *targets: str) -> subprocess.CompletedProcess:
    address = endpoint.url.removesuffix("/v1")
    secrets = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": endpoint.url, "HF_TOKEN": TOKEN, "HF_ENDPOINT": address}
    home = {"HF_HOME": str(house.folder.parent / "hub"), "HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0"}
    rules = ["judge", "given", "load", "configuration"]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "miniature.yaml"]
    return subprocess.run(
        [*command, "--printshellcmds", "--verbose", "--allowed-rules", *rules, "--", *targets],
        cwd=house.folder,
        capture_output=True,
        text=True,
        env={**os.environ, **secrets, **home},
    )


@pytest.mark.slow
def test_no_key_or_address_of_the_environment_is_left_anywhere(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    prepare(house)
    with serving() as endpoint:
        endpoint.healthy = 3  # then it fails with an error message that contains the key
        failed = asked_for(house, endpoint, *JUDGED[:1], *FAILING, SHOWN)
        assert failed.returncode == 1 and endpoint.failed, failed.stderr[-3000:]
        endpoint.healthy = 1000
        judged = asked_for(house, endpoint, *JUDGED[:1], SHOWN)
        assert judged.returncode == 0, judged.stderr[-3000:]
        address = endpoint.url.removesuffix("/v1").removeprefix("http://")
    assert {each["authorization"] for each in endpoint.asked} == {f"Bearer {KEY}"}
    for name in ("training/given/theirs.log", "sources/load/theirs.log", "evaluations/medium/lc_ae2.log"):
        assert (house.folder / "logs" / name).is_file()
    assert "***" in failed.stdout + failed.stderr, "the endpoint did say the key, and the failed log was shown"

    provenance = str(distil(house.folder, JUDGED, JUDGED))
    left = {path: path.read_bytes() for path in house.folder.rglob("*") if path.is_file()}
    assert {path.parts[len(house.folder.parts)] for path in left} >= {"results", "logs", ".snakemake", "cache"}
    for secret in (KEY, TOKEN, address):
        assert not [path for path, content in left.items() if secret.encode() in content]
        for text in (failed.stdout, failed.stderr, judged.stdout, judged.stderr, provenance):
            assert secret not in text
