"""`make atlas`: all rooms together are one DAG, at their default sizes."""

import re
from collections import Counter
from pathlib import Path

from tests.workflow.house import ROOT, House


def test_all_rooms_build_one_dag(tmp_path: Path) -> None:
    house = House.build(tmp_path / "house")
    (house.folder / "miniature.yaml").write_text((ROOT / "studies/atlas.yaml").read_text())
    done = house.snakemake("--dry-run")
    assert "Exception" not in done.stdout + done.stderr
    made = re.findall(r"^    output: (.+)$", done.stdout + done.stderr, re.MULTILINE)
    count = Counter(path for files in made for path in files.split(", "))
    assert set(count.values()) == {1}
    trained = [path.split("/")[2] for path in count if re.fullmatch(r"results/training/.+\.parquet", path)]
    assert len(trained) > 100 and {name.split(".")[0] for name in trained} == {"weak", "medium", "strong", "writer"}
    for study in ("what_matters", "alignment_stages", "three_d", "mode_seeking", "preflight"):
        assert f"results/sections/{study}.html" in count
