"""The phase of every rule, from Snakemake's own rules: written out, made by `use rule`, included from anywhere."""

import json
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from scripts.workflow.phases import phases
from tests.workflow.house import ROOT, House, evaluated

NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, NAMES), unique_by=lambda pair: pair[0]), NAMES, NAMES)
def test_each_rule_has_the_phase_of_its_file_in_the_order_given(rules, study, folder):
    found = phases(
        [
            *(SimpleNamespace(name=rule, snakefile=f"/{folder}/rules/{file}.smk") for rule, file in rules),
            SimpleNamespace(name="Own", snakefile=Path(f"/{folder}/studies/{study}/rules.smk")),
            SimpleNamespace(name="All", snakefile=f"/{folder}/Snakefile"),
        ]
    )
    assert list(found.items()) == [*rules, ("Own", "studies"), ("All", "targets")]


def test_snakemake_says_where_every_kind_of_rule_stands(tmp_path):
    for folder in ("rules", "studies/own"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Snakefile").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom scripts.workflow.phases import phases\n\n"
        'include: "rules/b.smk"\ninclude: "studies/own/rules.smk"\ninclude: "rules/a.smk"\n\n'
        "rule all:\n    input: []\n"
    )
    (tmp_path / "rules/a.smk").write_text('use rule first as derived with:\n    output: "p"\n')
    (tmp_path / "rules/b.smk").write_text('rule first:\n    output: "o"\n\n\ncheckpoint second:\n    output: "q"\n')
    (tmp_path / "studies/own/rules.smk").write_text('rule drawn:\n    output: "r"\n')
    expected = {"first": "b", "second": "b", "drawn": "studies", "derived": "a", "all": "targets"}
    assert list(evaluated(tmp_path, "phases(workflow.rules)").items()) == list(expected.items())


def test_the_display_is_told_the_phase_of_every_rule(tmp_path):
    house = House.build(tmp_path / "house").folder
    told = evaluated(house, '[os.environ["PREFATLAS_PHASES"], [rule.name for rule in workflow.rules]]')
    found = json.loads(told[0])
    assert list(found) == told[1]
    files = {file.stem for file in (ROOT / "rules").glob("*.smk")}
    assert set(found.values()) <= files | {"studies", "targets"}
    assert found["train"] == found["train_online"] == "training" and found["all"] == "targets"
