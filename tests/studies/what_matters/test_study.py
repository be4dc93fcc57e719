"""The study as described to the workflow."""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

from studies.what_matters import layout, section
from studies.what_matters.study import Room
from tests.studies.what_matters.test_contrasts import SPECS, STUDY

SUITES = {name: SimpleNamespace(kind="harness") for name in STUDY.benchmarks}
ATLAS = SimpleNamespace(pairs=SPECS, evaluation=SimpleNamespace(suites=SUITES))
ROOM = Room("what_matters", STUDY, ATLAS)
STEPS = {**ROOM.tables, **ROOM.figures, "claims": ROOM.claims, "section": ROOM.section}


def test_every_step_is_a_module_of_the_room_and_names_what_it_reads():
    for name, step in STEPS.items():
        assert step.module.startswith("studies.what_matters.") and find_spec(step.module), name
        files = [word for word in step.arguments if word.startswith("results/") and Path(word).suffix]
        assert set(files) <= set(step.reads), name
        assert all(Path(each).exists() for each in step.reads if not each.startswith("results/")), name


def test_the_section_is_given_every_table_and_figure():
    names = {Path(word).stem for word in ROOM.section.arguments}
    assert set(section.TABLES) | {"theory"} | set(ROOM.figures) <= names
    assert {shown.figure for shown in section.TABLES.values()} - {None} | {"headline", "figure1"} == set(ROOM.figures)
    assert set(ROOM.tables) == set(section.TABLES) | {"verdicts"}


def test_the_claims_are_given_the_entries_that_tell_which_rows_share_their_prompts():
    tables = layout.tables(STUDY)
    given = {name: spec for table in tables for name, spec in layout.specs_of(table, STUDY, SPECS).items()}
    rows = [row for table in tables for row in layout.LAYOUTS[table](STUDY, given) if row.pairs]
    assert {row.stratum for row in rows} == {"oa", "uf"}
    assert all(row.stratum == "uf" for table in ("table3", "table4") for row in layout.LAYOUTS[table](STUDY, given))


def test_the_lead_says_what_ran():
    assert ROOM.lead == (
        "Open Assistant 2 and UltraFeedback: dpo from the policy base, 2 seeds, measured by LC-AE2, GSM8K, MMLU."
    )


def test_many_datasets_are_counted_in_the_lead():
    named = [{"prompt_set": f"p{at}", "name": f"Data {at}"} for at in range(5)]
    spec = STUDY.model_validate(STUDY.model_dump() | {"datasets": named})
    assert Room("what_matters", spec, ATLAS).lead.startswith("5 datasets: dpo from")


def test_the_headlines_mean_is_over_shares_of_questions():
    def averaged(**kinds):
        suites = {name: SimpleNamespace(kind=kinds.get(name, "harness")) for name in STUDY.benchmarks}
        room = Room("what_matters", STUDY, SimpleNamespace(pairs=SPECS, evaluation=SimpleNamespace(suites=suites)))
        arguments = list(room.figures["headline"].arguments)
        return arguments[arguments.index("--benchmarks") + 1 :]

    assert averaged(lc_ae2="win_rate") == list(STUDY.benchmarks)
    assert averaged(gsm8k="reward") == ["lc_ae2", "mmlu"]
    assert averaged(**dict.fromkeys(STUDY.benchmarks, "reward")) == list(STUDY.benchmarks)


def test_one_benchmark_has_no_figure_besides_the_headline():
    spec = STUDY.model_copy(update={"benchmarks": ["lc_ae2"]})
    assert set(ROOM.figures) - set(Room("what_matters", spec, ATLAS).figures) == {"benchmarks"}
