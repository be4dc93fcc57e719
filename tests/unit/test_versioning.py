"""Snakemake's summary, which files belong to the store, and the metrics that DVC shows."""

import json
from pathlib import Path

import pytest

from scripts.lib.claims import Claim, write_claims
from scripts.lib.errors import InputError
from scripts.versioning import metrics, seen
from scripts.versioning.artifacts import Artifact, by_folder, check_complete, in_store, parse_summary, stored_files
from tests.evaluations_data import put
from tests.workflow.house import ROOT
from tests.workflow.toy_house import Checkout, copy

SUMMARY = """noise that a Snakefile prints
output_file\tdate\trule\tlog-file(s)\tstatus\tplan
results/a.csv\tSat Nov 21 17:00:00 2026\ttable\tlogs/a.log\tok\tno update
results/b/c.csv\t-\ttable\t-\tmissing\tno update
results/b/d.csv\tSat Nov 21 17:00:00 2026\tmodel\t-\tparams changed\tupdate pending
results/temporary.txt\t-\tmodel\t-\tremoved temp file\tno update
"""


def test_the_summary_is_read_row_by_row() -> None:
    assert parse_summary(SUMMARY) == [
        Artifact("results/a.csv", "table", "ok", False),
        Artifact("results/b/c.csv", "table", "missing", False),
        Artifact("results/b/d.csv", "model", "params changed", True),
    ]


def test_no_table_is_no_empty_table() -> None:
    with pytest.raises(InputError, match="printed no table"):
        parse_summary("")


@pytest.mark.parametrize(
    ("artifact", "problem"),
    [
        (Artifact("results/a", "r", "missing", False), "1 of 2 artifacts are not there"),
        (Artifact("results/a", "r", "ok", True), "1 of 2 artifacts are not up to date"),
        (Artifact("cache/a", "r", "ok", False), "1 of 2 artifacts are not under results/"),
        (Artifact("results/../a", "r", "ok", False), "1 of 2 artifacts are not under results/"),
    ],
)
def test_what_is_not_complete_is_named_with_the_remedy(artifact: Artifact, problem: str) -> None:
    fine = Artifact("results/fine", "r", "ok", False)
    check_complete([fine], "run")
    with pytest.raises(InputError) as error:
        check_complete([fine, artifact], "run it")
    assert problem in str(error.value) and artifact.path in str(error.value) and "remedy: run it" in str(error.value)


def test_folders_are_counted_under_the_store() -> None:
    paths = ["results/a.csv", "results/x/a", "results/x/y/b", "results/z/c"]
    assert by_folder(paths) == {"results": 1, "results/x": 2, "results/z": 1}
    assert in_store("results/x/a") and not in_store("results/../x") and not in_store("/results/x")


def test_stored_files_leave_out_snakemakes_own_marks(tmp_path: Path) -> None:
    (tmp_path / "results/x").mkdir(parents=True)
    for name in ("a", "x/b", "x/.snakemake_timestamp"):
        (tmp_path / "results" / name).touch()
    (tmp_path / "results/link").symlink_to("nowhere")
    assert stored_files(tmp_path) == ["results/a", "results/link", "results/x/b"]


def test_provenance_is_seen_until_it_changes(tmp_path: Path) -> None:
    assert seen.is_seen(tmp_path)
    (tmp_path / seen.PROVENANCE).write_text("one")
    assert not seen.is_seen(tmp_path)
    seen.see(tmp_path)
    assert seen.is_seen(tmp_path)
    (tmp_path / seen.PROVENANCE).write_text("two")
    assert not seen.is_seen(tmp_path)


def claim(study: str, name: str, measured: float | None, verdict: str) -> Claim:
    return Claim(study, name, "it rises", "It rises.", None, measured, 0.0, 1.0, 0.5, 2, 1, "finding", verdict)


def test_metrics_are_of_each_study_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        claim("first", "a.b", 0.5, "holds"),
        claim("first", "c", None, "undecided"),
        claim("second", "a.b", -1.0, "fails"),
    ]
    write_claims(rows, tmp_path / "claims.csv")
    points = {"base": 9.0, "base.x.dpo.s0": 1.0, "base.x.dpo.s1": 2.0, "base.y.dpo.s0": 6.0}
    for policy, value in points.items():
        for suite in ("mmlu", "gsm8k"):
            put(tmp_path, policy, suite, [value, value + 2 * (suite == "gsm8k")])
    runs = list(points)
    measured = {
        "first": [(run, "mmlu") for run in runs[:3]],
        "second": [(run, suite) for run in runs[1:] for suite in ("mmlu", "gsm8k")],
        "third": [],
    }
    arguments = ["--measured", json.dumps(measured), "--evaluations", str(tmp_path)]
    arguments += ["--drawn", str(tmp_path / "drawn.csv")]

    def made(name: str, *more: str) -> dict:
        monkeypatch.setattr("sys.argv", ["step", *arguments, *more, "--out", str(tmp_path / name)])
        metrics.main()
        return json.loads((tmp_path / name).read_text())

    theorems = {"theorems": {"holds": 0, "fails": 0, "undecided": 0, "beyond": 0}}
    nothing = {"verdicts": {"holds": 0, "fails": 0, "undecided": 0}, **theorems, "claims": {}}
    assert made("metrics.json", "--claims", str(tmp_path / "claims.csv")) == {
        "first": {
            "verdicts": {"holds": 1, "fails": 0, "undecided": 1},
            **theorems,
            "claims": {"a.b": 0.5},
            "benchmarks": {"mmlu": 1.5},
        },
        "second": {
            "verdicts": {"holds": 0, "fails": 1, "undecided": 0},
            **theorems,
            "claims": {"a.b": -1.0},
            "benchmarks": {"gsm8k": 4.0, "mmlu": 3.0},
        },
        "third": {**nothing, "benchmarks": {}},
    }
    assert (tmp_path / "drawn.csv").read_text() == "claim,measured\nfirst: a.b,0.5\nsecond: a.b,-1.0\n"
    assert made("none.json")["second"] == {**nothing, "benchmarks": {"gsm8k": 4.0, "mmlu": 3.0}}
    assert (tmp_path / "drawn.csv").read_text() == "claim,measured\n"


@pytest.mark.slow
@pytest.mark.parametrize("figure", [None, "results/figures/what_matters/headline.svg"])
@pytest.mark.parametrize("claims", ["", "first: a.b,0.5\n"])
def test_dvc_draws_every_plot_whichever_studies_are_on(tmp_path: Path, figure: str | None, claims: str) -> None:
    """What a run leaves is all that dvc.yaml names: claims.csv, with or without rows, and the figures there are."""
    house = Checkout(tmp_path / "house")
    for part in ("dvc.yaml", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore"):
        copy(ROOT / part, house.folder / part)
    house("git", "init", "--quiet")
    (house.folder / "results/figures/what_matters").mkdir(parents=True)
    (house.folder / "results/figures/claims.csv").write_text(f"claim,measured\n{claims}")
    if figure:
        (house.folder / figure).write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    done = house.dvc("plots", "show")
    assert "failed" not in done.stderr
    page = (house.folder / "dvc_plots/index.html").read_text()
    assert ("headline.svg" in page) == bool(figure) and ("first: a.b" in page) == bool(claims)
